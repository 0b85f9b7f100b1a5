"""Find the end of a recording in MPEG-TS: where its packets end, or its tables announce other streams."""

from __future__ import annotations

import mmap
from collections.abc import Callable

from shared_utils.media.clipfile.signatures import TS_SYNC, ts_layout

PACKET_BYTES = 188
CRC_POLYNOMIAL = 0x04C11DB7
"""Of CRC_32 in the tables (ISO/IEC 13818-1, annex A)."""


class _Programs:
    """The tables of a recording: its list of programs (PAT), and the streams of each (PMT; ISO/IEC 13818-1, 2.4.4).

    Attributes:
        listed_at: position of the last PAT.
    """

    def __init__(self) -> None:
        self.listed_at = -1
        self._listed: frozenset[int] = frozenset()
        self._streams: dict[int, bytes] = {}

    def is_table(self, pid: int) -> bool:
        """Return whether packets of this PID contain a table."""
        return pid == 0 or pid in self._listed

    def changed(self, at: int, pid: int, section: bytes) -> bool:
        """Take a table; return whether another recording begins with it, at :attr:`listed_at`."""
        if pid == 0 and section[:1] == b"\x00":
            listed = frozenset(_program_maps(section))
            if listed == self._listed:
                self.listed_at = at
            elif listed and _is_sound(section):
                self.listed_at = at
                if self._listed:
                    return True
                self._listed = listed
        elif pid and section[:1] == b"\x02":
            streams = _streams(section)
            known = self._streams.setdefault(pid, streams)
            return streams != known and _is_sound(section)
        return False


def ts_end(
    content: mmap.mmap, begin: int, layout: tuple[int, int], next_begin: Callable[[int], int]
) -> tuple[int, int]:
    """Return where the bytes that follow an MPEG-TS recording begin, and where the recording's own packets end.

    Args:
        content: the file's content.
        begin: position of the recording.
        layout: bytes per packet, and offset of its sync byte.
        next_begin: returns the first beginning of a recording of any format at or after a position.
    """
    size, lead = layout
    programs = _Programs()
    at = begin
    while at <= len(content) - lead - PACKET_BYTES:
        sync = at + lead
        if content[sync] != TS_SYNC:  # a packet is damaged, or the recording ends here
            found = _resynchronised(content, at, layout)
            other = next_begin(at - size + 1 if at > begin else at)
            if other == found == len(content):
                return found, at
            if other <= found and ts_layout(content, other) != layout:
                return other, other
            at = found
            continue
        pid = (content[sync + 1] & 0x1F) << 8 | content[sync + 2]
        if programs.is_table(pid) and programs.changed(at, pid, _section(content[sync : sync + PACKET_BYTES])):
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
    """Return the table section that begins in a packet; empty if none does (ISO/IEC 13818-1, 2.4.4.1)."""
    if not packet[1] & 0x40 or not packet[3] & 0x10:
        return b""
    at = 4 + (packet[4] + 1 if packet[3] & 0x20 else 0)
    if at >= len(packet):
        return b""
    return packet[at + 1 + packet[at] :]


def _is_sound(section: bytes) -> bool:
    """Return whether a section is complete and its checksum is right; damaged ones are ignored."""
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
    """Return the PIDs of the PMTs that a PAT lists."""
    length = int.from_bytes(section[1:3]) & 0xFFF
    entries = section[8 : max(8, length + 3 - 4)]
    return [
        int.from_bytes(entries[at + 2 : at + 4]) & 0x1FFF
        for at in range(0, len(entries) - 3, 4)
        if entries[at : at + 2] != b"\0\0"
    ]


def _streams(section: bytes) -> bytes:
    """Return stream_type and PID of each stream in a PMT."""
    length = int.from_bytes(section[1:3]) & 0xFFF
    at = 12 + (int.from_bytes(section[10:12]) & 0xFFF)
    found = b""
    while at + 5 <= min(len(section), length + 3 - 4):
        found += section[at : at + 3]
        at += 5 + (int.from_bytes(section[at + 3 : at + 5]) & 0xFFF)
    return found
