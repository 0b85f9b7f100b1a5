"""The last seconds of a stream, kept so that a clip can begin before its trigger."""

from __future__ import annotations

from collections import deque

from vcam_worker.packets import Packet

MAX_SECONDS = 60.0
"""A camera that sends no keyframe for a minute gets no pre-roll; memory stays bounded."""
MAX_BYTES = 64 * 1024 * 1024
"""About 30 s of a 16 Mb/s 4K stream: far above any sane pre-roll."""


class PacketRing:
    """Packets from a keyframe on, at least `seconds` of them once the stream has been up that long.

    Args:
        seconds: what :meth:`since` must be able to reach back.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._packets: deque[Packet] = deque()
        self._keyframes: deque[float] = deque()  # times of the video keyframes held, the first is the start
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._packets)

    def keep(self, seconds: float) -> None:
        """Reach back `seconds` from the next packet on."""
        self._seconds = seconds

    @property
    def size(self) -> int:
        """Bytes of payload held."""
        return self._bytes

    def append(self, packet: Packet) -> None:
        """Add the newest packet, and let go of whole GOPs that are no longer needed."""
        starts_gop = packet.kind == "video" and packet.is_keyframe
        if not self._keyframes and not starts_gop:
            return  # nothing can be decoded before the first keyframe
        if starts_gop:
            self._keyframes.append(packet.time)
        self._packets.append(packet)
        self._bytes += len(packet.data)
        while len(self._keyframes) > 1 and self._keyframes[1] <= packet.time - self._seconds:
            self._drop_gop()
        while self._keyframes and (self._bytes > MAX_BYTES or packet.time - self._keyframes[0] > MAX_SECONDS):
            self._drop_gop()

    def _drop_gop(self) -> None:
        self._keyframes.popleft()
        until = self._keyframes[0] if self._keyframes else None
        while self._packets:
            first = self._packets[0]
            if until is not None and first.kind == "video" and first.is_keyframe and first.time >= until:
                break
            self._packets.popleft()
            self._bytes -= len(first.data)

    def since(self, time: float) -> list[Packet]:
        """Return the packets from the last keyframe at or before `time` on; from the first one held if none is."""
        start = next((key for key in reversed(self._keyframes) if key <= time), None)
        if start is None:
            return list(self._packets)
        packets = list(self._packets)
        for index, packet in enumerate(packets):
            if packet.kind == "video" and packet.is_keyframe and packet.time >= start:
                return packets[index:]
        return packets

    def clear(self) -> None:
        """Forget everything, as after a reconnect."""
        self._packets.clear()
        self._keyframes.clear()
        self._bytes = 0
