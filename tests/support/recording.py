"""Clips as the recorder makes them of a stream in which something moves all the time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import av

from shared_utils.config.cameras import MotionSettings
from shared_utils.errors import SourceEnded
from vcam_worker.motion.detector import Motion
from vcam_worker.recording.events import ClipRules
from vcam_worker.recording.recorder import ClipWriter
from vcam_worker.recording.session import FinishedClip
from vcam_worker.recording.stream_recorder import StreamRecorder
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.protocols.pictures import PictureConnection
from vcam_worker.stream.source import Connection, StreamInfo

AnyConnection = Connection | PictureConnection


def to_the_end(connection: AnyConnection) -> Iterator[Packet]:
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
        self.recorder = StreamRecorder(
            info,
            MotionSettings(),
            ClipRules(clip_seconds=clip_seconds, pre_roll_seconds=2),
            live=True,
            open_clip=self._open,
            on_clip=self.clips.append,
            log=logging.LoggerAdapter(logging.getLogger("tests.recording")),
            seen_until=seen_until,
        )
        self.recorder.watch(on=False)

    def _open(self, info: StreamInfo, start: float, started_at: datetime) -> ClipWriter:
        return ClipWriter(self._folder / f"{start:09.3f}.mp4", info, start, started_at)

    def feed(self, stream: Iterable[Packet]) -> None:
        """Take packets, in each picture of which something moves."""
        for packet in stream:
            self.recorder.feed(packet)
            if packet.kind == "video" and packet.time > 0.5:
                self.recorder.see(packet.time, Motion(0.1, moving=True, light=False))


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
