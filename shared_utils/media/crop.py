"""Crop boxes out of pictures, with a margin, as they are or as squares. Pixel coordinates, by numpy slicing.

A box is (x1, y1, x2, y2) in pixels: x to the right, y down, the origin at the picture's upper left corner. Boxes may
reach beyond the picture; what is cropped never does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from shared_utils.media.picture import Picture

Area = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom are the first column and row behind the area."""


def crop(picture: Picture, box: Sequence[float], margin: float = 0.0) -> Picture:
    """Return the part of `picture` in `box`, at least one pixel of it.

    Args:
        picture: height×width×3, uint8.
        box: corners x1, y1, x2, y2 in pixels.
        margin: room on each side, as a share of the box's longer side.

    Returns:
        A view of `picture`, not a copy.

    Raises:
        ValueError: the box has a coordinate that is not finite, or lies outside the picture.
    """
    left, top, right, bottom = crop_area(box, _size(picture), margin)
    return picture[top:bottom, left:right]


def crop_square(picture: Picture, box: Sequence[float], margin: float = 0.0, min_side_px: int = 1) -> Picture:
    """Return a square part of `picture` around `box`; arguments as for :func:`square_area`, errors too.

    Returns:
        A view of `picture`, not a copy. It is not square where the picture itself is too narrow for that.
    """
    left, top, right, bottom = square_area(box, _size(picture), margin, min_side_px)
    return picture[top:bottom, left:right]


def crop_area(box: Sequence[float], size: tuple[int, int], margin: float = 0.0) -> Area:
    """Return the area of a box with its margin, cut off at the picture's edges.

    Args:
        box: corners x1, y1, x2, y2 in pixels. An empty box within the picture gives one pixel.
        size: the picture's width and height in pixels.
        margin: room on each side, as a share of the box's longer side.

    Raises:
        ValueError: the box has a coordinate that is not finite, or lies outside the picture.
    """
    x1, y1, x2, y2 = _checked(box, size)
    room = margin * max(x2 - x1, y2 - y1)
    left, right = _clamped(x1 - room, x2 + room, size[0])
    top, bottom = _clamped(y1 - room, y2 + room, size[1])
    return left, top, right, bottom


def square_area(box: Sequence[float], size: tuple[int, int], margin: float = 0.0, min_side_px: int = 1) -> Area:
    """Return a square area around a box: moved, not cut, where it would leave the picture.

    Where the picture has no room for the margin, the margin shrinks. A box longer than the picture's shorter side gives
    an area that is cut at the edges.

    Args:
        box: corners x1, y1, x2, y2 in pixels.
        size: the picture's width and height in pixels.
        margin: room on each side, as a share of the box's longer side.
        min_side_px: least side of the square.

    Raises:
        ValueError: the box has a coordinate that is not finite, or lies outside the picture.
    """
    x1, y1, x2, y2 = _checked(box, size)
    width, height = size
    longest = max(x2 - x1, y2 - y1)
    side = min(max(round(longest * (1 + 2 * margin)), min_side_px), max(round(longest), min(width, height)))
    left = min(max(0, round((x1 + x2 - side) / 2)), max(0, width - side))
    top = min(max(0, round((y1 + y2 - side) / 2)), max(0, height - side))
    return left, top, min(left + side, width), min(top + side, height)


def _size(picture: Picture) -> tuple[int, int]:
    height, width = picture.shape[:2]
    return width, height


def _checked(box: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise ValueError(f"a box has a coordinate that is not finite: {[x1, y1, x2, y2]}")
    x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    if x2 < 0 or y2 < 0 or x1 > size[0] or y1 > size[1]:
        raise ValueError(f"a box lies outside the picture of {size[0]}×{size[1]}: {[x1, y1, x2, y2]}")
    return x1, y1, x2, y2


def _clamped(begin: float, end: float, limit: int) -> tuple[int, int]:
    """Return whole pixels from `begin` to `end` within 0 to `limit`, at least one."""
    first = min(max(0, round(begin)), limit - 1)
    return first, min(max(first + 1, round(end)), limit)
