"""From packets to clips: one connection's time, motion and recorder. Live capture and replay run this same code."""

from __future__ import annotations

from typing import Protocol

from vcam_worker.motion.watcher import MotionWatcher
from vcam_worker.recording.clip_recorder import ClipRecorder
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream


class PacketTap(Protocol):
    """Whoever else needs a stream's packets, in stream time; one that joins late finds the last GOP in the recorder's
    ring."""

    def take(self, packet: Packet) -> None:
        """Take the next packet, after it was recorded and watched for motion. Must not wait for anything."""


class Pipeline:
    """Takes the packets of one connection, and records what moves.

    Args:
        stream: places the packets.
        recorder: records clips of them.
        watcher: looks for motion in them; None where another stream, or nobody, is watched for motion.

    Attributes:
        live: gets the packets as well; None while nobody asks for live frames or video.
    """

    def __init__(self, stream: TimedStream, recorder: ClipRecorder, watcher: MotionWatcher | None) -> None:
        self.stream = stream
        self.recorder = recorder
        self.watcher = watcher
        self.live: PacketTap | None = None

    def feed(self, packet: Packet) -> None:
        """Take the next packet, as received.

        Raises:
            OSError: the volume does not take the clip.
            SourceError: the clip cannot hold what the stream delivers.
        """
        for placed in self.stream.place(packet):
            self._take(placed)

    def _take(self, packet: Packet) -> None:
        self.recorder.take(packet)
        if self.watcher and packet.kind == "video":
            for time, motion in self.watcher.take(packet, self.recorder.settled_until):
                self.recorder.on_motion(time, motion)
        if self.live:
            self.live.take(packet)

    def close(self) -> None:
        """Finish the open clip: the stream is over.

        Raises:
            OSError, SourceError: as :meth:`feed`.
        """
        for placed in self.stream.drain():
            self._take(placed)
        self.recorder.close()
