"""Watches a sub-stream for motion while the main stream is only recorded."""

from __future__ import annotations

from typing import Protocol

from shared_utils.config.cameras import MotionSettings
from vcam_worker.motion.detector import Motion
from vcam_worker.motion.watcher import MotionWatcher
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timed_stream import TimedStream
from vcam_worker.stream.timing.timeline import Timeline


class MotionListener(Protocol):
    """Who acts on motion, in the main stream's time: its recorder."""

    @property
    def settled_until(self) -> float:
        """Stream time before which motion decides nothing."""

    def on_motion(self, time: float, motion: Motion) -> None:
        """Take the verdict on one analysed frame, at its stream time."""


class SubStream:
    """A sub-stream that is watched for motion while the main stream is recorded; the two are aligned by arrival.

    Args:
        info: the sub-stream.
        settings: how to detect motion.
        main: places the main stream's packets.
        listener: acts on motion, in the main stream's time.

    Attributes:
        watcher: detects motion.
    """

    def __init__(self, info: StreamInfo, settings: MotionSettings, main: TimedStream, listener: MotionListener) -> None:
        self.watcher = MotionWatcher(info, settings)
        self._timeline = Timeline(live=True, nominal_step=info.frame_s)
        self._main = main
        self._listener = listener

    def feed(self, packet: Packet) -> None:
        """Take a packet of the sub-stream, as received."""
        if packet.kind != "video":
            return
        packet.time = self._timeline.place(packet.dts, packet.arrived)
        lead = packet.time - self._in_main(packet.time)
        for time, motion in self.watcher.take(packet, self._listener.settled_until + lead):
            self._listener.on_motion(self._in_main(time), motion)

    def _in_main(self, time: float) -> float:
        """Return the main stream's time for a time of this stream."""
        return self._main.time_at(self._timeline.arrival(time))
