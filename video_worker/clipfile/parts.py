"""Where one recording ends in a file and another begins, in files that were joined byte by byte.

A demuxer reads the first recording of such a file and passes over the rest, or takes it for the same streams: of MP4,
Matroska and AVI files the second one is never seen; of MPEG-TS it is, but with the codecs of the first.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

TS_PACKET = 188
TS_SYNC = 0x47
MAX_PARTS = 1000
"""Recordings in one file that are told apart; a forged file may name any number."""
EBML = bytes.fromhex("1A45DFA3")
SEGMENT = bytes.fromhex("18538067")
MAX_CHUNKS = 100_000
"""Chunks looked at; a forged file may hold any number."""


@dataclass(frozen=True)
class Part:
    """Bytes `begin` to `end` of a file."""

    begin: int
    end: int


def find_parts(path: Path) -> list[Part]:
    """Return the recordings in the file at `path`, at least one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = [0, *islice(_later_begins(file, size), MAX_PARTS)]
    return [Part(begin, end) for begin, end in zip(begins, [*begins[1:], size], strict=True)]


def is_whole(path: Path) -> bool:
    """Tell whether a file ends where its own index says: it is not being written, nor cut short."""
    size = path.stat().st_size
    with path.open("rb") as file:
        chunks = list(islice(_chunks(file, size), MAX_CHUNKS))
    kinds = {kind for kind, _, _ in chunks}
    if b"ftyp" in kinds and (b"moov" not in kinds or b"moof" in kinds):  # fragments may go on without end
        return False
    return bool(chunks) and chunks[-1][2] == size


def _later_begins(file: BinaryIO, size: int) -> Iterator[int]:
    head = file.read(TS_PACKET + 1)
    if len(head) > TS_PACKET and head[0] == head[TS_PACKET] == TS_SYNC:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield from _ts_begins(content)
    movie = False
    for kind, begin, _ in _chunks(file, size):
        if (begin and kind in {EBML, b"AVI "}) or (kind == b"ftyp" and movie):
            yield begin
            movie = False
        movie = movie or kind == b"moov"


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of each outermost chunk of an MP4, Matroska or AVI file."""
    file.seek(0)
    head = file.read(12)
    readers = {b"ftyp": (head[4:8], _mp4_chunk), EBML: (head[:4], _matroska_chunk), b"AVI ": (head[8:12], _avi_chunk)}
    read = next((reader for kind, (told, reader) in readers.items() if kind == told), None)
    at = 0
    while read is not None and at < size:
        file.seek(at)
        found = read(file)
        if found is None:
            return
        kind, length = found
        yield kind, at, at + length
        at += length


def _mp4_chunk(file: BinaryIO) -> tuple[bytes, int] | None:
    head = file.read(16)
    length, kind = int.from_bytes(head[:4]), head[4:8]
    if length == 1:
        length = int.from_bytes(head[8:16])
    return (kind, length) if length >= 8 and kind.isalnum() else None


def _matroska_chunk(file: BinaryIO) -> tuple[bytes, int] | None:
    kind, first = file.read(4), file.read(1)
    if kind not in {EBML, SEGMENT} or not first or not first[0]:
        return None
    count = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(count - 1)) & ((1 << 7 * count) - 1)
    unknown = value == (1 << 7 * count) - 1  # as in live streams
    return None if unknown else (kind, 4 + count + value)


def _avi_chunk(file: BinaryIO) -> tuple[bytes, int] | None:
    head = file.read(12)
    length = int.from_bytes(head[4:8], "little")
    return (head[8:12], 8 + length + length % 2) if head[:4] == b"RIFF" else None


def _ts_begins(content: mmap.mmap) -> Iterator[int]:
    """Yield where a program is announced whose streams are others than those before."""
    programs: dict[int, bytes] = {}
    association, at = -1, 0
    while 0 <= at <= len(content) - TS_PACKET:
        if content[at] != TS_SYNC:  # the part before was cut within a packet
            at = _resynchronised(content, at)
            continue
        number = (content[at + 1] & 0x1F) << 8 | content[at + 2]
        if number == 0 or number in programs:
            section = _section(content[at : at + TS_PACKET])
            if number == 0 and section[:1] == b"\x00":
                association = at
                programs = {pid: programs.get(pid, b"") for pid in _program_maps(section)} | programs
            elif section[:1] == b"\x02":
                streams = _streams(section)
                if programs[number] and streams != programs[number]:
                    yield association
                    programs = {}
                programs[number] = streams
        at += TS_PACKET


def _resynchronised(content: mmap.mmap, at: int) -> int:
    while True:
        at = content.find(bytes([TS_SYNC]), at + 1)
        if at < 0 or at + TS_PACKET >= len(content) or content[at + TS_PACKET] == TS_SYNC:
            return at


def _section(packet: bytes) -> bytes:
    """Return the section that begins in a packet; nothing where none does."""
    if not packet[1] & 0x40 or not packet[3] & 0x10:
        return b""
    at = 4 + (packet[4] + 1 if packet[3] & 0x20 else 0)
    if at >= len(packet):
        return b""
    return packet[at + 1 + packet[at] :]


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


class PartFile(io.RawIOBase):
    """A part of a file as a file of its own.

    Args:
        path: the file.
        part: which bytes.
    """

    def __init__(self, path: Path, part: Part) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        """Can be read."""
        return True

    def seekable(self) -> bool:
        """Can be sought in."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._part.end - self._part.begin}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return where we are."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer` and return how many bytes."""
        self._file.seek(self._part.begin + self._at)
        content = self._file.read(max(0, min(len(buffer), self._part.end - self._part.begin - self._at)))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
