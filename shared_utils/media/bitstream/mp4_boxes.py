"""Headers of MP4 boxes (ISO/IEC 14496-12, 4.2): type and size."""

from __future__ import annotations

from dataclasses import dataclass

MAX_HEADER_BYTES = 16
"""Of a box with a 64-bit size."""
_HEADER_BYTES = 8


@dataclass(frozen=True)
class BoxHeader:
    """The header of a box.

    Attributes:
        kind: four characters, such as ``moov``.
        header_bytes: 8, or 16 where the size has 64 bits.
        size: bytes of the whole box with its header; None if it extends to the end of its container.
    """

    kind: bytes
    header_bytes: int
    size: int | None


def read_box_header(head: bytes) -> BoxHeader:
    """Return the header that `head` begins with.

    Args:
        head: the first 16 bytes of the box; fewer at the end of a file.

    Raises:
        ValueError: it is cut short, or names a size smaller than itself.
    """
    if len(head) < _HEADER_BYTES:
        raise ValueError("a box header is cut short")
    size, kind, header_bytes = int.from_bytes(head[:4]), head[4:8], _HEADER_BYTES
    if size == 0:
        return BoxHeader(kind, header_bytes, None)
    if size == 1:
        if len(head) < MAX_HEADER_BYTES:
            raise ValueError("a box header is cut short")
        size, header_bytes = int.from_bytes(head[8:16]), MAX_HEADER_BYTES
    if size < header_bytes:
        raise ValueError("a box is smaller than its header")
    return BoxHeader(kind, header_bytes, size)
