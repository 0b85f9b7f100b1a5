"""Clips as the recorder makes them of a stream in which something moves all the time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import av

from shared_utils.errors import SourceEnded
from vcam_worker.motion.detector import Motion
from vcam_worker.recording.clip_logic import ClipLogic, ClipRules
from vcam_worker.recording.clip_recorder import ClipRecorder
from vcam_worker.recording.clip_writer import ClipWriter
from vcam_worker.recording.pipeline import Pipeline
from vcam_worker.recording.session import FinishedClip
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream


def to_the_end(connection: PacketSource) -> Iterator[Packet]:
    """Yield what comes until the stream is over."""
    with suppress(SourceEnded):
        yield from connection.packets()


class Recording:
    """Records all that comes, in clips.

    Args:
        info: the stream.
        folder: takes the clips.
        clip_seconds: their length.
        seen_until: of the connection before.
    """

    def __init__(
        self, info: StreamInfo, folder: Path, clip_seconds: float = 10.0, seen_until: float | None = None
    ) -> None:
        self.clips: list[FinishedClip] = []
        self._folder = folder
        log = logging.LoggerAdapter(logging.getLogger("tests.recording"))
        self.stream = TimedStream(info, log, live=True, seen_until=seen_until)
        events = ClipLogic(ClipRules(clip_seconds=clip_seconds, pre_roll_seconds=2))
        self.pipeline = Pipeline(self.stream, ClipRecorder(self.stream, events, self, log), watcher=None)

    def open_clip(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        return ClipWriter(self._folder / f"{start:09.3f}.mp4", info, start, started_at)

    def take_clip(self, clip: FinishedClip) -> None:
        self.clips.append(clip)

    def close(self) -> None:
        """The stream is over."""
        self.pipeline.close()

    def feed(self, stream: Iterable[Packet]) -> None:
        """Take packets, in each picture of which something moves."""
        for packet in stream:
            self.pipeline.feed(packet)
            if packet.kind == "video" and packet.time > 0.5:
                self.pipeline.recorder.on_motion(packet.time, Motion(0.1, moving=True, light=False))


def tracks(clip: Path) -> dict[str, list[float]]:
    """Return the times of a clip's packets, by kind, seconds."""
    found: dict[str, list[float]] = {}
    with av.open(str(clip)) as container:
        for stream in container.streams:
            found[stream.type] = []
        for packet in container.demux():
            if packet.size and packet.dts is not None and packet.time_base:
                found[packet.stream.type].append(float(packet.dts * packet.time_base))
    return found
