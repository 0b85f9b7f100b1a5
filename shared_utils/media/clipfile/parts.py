"""Where one recording ends in a file and another begins, in files that were joined byte by byte.

A demuxer reads the first recording of such a file and passes over the rest, or takes it for the same streams: of MP4,
Matroska, AVI and FLV files the second one is never seen; of MPEG-TS it is, but with the codecs of the first.

A recording is followed by its own structure where it has one. Where that ends before the file does, the next one is
found by the bytes with which recordings begin (:mod:`shared_utils.media.clipfile.begins`).
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared_utils.media.bitstream.mp4_boxes import read_box_header
from shared_utils.media.clipfile.begins import EBML, Begins, ts_layout
from shared_utils.media.clipfile.ts import ts_end

MAX_PARTS = 1000
"""Recordings in one file that are told apart; a forged file may name any number."""
SEGMENT = bytes.fromhex("18538067")
MAX_CHUNKS = 5_000_000
"""Chunks looked at: a day in fragments of a frame each has these; a forged file may hold any number."""
MAX_TS_PACKET = 204
"""Bytes of a packet of MPEG-TS, with what may come with it."""
BLOCK = 1 << 20
"""Bytes looked at once for anything but zeros."""


@dataclass(frozen=True)
class Part:
    """Bytes `begin` to `end` of a file.

    Attributes:
        understood: end of the recording where its own structure tells; what lies behind it is none's.
    """

    begin: int
    end: int
    understood: int


def find_parts(path: Path) -> list[Part]:
    """Return the recordings in the file at `path`, at least one. The file must not be empty."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return list(_parts(content))


def is_whole(path: Path) -> bool:
    """Tell whether a file ends where its own index says: it is not being written, nor cut short."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        ends = {kind: end for kind, _, end in _chunks(content, 0)}
        kinds = ends.keys()
        if b"ftyp" in kinds and (b"moov" not in kinds or b"moof" in kinds):  # fragments may go on without end
            return False
        return max(ends.values(), default=0) == len(content)


def _parts(content: mmap.mmap) -> Iterator[Part]:
    begins = Begins(content)
    begin = 0
    for number in range(1, MAX_PARTS + 1):
        # the first packet of a copy out of a longer recording may be cut
        places = range(begin, begin + MAX_TS_PACKET)
        layout = next((found for at in places if (found := ts_layout(content, at))), None)
        if layout is not None:
            end, understood = ts_end(content, begin, layout, begins.next)
        else:
            end, understood = _end_of_chunks(content, begin, begins.next)
        if number == MAX_PARTS:
            end = len(content)
        yield Part(begin, end, end if _is_empty(content, understood, end) else understood)
        begin = end
        if begin >= len(content):
            return


def _end_of_chunks(content: mmap.mmap, begin: int, next_begin: Callable[[int], int]) -> tuple[int, int]:
    """Return where the next recording begins, and where the chunks of the one at `begin` end."""
    movie = False
    last, understood = begin, len(content) + 1
    for kind, at, end in _chunks(content, begin):
        if at > begin and (kind in {EBML, b"AVI "} or (kind == b"ftyp" and movie)):
            return at, at
        movie = movie or kind == b"moov"
        last, understood = at, end
    if understood == len(content):
        return understood, understood
    # the last chunk may have been cut short, so that the next recording lies within its length
    end = next_begin(last + 1)
    return end, min(understood, end)


def _is_empty(content: mmap.mmap, begin: int, end: int) -> bool:
    """Tell whether there is nothing but zeros, as in files whose room was reserved beforehand."""
    return not any(content[at : min(at + BLOCK, end)].strip(b"\0") for at in range(begin, end, BLOCK))


def _chunks(content: mmap.mmap, begin: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of each outermost chunk of an MP4, Matroska or AVI recording."""
    head = content[begin : begin + 12]
    readers = {b"ftyp": (head[4:8], _mp4_chunk), EBML: (head[:4], _matroska_chunk), b"AVI ": (head[8:12], _avi_chunk)}
    read = next((reader for kind, (told, reader) in readers.items() if kind == told), None)
    at = begin
    for _ in range(MAX_CHUNKS):
        found = read(content[at : at + 16]) if read is not None and at < len(content) else None
        if found is None:
            return
        kind, length = found
        end = at + length if length is not None else len(content) + 1
        yield kind, at, end
        at = end


def _mp4_chunk(head: bytes) -> tuple[bytes, int | None] | None:
    try:
        header = read_box_header(head)
    except ValueError:
        return None
    if header.size is None:  # up to the end of the file
        return (header.kind, None) if header.kind == b"mdat" else None
    return (header.kind, header.size) if header.kind.replace(b" ", b"").isalnum() else None


def _matroska_chunk(head: bytes) -> tuple[bytes, int | None] | None:
    kind, first = head[:4], head[4:5]
    if kind not in {EBML, SEGMENT} or not first or not first[0]:
        return None
    count = 9 - first[0].bit_length()
    value = int.from_bytes(head[4 : 4 + count]) & ((1 << 7 * count) - 1)
    unknown = value == (1 << 7 * count) - 1  # as in live streams
    return kind, None if unknown else 4 + count + value


def _avi_chunk(head: bytes) -> tuple[bytes, int | None] | None:
    length = int.from_bytes(head[4:8], "little")
    return (head[8:12], 8 + length + length % 2) if head[:4] == b"RIFF" else None


class PartFile(io.RawIOBase):
    """A part of a file as a file of its own.

    Args:
        path: the file.
        part: which bytes.
    """

    def __init__(self, path: Path, part: Part) -> None:
        super().__init__()
        self.name = str(path)
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
