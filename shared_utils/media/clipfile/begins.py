"""The bytes with which recordings begin: to find one that was joined behind another of any kind.

Each is long enough, or checked closely enough, that it does not occur by chance within the pictures of another.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

EBML = bytes.fromhex("1A45DFA3")
MP4_HEAD_BYTES = range(12, 257)
"""Lengths of the first box of an MP4 file: its kind, version and a list of brands."""
TS_LAYOUTS = ((188, 0), (192, 4), (204, 0))
"""Bytes per packet of MPEG-TS and where its 188 begin: plain, with an arrival time before it, with a checksum after."""
TS_SYNC = 0x47
TS_IN_A_ROW = 5
"""Packets that must follow each other: one in 256 bytes is a sync byte by chance."""


def ts_layout(content: bytes | mmap.mmap, at: int) -> tuple[int, int] | None:
    """Return bytes per packet and before its sync byte where packets of MPEG-TS follow each other from `at` on."""
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


SIGNS: tuple[tuple[bytes, int, Callable[[mmap.mmap, int], bool]], ...] = (
    (b"ftyp", 4, _is_mp4),
    (EBML, 0, _is_matroska),
    (b"RIFF", 0, _is_avi),
    (b"FLV\x01", 0, _is_flv),
    (bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C"), 0, lambda _content, _at: True),  # ASF, WMV
    (b"DKIF\0\0\x20\0", 0, lambda _content, _at: True),  # IVF
    (b"\x47\x40\0", 0, _is_ts),  # the first packet of a recording lists its programs, or its tables begin it
    (b"\x47\x40\x11", 0, _is_ts),
    (b"\x47\x40\0", 4, _is_ts),
    (b"\x47\x40\x11", 4, _is_ts),
)
"""Bytes to look for, how far they lie behind the beginning, and a closer look at what begins there."""


class Begins:
    """Finds where recordings begin in a file, each place at most once, so that many are found in one pass.

    Args:
        content: of the file.
    """

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._next = dict.fromkeys(range(len(SIGNS)), -1)

    def next(self, begin: int) -> int:
        """Return the first place from `begin` on; the file's end where there is none. `begin` may only rise."""
        return min(self._next_of(number, begin) for number in self._next)

    def _next_of(self, number: int, begin: int) -> int:
        sign, lead, is_one = SIGNS[number]
        while self._next[number] < begin:
            found = self._content.find(sign, max(begin, self._next[number] + 1) + lead)
            at = found - lead if found >= 0 else len(self._content)
            if at < len(self._content) and not is_one(self._content, at):
                begin = at + 1
                continue
            self._next[number] = at
        return self._next[number]
