"""Clips of a sample volume: the drawn street, recorded by capture's own recorder."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av

from camera_emulator.h264 import default_bitrate
from camera_emulator.scene import Scene
from devtools.sample_volume.plan import CAMERAS, FPS, RULES, SIZE, Plan
from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.contracts.clips import ClipName
from shared_utils.errors import SourceEnded
from shared_utils.log import camera_logger
from vcam_worker.motion.watcher import MotionWatcher
from vcam_worker.recording.clip_logic import ClipLogic
from vcam_worker.recording.clip_recorder import ClipRecorder
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.recording.session import FinishedClip
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream

QUIET_END_S = 1.0
"""Of a drawn stream after its visit; it begins with the quiet before."""


@dataclass(frozen=True)
class RecordedClip:
    """A clip in the folder.

    Attributes:
        name: its name.
        begin_s: of its first frame, in the scene's time.
    """

    name: ClipName
    begin_s: float


def scene_of(plan: Plan, camera: str) -> Scene:
    return Scene(plan.seed * len(CAMERAS) + list(CAMERAS).index(camera), SIZE, FPS)


def record_clip(
    folder: Path, draft: Path, plan: Plan, camera: str, number: int, moment: datetime
) -> RecordedClip | None:
    """Record the visit of this number in front of `camera`; return its clip in `folder`, dated `moment`.

    None where capture saw nothing in it.
    """
    scene = scene_of(plan, camera)
    begin = scene.visit(number - 1).end_s if number else 0.0
    _draw(draft, scene, begin, scene.visit(number).end_s + QUIET_END_S)
    clip = _record(draft, camera, moment)
    draft.unlink()
    if clip is None:
        return None
    path, start = clip
    name = ClipName(moment.replace(tzinfo=None, microsecond=0), camera)
    shutil.move(path, folder / str(name))
    return RecordedClip(name, begin + start)


def _draw(path: Path, scene: Scene, begin: float, end: float) -> None:
    rate = Fraction(FPS).limit_denominator(1001)
    # as the emulated camera codes: a keyframe per second, no B-frames; one thread, as clips are drawn in parallel
    options = {"preset": "superfast", "x264-params": f"threads=1:keyint={round(FPS)}:scenecut=0:bframes=0"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = default_bitrate(SIZE, FPS)
        for number in range(math.ceil((end - begin) * FPS)):
            frame = av.VideoFrame.from_ndarray(scene.frame(begin + number / FPS), format="bgr24")
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _record(drawn: Path, camera: str, moment: datetime) -> tuple[Path, float] | None:
    """Record `drawn` by capture's own recorder; return the first clip, dated `moment`, and its start in it."""
    clips, motion = _Clips(drawn, moment), MotionSettings()
    log = camera_logger("devtools.sample_volume", camera)
    with connect(Camera(camera, str(drawn), setting="DRAFT"), "file", paced=False) as connection:
        stream = TimedStream(connection.info, log, live=False)
        recorder = ClipRecorder(stream, ClipLogic.of(RULES, motion), clips, log)
        pipeline = Pipeline(stream, recorder, MotionWatcher(connection.info, motion))
        for packet in _packets(connection):
            pipeline.feed(packet)
            # where motion goes on there is a second clip, which would have to be dated right after this one
            if clips.closed:
                break
        pipeline.close()
    return (clips.closed[0], clips.starts[0]) if clips.closed else None


class _Clips:
    """Clips beside the footage they are of, all dated alike."""

    def __init__(self, footage: Path, moment: datetime) -> None:
        self.starts: list[float] = []
        self.closed: list[Path] = []
        self._footage = footage
        self._moment = moment

    def open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        del started_at  # when the footage is read says nothing
        self.starts.append(start)
        return ClipWriter(self._footage.with_suffix(f".{start:.3f}.mp4"), info, start, self._moment)

    def take_clip(self, clip: FinishedClip) -> None:
        self.closed.append(clip.path)


def _packets(connection: PacketSource) -> Iterator[Packet]:
    try:
        yield from connection.packets()
    except SourceEnded:
        return
