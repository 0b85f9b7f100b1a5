"""How decoded frames are to be shown: display matrices, pixels that are not square, one size for the whole clip."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from shared_utils.media.picture import Picture

MATRIX_BYTES = 36
"""Of a display matrix: nine numbers of 32 bits (ISO/IEC 14496-12, 6.2.2)."""
EXACT = 0.02
"""Share of the other direction that a matrix may have and still be a plain one: 1.1 degrees."""
MAX_SQUEEZE = 5
"""Pixels wider or higher than this many times are no pixels of a camera: 352×576 for 16:9 is 2.9."""


@dataclass(frozen=True)
class Orientation:
    """A turn by quarters and a mirroring: first the picture's axes are swapped, then it is flipped.

    Attributes:
        swapped: rows become columns.
        flip_x: left and right are exchanged.
        flip_y: top and bottom are.
        exact: the file asks for just this; where not, for an angle between, of which this is the nearest.
    """

    swapped: bool = False
    flip_x: bool = False
    flip_y: bool = False
    exact: bool = True

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Return what a display matrix asks for, in native byte order as FFmpeg gives it; upright for one of zeros."""
        if len(matrix) < MATRIX_BYTES:
            return cls()
        a, b, _, c, d = struct.unpack("=5i", matrix[:20])
        plain, crossed = abs(a) + abs(d), abs(b) + abs(c)
        if not plain and not crossed:
            return cls()
        exact = min(plain, crossed) <= EXACT * max(plain, crossed)
        # a point (x, y) is shown at (ax + cy, bx + dy)
        if crossed > plain:
            return cls(swapped=True, flip_x=c < 0, flip_y=b < 0, exact=exact)
        return cls(flip_x=a < 0, flip_y=d < 0, exact=exact)

    def turned(self, picture: Picture) -> Picture:
        """Return `picture` as it is to be shown."""
        if self.swapped:
            picture = picture.transpose(1, 0, 2)
        if self.flip_x or self.flip_y:
            picture = picture[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.ascontiguousarray(picture)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of a picture of this size when it is turned."""
        return (height, width) if self.swapped else (width, height)


def sane_ratio(ratio: Fraction | None) -> Fraction | None:
    """Return a pixel's width by its height, None where there is none or it is absurd."""
    if ratio is None or ratio <= 0 or not Fraction(1, MAX_SQUEEZE) <= ratio <= MAX_SQUEEZE:
        return None
    return ratio


def stretched(width: int, height: int, ratio: Fraction, max_pixels: int) -> tuple[int, int]:
    """Return the size in square pixels: one side is lengthened, as players do, so that nothing is lost.

    Args:
        width: of the picture as it is coded.
        height: likewise.
        ratio: a pixel's width by its height.
        max_pixels: larger ones have the other side shortened instead.
    """
    wide = max(1, round(width * ratio)), height
    high = width, max(1, round(height / ratio))
    larger, smaller = (wide, high) if ratio >= 1 else (high, wide)
    return larger if larger[0] * larger[1] <= max_pixels else smaller
