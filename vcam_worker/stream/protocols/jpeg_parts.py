"""Splits what a camera sends over HTTP into JPEG pictures. Pure.

Pictures are found by their own structure (ITU-T T.81, Annex B): from the start marker through the segments to the end
marker. Multipart boundaries and lengths are ignored, as cameras announce one boundary and send another, send none
before the first picture, or state wrong lengths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared_utils.media.bitstream.jpeg_header import EOI, SOI, SOS, WITHOUT_LENGTH

MAX_PICTURE_BYTES = 32 * 1024 * 1024
"""Most bytes of one picture, and between two; 8K at the best quality takes half of that."""

_MAX_FALSE_STARTS = 10_000
"""Start markers without a picture before the first one: each costs more time than other bytes."""

_START = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""A marker inside coded data that is neither a stuffed byte nor a restart."""
_PADDING = re.compile(rb"\xff+")
_TYPE = re.compile(rb"content-type:\s*([^\s;]+)", re.I)
_OTHER_KINDS = (b"audio/", b"text/")
"""Content types of parts that are no pictures, whatever bytes they contain."""
_HEAD_BYTES = 4096
"""How far back before a picture its headers are searched for."""
_BOUNDARY = re.compile(rb"\r?\n--[^\r\n]*\r?\n(?:[^\r\n]*\r?\n)*[^\r\n]*$")


class NoPictureError(Exception):
    """So much was received without a complete picture that there will be none."""


class JpegParts:
    """Splits a byte stream into JPEG pictures."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False  # the buffer begins with a start marker
        self._at = 0  # position up to which the buffer has been parsed
        self._coded = False  # that position is inside coded data
        self._was_coded = False  # coded data has been seen
        self._skipped = 0
        self._false_starts = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield each complete picture.

        Raises:
            NoPictureError: too much was received without a picture.
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
        """Return the last picture at the end of the stream, where it lacks an end marker; None without one."""
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
        """Return where the picture at the start of the buffer ends; None while that is unknown, 0 if it is none."""
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
        """Advance to the next marker in coded data; return whether there is one yet."""
        match = _MARKER.search(self._buffer, self._at)
        if match is None:
            self._at = max(self._at, len(self._buffer) - 1)
            return False
        self._at = match.end() - 2
        self._coded = False
        return True

    def _pass_segment(self, marker: int) -> bool:
        """Advance past a marker and its segment; return whether all of it is there yet."""
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
        """End the picture before the next one's start, and drop the bytes between them."""
        picture = _without_boundary(bytes(self._buffer[:end]))
        between = end - len(picture)
        del self._buffer[len(picture) : len(picture) + between]
        return len(picture)

    def _restart(self) -> int:
        """Continue after a start marker that no picture follows."""
        self._false_starts += 1
        if self._false_starts > _MAX_FALSE_STARTS:
            raise NoPictureError
        self._skipped += 2
        del self._buffer[:2]
        self._begun = self._coded = self._was_coded = False
        self._at = 0
        return 0


def _without_boundary(data: bytes) -> bytes:
    """Return `data` without a trailing boundary and headers of the next part."""
    tail = max(0, len(data) - _HEAD_BYTES)
    match = _BOUNDARY.search(data, tail)
    return data[: match.start()] if match else data
