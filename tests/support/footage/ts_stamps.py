"""MPEG-TS files with time stamps of a test's choice."""

from __future__ import annotations

from collections.abc import Callable

PACKET = 188
VIDEO_PID = 256
WRAP = 1 << 33

Change = Callable[[int, int], int | None]
"""Given a frame's number in the file and its stamp; returns ticks to move it by, None to take its stamp away."""


def _read(data: bytearray, at: int) -> int:
    middle, low = int.from_bytes(data[at + 1 : at + 3]), int.from_bytes(data[at + 3 : at + 5])
    return (data[at] >> 1 & 7) << 30 | middle >> 1 << 15 | low >> 1


def _write(data: bytearray, at: int, stamp: int) -> None:
    stamp %= WRAP
    data[at] = data[at] & 0xF0 | (stamp >> 30 & 7) << 1 | 1
    data[at + 1 : at + 3] = ((stamp >> 15 & 0x7FFF) << 1 | 1).to_bytes(2)
    data[at + 3 : at + 5] = ((stamp & 0x7FFF) << 1 | 1).to_bytes(2)


def with_stamps(content: bytes, change: Change) -> bytes:
    """Return a transport stream with PTS and DTS of its video moved."""
    data = bytearray(content)
    number = 0
    for begin in range(0, len(data), PACKET):
        pid = (data[begin + 1] & 0x1F) << 8 | data[begin + 2]
        if pid != VIDEO_PID or not data[begin + 1] & 0x40:
            continue
        at = begin + 4 + (1 + data[begin + 4] if data[begin + 3] & 0x20 else 0)
        flags = data[at + 7]
        if flags & 0x80:
            by = change(number, _read(data, at + 9))
            if by is None:
                data[at + 7] &= 0x3F
                length = data[at + 8]
                data[at + 9 : at + 9 + length] = b"\xff" * length
            else:
                for place in (at + 9, at + 14) if flags & 0x40 else (at + 9,):
                    _write(data, place, _read(data, place) + by)
        number += 1
    return bytes(data)
