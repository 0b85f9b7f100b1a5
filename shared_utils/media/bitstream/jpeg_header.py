"""The size of a JPEG picture, read from its frame header without decoding it (ITU-T T.81, Annex B)."""

from __future__ import annotations

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
"""Markers: start of image, end of image, start of scan."""
WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8), SOI})
"""Markers that no length follows: TEM, RST0 to RST7, SOI."""
FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of frame headers (SOFn), which hold the size. The three left out are DHT, JPG and DAC."""


def jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    """Return the width and height in pixels that a JPEG's frame header gives; None where it gives none.

    Args:
        jpeg: the picture from its SOI marker on.
    """
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker in FRAME_HEADERS:
            height, width = int.from_bytes(jpeg[at + 5 : at + 7]), int.from_bytes(jpeg[at + 7 : at + 9])
            return (width, height) if width and height else None
        if marker in {SOS, EOI}:
            return None
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return None
