"""Find the recordings in a file that was joined from several, byte by byte.

FFmpeg's demuxers read the first recording of such a file only (MP4, Matroska, AVI, FLV), or read all of them with the
codec parameters of the first (MPEG-TS).

The end of a recording is found by its own structure, where it has one. Where that ends before the file does, the next
recording is found by its signature (:mod:`shared_utils.media.clipfile.signatures`).
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared_utils.media.bitstream.mp4_boxes import read_box_header
from shared_utils.media.clipfile.signatures import EBML, RecordingFinder, ts_layout
from shared_utils.media.clipfile.ts import ts_end

MAX_PARTS = 1000
"""Most recordings found in one file; a forged file may contain any number."""
SEGMENT = bytes.fromhex("18538067")
"""Element ID of a Matroska segment (RFC 9559, 5.1)."""
MAX_CHUNKS = 5_000_000
"""Most chunks followed: a day in fragments of one frame has these; a forged file may contain any number."""
MAX_TS_PACKET_BYTES = 204
"""Of an MPEG-TS packet with its Reed-Solomon parity bytes."""
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """A recording in a file: bytes `begin` up to `end`.

    Attributes:
        parsed_end: where the recording ends by its own structure; the bytes behind it belong to no recording.
    """

    begin: int
    end: int
    parsed_end: int


def find_parts(path: Path) -> list[Part]:
    """Return the recordings in the file at `path`, at least one. The file must not be empty."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return list(_parts(content))


def is_whole(path: Path) -> bool:
    """Return whether a file ends where its own structure says: it is neither cut short nor still being written."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        ends = {kind: end for kind, _, end in _chunks(content, 0)}
        kinds = ends.keys()
        if b"ftyp" in kinds and (b"moov" not in kinds or b"moof" in kinds):  # more fragments may follow
            return False
        return max(ends.values(), default=0) == len(content)


def _parts(content: mmap.mmap) -> Iterator[Part]:
    finder = RecordingFinder(content)
    begin = 0
    for number in range(1, MAX_PARTS + 1):
        # a copy out of a longer recording may begin within a packet
        places = range(begin, begin + MAX_TS_PACKET_BYTES)
        layout = next((found for at in places if (found := ts_layout(content, at))), None)
        if layout is not None:
            end, parsed_end = ts_end(content, begin, layout, finder.next)
        else:
            end, parsed_end = _end_of_chunks(content, begin, finder.next)
        if number == MAX_PARTS:
            end = len(content)
        yield Part(begin, end, end if _is_empty(content, parsed_end, end) else parsed_end)
        begin = end
        if begin >= len(content):
            return


def _end_of_chunks(content: mmap.mmap, begin: int, next_begin: Callable[[int], int]) -> tuple[int, int]:
    """Return where the next recording begins, and where the chunks of the one at `begin` end."""
    movie = False
    last, parsed_end = begin, len(content) + 1
    for kind, at, end in _chunks(content, begin):
        if at > begin and (kind in {EBML, b"AVI "} or (kind == b"ftyp" and movie)):
            return at, at
        movie = movie or kind == b"moov"
        last, parsed_end = at, end
    if parsed_end == len(content):
        return parsed_end, parsed_end
    # the last chunk may be cut short, so that the next recording begins within its announced length
    end = next_begin(last + 1)
    return end, min(parsed_end, end)


def _is_empty(content: mmap.mmap, begin: int, end: int) -> bool:
    """Return whether there are only zeros, as in files that were preallocated."""
    return not any(content[at : min(at + BLOCK_BYTES, end)].strip(b"\0") for at in range(begin, end, BLOCK_BYTES))


def _chunks(content: mmap.mmap, begin: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of each outermost chunk of an MP4, Matroska or AVI recording."""
    head = content[begin : begin + 12]
    readers = {b"ftyp": (head[4:8], _mp4_chunk), EBML: (head[:4], _matroska_chunk), b"AVI ": (head[8:12], _avi_chunk)}
    read = next((reader for kind, (found, reader) in readers.items() if kind == found), None)
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
    unknown = value == (1 << 7 * count) - 1  # unknown size, as in live streams (RFC 8794, 6.2)
    return kind, None if unknown else 4 + count + value


def _avi_chunk(head: bytes) -> tuple[bytes, int | None] | None:
    length = int.from_bytes(head[4:8], "little")
    return (head[8:12], 8 + length + length % 2) if head[:4] == b"RIFF" else None


class PartFile(io.RawIOBase):
    """A read-only file object over one recording of a file.

    Args:
        path: the file.
        part: the recording.
    """

    def __init__(self, path: Path, part: Part) -> None:
        super().__init__()
        self.name = str(path)
        self._file = path.open("rb")
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, counted from the recording's first byte, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._part.end - self._part.begin}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the current position."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into `buffer` and return the number of bytes read."""
        self._file.seek(self._part.begin + self._at)
        content = self._file.read(max(0, min(len(buffer), self._part.end - self._part.begin - self._at)))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
