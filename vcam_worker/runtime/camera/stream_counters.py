"""Counters of a camera's main stream: packets, and their rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from vcam_worker.runtime.status import CameraStatus
from vcam_worker.stream.packets import Packet

FPS_WINDOW_S = 5.0
"""Seconds over which the frame rate is measured."""


class StreamCounters:
    """Counts packets, and measures their rate.

    Args:
        clock: monotonic seconds.

    Attributes:
        last_packet: when the newest packet was received, seconds since the epoch; None before the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.last_packet: float | None = None
        self._clock = clock
        self._frames = self._packets = self._bytes = self._late = 0
        self._fps = 0.0
        self._window = (clock(), 0)

    def count(self, packet: Packet) -> None:
        """Count a packet."""
        self._frames += packet.kind == "video"
        self.last_packet = packet.wall
        self._packets += 1
        self._bytes += len(packet.data)
        self._late += packet.is_late

    def added_to(self, status: CameraStatus) -> CameraStatus:
        """Return `status` with the present figures."""
        now = self._clock()
        since, frames = self._window
        if now - since >= FPS_WINDOW_S:
            self._fps = round((self._frames - frames) / (now - since), 2)
            self._window = (now, self._frames)
        return replace(
            status,
            fps=self._fps,
            last_packet=self.last_packet,
            packets=self._packets,
            bytes=self._bytes,
            late=self._late,
        )
