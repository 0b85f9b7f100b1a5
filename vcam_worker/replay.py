"""Replays a file through live capture's pipeline, as fast as it can be read, by the file's own timestamps."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.contracts.clips import ClipName, sidecar_stem
from shared_utils.errors import SourceEnded
from shared_utils.log import camera_logger
from vcam_worker.motion.detector import Luma, Motion
from vcam_worker.motion.ignored import Polygons
from vcam_worker.motion.watcher import FrameObserver, KeyframesOnlyRule, MotionWatcher
from vcam_worker.recording.clip_logic import ClipLogic, ClipRules
from vcam_worker.recording.clip_recorder import ClipRecorder
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.recording.session import FinishedClip
from vcam_worker.stream.connection import Connection
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.opening import open_file
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream

EPOCH = datetime(2000, 1, 1).astimezone()
"""Local time of a file's start: it has none of its own, and two replays must give the same."""


@dataclass(frozen=True)
class AnalysedFrame:
    """One analysed frame, as reported to the recorder.

    Attributes:
        time_s: stream time, seconds.
        share: moving share of the picture, 0..1; below `min_area`, of everything that changed, light included.
        moving, light: the verdict; see :class:`vcam_worker.motion.detector.Motion`.
        packet: number of the packet in the file, from 0, with which it was reported.
        shape: height and width of the mask.
        bits: the mask, eight pixels per byte.
    """

    time_s: float
    share: float
    moving: bool
    light: bool
    packet: int
    shape: tuple[int, ...]
    bits: bytes = field(repr=False)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where it moves, height×width, with specks."""
        pixels = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.shape[0] * self.shape[1])
        return pixels.reshape(self.shape).astype(bool)


@dataclass(frozen=True)
class ReplayedClip:
    """A clip that would be recorded, in seconds from the file's start; see
    :class:`vcam_worker.recording.session.FinishedClip`."""

    start_s: float
    trigger_s: float
    end_s: float


@dataclass(frozen=True)
class Trace:
    """A replay with all its analysed frames.

    Attributes:
        path: the file.
        motion, rules: the settings of the replay.
        frames: the analysed frames; only keyframes while a clip is open and its end is far.
        clips: the recorded clips.
        end_s: stream time of the last video packet.
        cpu_s: CPU time it took.
        ignored: where motion was ignored.
    """

    path: Path
    motion: MotionSettings
    rules: ClipRules
    frames: tuple[AnalysedFrame, ...]
    clips: tuple[ReplayedClip, ...]
    end_s: float
    cpu_s: float = field(compare=False)
    ignored: Polygons = ()


@dataclass(frozen=True)
class Rejudged:
    """The clips that a higher `min_area` would give, derived from a trace.

    Attributes:
        clips: the clips that would be recorded.
        exact_until_s: up to here a replay would give the same; None: to the end. From here on, one of the two analyses
            every frame and the other keyframes only, as a clip is open in one of them.
    """

    clips: tuple[ReplayedClip, ...]
    exact_until_s: float | None


def replay(
    path: Path,
    motion: MotionSettings,
    rules: ClipRules,
    emit: Callable[[dict[str, Any]], None],
    out: Path | None,
    observe: FrameObserver | None = None,
    ignored: Polygons = (),
) -> int:
    """Replay one file.

    Args:
        path: any video file.
        motion, rules: settings of capture.
        emit: takes one dict per clip, as it ends: ``filename`` (of the replayed file), ``start_s``, ``trigger_s``,
            ``end_s`` (seconds from the file's start), and ``clip`` where one is kept.
        out: folder for the clips; None keeps none.
        observe: called with each analysed frame, just before the recorder acts on its verdict.
        ignored: where motion is ignored.

    Returns:
        The number of clips.

    Raises:
        SourceError: it cannot be read as video.
    """
    count = 0

    def on_clip(clip: FinishedClip) -> None:
        nonlocal count
        count += 1
        times = _rounded(clip)
        line = {"filename": path.name, "start_s": times.start_s, "trigger_s": times.trigger_s, "end_s": times.end_s}
        if out:
            started_at = (EPOCH + timedelta(seconds=clip.start)).replace(tzinfo=None)
            target = out / f"{sidecar_stem(path.name)}-{ClipName(started_at, 'replay')}"
            target.write_bytes(clip.path.read_bytes())
            line["clip"] = str(target)
        emit(line)

    with opened(path) as connection, _pipeline(connection, motion, rules, on_clip, observe, ignored) as pipeline:
        for packet in _to_the_end(connection):
            pipeline.feed(packet)
    return count


def trace(path: Path, motion: MotionSettings, rules: ClipRules, ignored: Polygons = ()) -> Trace:
    """Replay one file and keep the verdicts that the recorder acted on; arguments as those of :func:`replay`.

    Raises:
        SourceError: it cannot be read as video.
    """
    began = time.process_time()
    frames: list[AnalysedFrame] = []
    clips: list[ReplayedClip] = []
    number, end = 0, 0.0

    def observe(at: float, seen: Motion, mask: Luma) -> None:
        bits = np.packbits(mask != 0).tobytes()
        frames.append(AnalysedFrame(at, seen.share, seen.moving, seen.light, number, mask.shape, bits))

    def on_clip(clip: FinishedClip) -> None:
        clips.append(_rounded(clip))

    with opened(path) as connection, _pipeline(connection, motion, rules, on_clip, observe, ignored) as pipeline:
        for packet in _to_the_end(connection):
            pipeline.feed(packet)
            number += 1
            if packet.kind == "video":
                end = packet.time
    return Trace(path, motion, rules, tuple(frames), tuple(clips), end, time.process_time() - began, ignored)


def rejudge(traced: Trace, min_area: float) -> Rejudged:
    """Return what a replay with a higher `min_area` would record, without decoding.

    A frame moves at `min_area` if it moved in the trace with at least that share: the structure test never increases a
    share, so that one below `min_area` stays below it. The background has learnt the same as long as the same frames
    were analysed; the result tells where that ends.

    Args:
        traced: a trace with at most `min_area`; its file is read again for the packets.
        min_area: moving share of the picture, 0..1.

    Raises:
        ValueError: `min_area` is below the trace's.
        SourceError: the file cannot be read any more.
    """
    if min_area < traced.motion.min_area:
        raise ValueError(f"traced from {traced.motion.min_area:g} up, so nothing is known of {min_area:g}")
    frames = _by_packet(traced.frames)
    clips: list[ReplayedClip] = []
    exact_until: float | None = None
    rule = KeyframesOnlyRule()

    def on_clip(clip: FinishedClip) -> None:
        clips.append(_rounded(clip))

    with (
        opened(traced.path) as connection,
        _pipeline(connection, traced.motion, traced.rules, lambda _: None) as before,
        _pipeline(connection, traced.motion, traced.rules, on_clip) as after,
    ):
        for pipeline in (before, after):
            pipeline.watcher = None  # the trace provides the verdicts
        for number, packet in enumerate(_to_the_end(connection)):
            before.feed(packet)
            after.feed(packet)
            if packet.kind == "video":
                rule.take(packet)
            # as in MotionWatcher: a clip is open, and its end more than a GOP away
            spares = [rule.allows(packet.time, one.recorder.settled_until) for one in (before, after)]
            if exact_until is None and spares[0] != spares[1]:
                exact_until = packet.time
            for frame in frames.get(number, ()):
                before.recorder.on_motion(frame.time_s, Motion(frame.share, frame.moving, frame.light))
                moving = frame.moving and frame.share >= min_area
                after.recorder.on_motion(frame.time_s, Motion(frame.share, moving, frame.light))
    return Rejudged(tuple(clips), exact_until)


def _by_packet(frames: tuple[AnalysedFrame, ...]) -> dict[int, list[AnalysedFrame]]:
    found: dict[int, list[AnalysedFrame]] = {}
    for frame in frames:
        found.setdefault(frame.packet, []).append(frame)
    return found


def _rounded(clip: FinishedClip) -> ReplayedClip:
    return ReplayedClip(round(clip.start, 3), round(clip.trigger, 3), round(clip.end, 3))


def opened(path: Path) -> Connection:
    """Open a file for a replay.

    Raises:
        SourceError: it cannot be read as video.
    """
    return open_file(Camera("replay", str(path), setting="FILE"), paced=False)


def _to_the_end(connection: Connection) -> Iterator[Packet]:
    try:
        yield from connection.packets()
    except SourceEnded:
        return


@contextmanager
def _pipeline(
    connection: Connection,
    motion: MotionSettings,
    rules: ClipRules,
    on_clip: Callable[[FinishedClip], None],
    observe: FrameObserver | None = None,
    ignored: Polygons = (),
) -> Iterator[Pipeline]:
    """Give the pipeline of a file. Each clip exists while `on_clip` has it; the last one ends with the file."""
    log = _quiet()
    with tempfile.TemporaryDirectory() as folder:
        stream = TimedStream(connection.info, log, live=False)
        recorder = ClipRecorder(stream, ClipLogic.of(rules, motion), _Clips(Path(folder), on_clip), log)
        watcher = MotionWatcher(connection.info, motion, observe)
        watcher.ignore(ignored)
        pipeline = Pipeline(stream, recorder, watcher)
        yield pipeline
        pipeline.close()


class _Clips:
    """A sink that deletes each clip after `on_clip` has had it."""

    def __init__(self, folder: Path, on_clip: Callable[[FinishedClip], None]) -> None:
        self._folder = folder
        self._on_clip = on_clip

    def open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        del started_at  # a file has none
        return ClipWriter(self._folder / f"{start:012.3f}.mp4", info, start, EPOCH + timedelta(seconds=start))

    def take_clip(self, clip: FinishedClip) -> None:
        self._on_clip(clip)
        clip.path.unlink()


def _quiet() -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger that drops the messages of live capture, as the lines on stdout replace them."""
    log = camera_logger(__name__, "replay")
    log.setLevel(logging.ERROR)
    return log


def print_line(line: dict[str, Any]) -> None:
    """Print one clip as a JSON line, unbuffered."""
    print(json.dumps(line), flush=True)  # noqa: T201  # the command's output
