"""Bring decoded frames upright and into square pixels: display matrices and sample aspect ratios."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from shared_utils.media.picture import Picture

MATRIX_BYTES = 36
"""Size of a display matrix: nine numbers of 32 bits (ISO/IEC 14496-12, 6.2.2)."""
EXACT = 0.02
"""Deviation from a quarter turn up to which a matrix counts as one, as a ratio: 1.1 degrees."""
MAX_SQUEEZE = 5
"""Highest believable ratio of a pixel's sides; 352×576 displayed as 16:9 has 2.9."""


@dataclass(frozen=True)
class Orientation:
    """A rotation by quarter turns with optional mirroring: axes are swapped first, then flipped.

    Attributes:
        swapped: rows become columns.
        flip_x: left and right are exchanged.
        flip_y: top and bottom are exchanged.
        exact: False if the file asks for another angle, of which this is the nearest quarter turn.
    """

    swapped: bool = False
    flip_x: bool = False
    flip_y: bool = False
    exact: bool = True

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Return the orientation of a display matrix.

        Args:
            matrix: 36 bytes in native byte order (FFmpeg's AV_FRAME_DATA_DISPLAYMATRIX, libavutil/display.h). One that
                is too short or consists of zeros gives the upright orientation.
        """
        if len(matrix) < MATRIX_BYTES:
            return cls()
        a, b, _, c, d = struct.unpack("=5i", matrix[:20])
        plain, crossed = abs(a) + abs(d), abs(b) + abs(c)
        if not plain and not crossed:
            return cls()
        exact = min(plain, crossed) <= EXACT * max(plain, crossed)
        # a point (x, y) is displayed at (ax + cy, bx + dy)
        if crossed > plain:
            return cls(swapped=True, flip_x=c < 0, flip_y=b < 0, exact=exact)
        return cls(flip_x=a < 0, flip_y=d < 0, exact=exact)

    def apply(self, picture: Picture) -> Picture:
        """Return `picture` upright."""
        if self.swapped:
            picture = picture.transpose(1, 0, 2)
        if self.flip_x or self.flip_y:
            picture = picture[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.ascontiguousarray(picture)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of a picture of `width` and `height` when it is upright."""
        return (height, width) if self.swapped else (width, height)


def sane_ratio(ratio: Fraction | None) -> Fraction | None:
    """Return a pixel's ratio of width to height; None if it is missing or not believable."""
    if ratio is None or ratio <= 0 or not Fraction(1, MAX_SQUEEZE) <= ratio <= MAX_SQUEEZE:
        return None
    return ratio


def stretched(width: int, height: int, ratio: Fraction, max_pixels: int) -> tuple[int, int]:
    """Return the size of a picture in square pixels: one side is lengthened, so that no detail is lost.

    Args:
        width: coded width in pixels.
        height: coded height in pixels.
        ratio: a pixel's ratio of width to height.
        max_pixels: where lengthening exceeds this area, the other side is shortened instead.
    """
    wide = max(1, round(width * ratio)), height
    high = width, max(1, round(height / ratio))
    larger, smaller = (wide, high) if ratio >= 1 else (high, wide)
    return larger if larger[0] * larger[1] <= max_pixels else smaller
