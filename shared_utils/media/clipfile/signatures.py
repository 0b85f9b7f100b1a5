"""Signatures: the bytes with which recordings of each format begin, to find one joined behind another.

Each is long enough, or verified closely enough, not to occur by chance within the video data of another recording.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

EBML = bytes.fromhex("1A45DFA3")
"""Element ID of an EBML header, with which Matroska and WebM begin (RFC 8794, 11.2.1)."""
MP4_HEAD_BYTES = range(12, 257)
"""Believable lengths of an MP4 file's first box, ``ftyp``: brand, version, list of brands (ISO/IEC 14496-12, 4.3)."""
TS_LAYOUTS = ((188, 0), (192, 4), (204, 0))
"""Bytes per MPEG-TS packet, and offset of its sync byte: plain (ISO/IEC 13818-1), with a time stamp in front (M2TS of
Blu-ray), with Reed-Solomon parity bytes behind (DVB)."""
TS_SYNC = 0x47
TS_IN_A_ROW = 5
"""Consecutive sync bytes required: one byte in 256 is a sync byte by chance."""


def ts_layout(content: bytes | mmap.mmap, at: int) -> tuple[int, int] | None:
    """Return bytes per packet and offset of the sync byte if MPEG-TS packets begin at `at`; else None."""
    for size, lead in TS_LAYOUTS:
        places = [at + lead + size * number for number in range(TS_IN_A_ROW)]
        there = [content[place] == TS_SYNC for place in places if place < len(content)]
        if len(there) > 1 and all(there):
            return size, lead
    return None


def _is_mp4(content: mmap.mmap, at: int) -> bool:
    brand = content[at + 8 : at + 12]
    return int.from_bytes(content[at : at + 4]) in MP4_HEAD_BYTES and len(brand) == 4 and brand.isascii()


def _is_matroska(content: mmap.mmap, at: int) -> bool:
    head = content[at : at + 64]
    return b"matroska" in head or b"webm" in head


def _is_avi(content: mmap.mmap, at: int) -> bool:
    return content[at + 8 : at + 16] == b"AVI LIST"


def _is_flv(content: mmap.mmap, at: int) -> bool:
    return content[at + 4 : at + 5] <= b"\5" and content[at + 5 : at + 13] == b"\0\0\0\x09\0\0\0\0"


def _is_ts(content: mmap.mmap, at: int) -> bool:
    return ts_layout(content, at) is not None


SIGNATURES: tuple[tuple[bytes, int, Callable[[mmap.mmap, int], bool]], ...] = (
    (b"ftyp", 4, _is_mp4),
    (EBML, 0, _is_matroska),
    (b"RIFF", 0, _is_avi),
    (b"FLV\x01", 0, _is_flv),
    (bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C"), 0, lambda _content, _at: True),  # ASF, WMV
    (b"DKIF\0\0\x20\0", 0, lambda _content, _at: True),  # IVF
    (b"\x47\x40\0", 0, _is_ts),  # a recording begins with its PAT (PID 0) or SDT (PID 17)
    (b"\x47\x40\x11", 0, _is_ts),
    (b"\x47\x40\0", 4, _is_ts),
    (b"\x47\x40\x11", 4, _is_ts),
)
"""Bytes to search for, their offset from the recording's beginning, and a check of what begins there."""


class RecordingFinder:
    """Finds the beginnings of recordings in a file, all of them in one pass.

    Args:
        content: the file's content.
    """

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._next = dict.fromkeys(range(len(SIGNATURES)), -1)

    def next(self, begin: int) -> int:
        """Return the first beginning at or after `begin`, or the file's length. `begin` must never decrease."""
        return min(self._next_of(number, begin) for number in self._next)

    def _next_of(self, number: int, begin: int) -> int:
        sign, lead, is_one = SIGNATURES[number]
        while self._next[number] < begin:
            found = self._content.find(sign, max(begin, self._next[number] + 1) + lead)
            at = found - lead if found >= 0 else len(self._content)
            if at < len(self._content) and not is_one(self._content, at):
                begin = at + 1
                continue
            self._next[number] = at
        return self._next[number]
