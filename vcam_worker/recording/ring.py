"""A ring of the last seconds of packets, so that a clip can begin before its trigger."""

from __future__ import annotations

from collections import deque

from vcam_worker.stream.packets import Packet

MAX_S = 600.0
"""Longest GOP that is kept: nobody configures a longer one; such a camera no longer sends keyframes."""
MAX_BYTES = 64 * 1024 * 1024
"""About 30 s of a 16 Mb/s 4K stream, or a GOP of 250 s at 2 Mb/s."""
PACKET_BYTES = 400
"""Overhead of a packet: the payloads of a still scene are smaller."""


class PacketRing:
    """Packets from a keyframe on, at least `seconds` of them once the stream has been up that long.

    Args:
        seconds: how far back :meth:`since` must reach.

    Attributes:
        overflowed: the newest GOP was dropped, as it was larger than :data:`MAX_BYTES`, or longer than
            :data:`MAX_S`; nothing is held until the next keyframe.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._packets: deque[Packet] = deque()
        self._keyframes: deque[float] = deque()  # times of the video keyframes held, the first is the start
        self._bytes = 0
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._packets)

    def set_reach(self, seconds: float) -> None:
        """Change how far back :meth:`since` must reach, from the next packet on."""
        self._seconds = seconds

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    def append(self, packet: Packet) -> None:
        """Add the newest packet, and drop whole GOPs that are no longer needed."""
        starts_gop = packet.kind == "video" and packet.is_keyframe
        if not self._keyframes and not starts_gop:
            return  # nothing can be decoded before the first keyframe
        if starts_gop:
            self._keyframes.append(packet.time)
            self.overflowed = False
        self._packets.append(packet)
        self._bytes += len(packet.data) + PACKET_BYTES
        while len(self._keyframes) > 1 and self._keyframes[1] <= packet.time - self._seconds:
            self._drop_gop()
        while self._keyframes and (self._bytes > MAX_BYTES or packet.time - self._keyframes[0] > MAX_S):
            self._drop_gop()

    def _drop_gop(self) -> None:
        self._keyframes.popleft()
        until = self._keyframes[0] if self._keyframes else None
        while self._packets:
            first = self._packets[0]
            if until is not None and first.kind == "video" and first.is_keyframe and first.time >= until:
                break
            self._packets.popleft()
            self._bytes -= len(first.data) + PACKET_BYTES
        self.overflowed = not self._keyframes

    def since(self, time: float, not_before: float = 0.0) -> list[Packet]:
        """Return the packets from the last keyframe at or before `time` on, or from the first one held.

        Args:
            time: stream time, seconds.
            not_before: stream time before which the first keyframe should not lie, if there is a later one.
        """
        start = next((key for key in reversed(self._keyframes) if key <= time), None)
        if start is None or start < not_before:
            start = next((key for key in self._keyframes if key >= not_before), start)
        if start is None:
            return list(self._packets)
        packets = list(self._packets)
        for index, packet in enumerate(packets):
            if packet.kind == "video" and packet.is_keyframe and packet.time >= start:
                return packets[index:]
        return packets

    def clear(self) -> None:
        """Drop everything."""
        self._packets.clear()
        self._keyframes.clear()
        self._bytes = 0
