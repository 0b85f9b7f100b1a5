"""Where a recording ends in MPEG-TS: where another program is announced, or the packets end."""

from __future__ import annotations

import mmap
from collections.abc import Callable

from shared_utils.media.clipfile.begins import TS_SYNC, ts_layout

PACKET = 188
CRC_POLYNOMIAL = 0x04C11DB7
"""Of the checksum of MPEG-2's tables (ISO/IEC 13818-1, annex A)."""


class _Programs:
    """What is announced: the tables of programs, and the streams of each.

    Attributes:
        listed_at: where the list of programs was seen last.
    """

    def __init__(self) -> None:
        self.listed_at = -1
        self._listed: frozenset[int] = frozenset()
        self._streams: dict[int, bytes] = {}

    def wants(self, number: int) -> bool:
        """Tell whether packets of this number announce something."""
        return number == 0 or number in self._listed

    def changed(self, at: int, number: int, section: bytes) -> bool:
        """Take an announcement over; tell whether another recording begins with it, at :attr:`listed_at`."""
        if number == 0 and section[:1] == b"\x00":
            listed = frozenset(_program_maps(section))
            if listed == self._listed:
                self.listed_at = at
            elif listed and _is_sound(section):
                self.listed_at = at
                if self._listed:
                    return True
                self._listed = listed
        elif number and section[:1] == b"\x02":
            streams = _streams(section)
            known = self._streams.setdefault(number, streams)
            return streams != known and _is_sound(section)
        return False


def ts_end(
    content: mmap.mmap, begin: int, layout: tuple[int, int], next_begin: Callable[[int], int]
) -> tuple[int, int]:
    """Return where what follows the recording of MPEG-TS begins that begins at `begin`, and where its packets end.

    Args:
        content: of the file.
        begin: where it begins.
        layout: bytes per packet, and those before its sync byte.
        next_begin: tells the first place from another one on where a recording of any kind begins.
    """
    size, lead = layout
    programs = _Programs()
    at = begin
    while at <= len(content) - lead - PACKET:
        sync = at + lead
        if content[sync] != TS_SYNC:  # a packet is cut, or the recording ends here
            found = _resynchronised(content, at, layout)
            other = next_begin(at - size + 1 if at > begin else at)
            if other == found == len(content):
                return found, at
            if other <= found and ts_layout(content, other) != layout:
                return other, other
            at = found
            continue
        number = (content[sync + 1] & 0x1F) << 8 | content[sync + 2]
        if programs.wants(number) and programs.changed(at, number, _section(content[sync : sync + PACKET])):
            return programs.listed_at, programs.listed_at
        at += size
    return len(content), len(content)


def _resynchronised(content: mmap.mmap, begin: int, layout: tuple[int, int]) -> int:
    lead = layout[1]
    at = begin
    while True:
        at = content.find(bytes([TS_SYNC]), at + lead + 1) - lead
        if at + lead < 0:
            return len(content)
        if ts_layout(content, at) == layout:
            return at


def _section(packet: bytes) -> bytes:
    """Return the section that begins in a packet; nothing where none does."""
    if not packet[1] & 0x40 or not packet[3] & 0x10:
        return b""
    at = 4 + (packet[4] + 1 if packet[3] & 0x20 else 0)
    if at >= len(packet):
        return b""
    return packet[at + 1 + packet[at] :]


def _is_sound(section: bytes) -> bool:
    """Tell whether a section is whole and its checksum agrees: a damaged one announces nothing."""
    length = (int.from_bytes(section[1:3]) & 0xFFF) + 3
    if length > len(section):
        return False
    rest = 0xFFFFFFFF
    for byte in section[:length]:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (CRC_POLYNOMIAL if rest & 0x80000000 else 0)) & 0xFFFFFFFF
    return rest == 0


def _program_maps(section: bytes) -> list[int]:
    length = int.from_bytes(section[1:3]) & 0xFFF
    entries = section[8 : max(8, length + 3 - 4)]
    return [
        int.from_bytes(entries[at + 2 : at + 4]) & 0x1FFF
        for at in range(0, len(entries) - 3, 4)
        if entries[at : at + 2] != b"\0\0"
    ]


def _streams(section: bytes) -> bytes:
    """Return kind and number of each stream that a program map lists."""
    length = int.from_bytes(section[1:3]) & 0xFFF
    at = 12 + (int.from_bytes(section[10:12]) & 0xFFF)
    found = b""
    while at + 5 <= min(len(section), length + 3 - 4):
        found += section[at : at + 3]
        at += 5 + (int.from_bytes(section[at + 3 : at + 5]) & 0xFFF)
    return found
