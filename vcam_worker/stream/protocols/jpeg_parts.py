"""JPEG pictures out of what a camera sends over HTTP. Pure.

Pictures are found by their own structure: from the start marker through the segments to the end marker. Boundaries and
lengths are not believed, as cameras announce one boundary and send another, none before the first picture, or lengths
that do not fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared_utils.media.bitstream.jpeg_header import EOI, SOI, SOS, WITHOUT_LENGTH

MAX_PICTURE_BYTES = 32 * 1024 * 1024
"""Bytes of one picture, and of what may stand between two; 8K at the best quality has half as much."""

_MAX_FALSE_STARTS = 10_000
"""Start markers that no picture follows, before there is one: each costs more time than other bytes do."""

_START = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""A marker inside of coded data that is neither a stuffed byte nor a restart."""
_PADDING = re.compile(rb"\xff+")
_TYPE = re.compile(rb"content-type:\s*([^\s;]+)", re.I)
_OTHER_KINDS = (b"audio/", b"text/")
"""Parts that are no pictures, whatever bytes they happen to hold."""
_HEAD_BYTES = 4096
"""How far back before a picture its headers are looked for."""
_BOUNDARY = re.compile(rb"\r?\n--[^\r\n]*\r?\n(?:[^\r\n]*\r?\n)*[^\r\n]*$")


class NoPictureError(Exception):
    """So much came without a whole picture that there will be none."""


class JpegParts:
    """Splits a byte stream into JPEG pictures."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False  # the buffer begins with a picture
        self._at = 0  # how far it has been looked through
        self._coded = False  # that is inside of coded data
        self._was_coded = False  # there has been some
        self._skipped = 0
        self._false_starts = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield each picture that is whole.

        Raises:
            NoPictureError: there is no end to what is no picture.
        """
        self._buffer += data
        while True:
            if not self._begun and not self._find_start():
                break
            end = self._find_end()
            if end is None:
                break
            picture = bytes(self._buffer[:end])
            self._drop(end)
            if picture:
                self._skipped = self._false_starts = 0
                yield picture
        if len(self._buffer) + self._skipped > MAX_PICTURE_BYTES:
            raise NoPictureError

    def rest(self) -> bytes | None:
        """Return the last picture where it has no end marker, as the stream is over; None without one."""
        if not self._begun or not self._was_coded:
            return None
        return _without_boundary(bytes(self._buffer))

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._begun = self._coded = self._was_coded = False
        self._at = 0

    def _find_start(self) -> bool:
        while True:
            start = self._buffer.find(_START, self._at)
            if start < 0:
                break
            kinds = _TYPE.findall(self._buffer[max(0, start - _HEAD_BYTES) : start])
            if not kinds or not kinds[-1].lower().startswith(_OTHER_KINDS):
                self._drop(start)
                self._begun, self._at = True, 2
                return True
            self._at = start + len(_START)
        keep = min(len(self._buffer), _HEAD_BYTES)
        self._skipped += len(self._buffer) - keep
        self._drop(len(self._buffer) - keep)
        self._at = max(0, keep - len(_START) + 1)
        return False

    def _find_end(self) -> int | None:
        """Return where the picture that the buffer begins with ends; None as long as that is not known.

        Bytes that are no picture after all end at once, with nothing.
        """
        while True:
            if self._coded and not self._pass_coded():
                return None
            if self._at + 2 > len(self._buffer):
                return None
            marker = self._buffer[self._at + 1] if self._buffer[self._at] == 0xFF else 0
            if marker == EOI:
                return self._at + 2
            if marker == SOI and self._was_coded:  # the next picture: this one has lost its end
                return self._cut(self._at)
            if marker in {0x00, SOI}:
                return self._restart()
            if not self._pass_segment(marker):
                return None

    def _pass_coded(self) -> bool:
        """Go to the next marker in coded data; tell whether there is one yet."""
        match = _MARKER.search(self._buffer, self._at)
        if match is None:
            self._at = max(self._at, len(self._buffer) - 1)
            return False
        self._at = match.end() - 2
        self._coded = False
        return True

    def _pass_segment(self, marker: int) -> bool:
        """Go behind a marker and what belongs to it; tell whether all of that is there yet."""
        if marker == 0xFF:
            padding = _PADDING.match(self._buffer, self._at)
            self._at = padding.end() - 1 if padding else self._at + 1
            return self._at + 1 < len(self._buffer)
        length = 2
        if marker not in WITHOUT_LENGTH:
            if self._at + 4 > len(self._buffer):
                return False
            length += self._buffer[self._at + 2] << 8 | self._buffer[self._at + 3]
            if self._at + length > len(self._buffer):
                return False
        self._at += length
        self._coded = marker == SOS
        self._was_coded = self._was_coded or self._coded
        return True

    def _cut(self, end: int) -> int:
        """Take the picture up to the next one's start, and what stands between out of the buffer."""
        picture = _without_boundary(bytes(self._buffer[:end]))
        between = end - len(picture)
        del self._buffer[len(picture) : len(picture) + between]
        return len(picture)

    def _restart(self) -> int:
        """Go on behind a start marker that no picture follows."""
        self._false_starts += 1
        if self._false_starts > _MAX_FALSE_STARTS:
            raise NoPictureError
        self._skipped += 2
        del self._buffer[:2]
        self._begun = self._coded = self._was_coded = False
        self._at = 0
        return 0


def _without_boundary(data: bytes) -> bytes:
    """Return `data` without the boundary and headers of the next part at its end."""
    tail = max(0, len(data) - _HEAD_BYTES)
    match = _BOUNDARY.search(data, tail)
    return data[: match.start()] if match else data
