"""Warp a four-cornered part of a picture to an upright rectangle, by OpenCV, such as a display seen from the side.

Corners are (x, y) in 0..1 of the picture's width and height, (0, 0) at its upper left and (1, 1) at its lower right
edge. They go clockwise from the corner that becomes the rectangle's upper left one. They may lie a little outside the
picture; the picture's edge pixels are repeated there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture

Corners = Sequence[Sequence[float]]
"""Four points (x, y) in 0..1, clockwise from the rectangle's upper left corner."""

MAX_OUTSIDE = 1.0
"""How far corners may lie outside the picture, in widths and heights of it: zones that follow a camera that moved."""
MAX_SIDE_PX = 8192
"""Longest side of a rectangle."""
MIN_TURN = 1e-9
"""Least cross product of two sides in 0..1: below it, three corners lie on a line."""


class Warp:
    """The warp of one zone, prepared for pictures of one size.

    Args:
        corners: of the zone; see :data:`Corners`.
        picture_size: width and height in pixels of the pictures to come.
        size: width and height in pixels of the rectangle; None for full resolution (see :func:`rectangle_size`).

    Attributes:
        size: width and height in pixels of the rectangle.

    Raises:
        ValueError: the corners are not four finite points that form a convex shape in clockwise order.
    """

    def __init__(self, corners: Corners, picture_size: tuple[int, int], size: tuple[int, int] | None = None) -> None:
        self._picture_size = picture_size
        self._full = rectangle_size(corners, picture_size)
        self.size = size or self._full
        width, height = self._full
        self._source = _in_pixels(corners, picture_size)
        self._rectangle = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)

    def apply(self, picture: Picture) -> Picture:
        """Return the rectangle, height×width×3 (or height×width for a grey picture), uint8.

        Args:
            picture: height×width×3 or height×width, uint8, of the size that the warp was prepared for.

        Raises:
            ValueError: the picture has another size.
        """
        if (picture.shape[1], picture.shape[0]) != self._picture_size:
            raise ValueError(
                f"a picture of {picture.shape[1]}×{picture.shape[0]} where {self._picture_size} was expected"
            )
        flat = cv2.warpPerspective(
            picture, self._pixel_matrix, self._full, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if self.size != self._full:
            smaller = self.size[0] < self._full[0]
            flat = cv2.resize(flat, self.size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
        return np.asarray(flat, np.uint8)

    def to_picture(self, points: Sequence[Sequence[float]]) -> NDArray[np.float32]:
        """Return where points of the rectangle lie in the picture.

        Args:
            points: (x, y) in pixels of the rectangle, such as the corners of a text line found in it.

        Returns:
            N×2, pixels of the picture.
        """
        scale = np.array(self._full, np.float32) / np.array(self.size, np.float32)
        placed = np.asarray(np.asarray(points, np.float32).reshape(-1, 1, 2) * scale, np.float32)
        matrix = cv2.getPerspectiveTransform(self._rectangle, self._source)
        return np.asarray(cv2.perspectiveTransform(placed, matrix), np.float32).reshape(-1, 2)

    @cached_property
    def _pixel_matrix(self) -> NDArray[np.float64]:
        # OpenCV counts from the middle of the first pixel, corners from its outer edge
        half = np.float32(0.5)
        return np.asarray(cv2.getPerspectiveTransform(self._source - half, self._rectangle - half), np.float64)


def warp(picture: Picture, corners: Corners, size: tuple[int, int] | None = None) -> Picture:
    """Return the part of `picture` within four corners as an upright rectangle; see :class:`Warp` for many pictures.

    Args:
        picture: height×width×3 or height×width, uint8.
        corners: see :data:`Corners`.
        size: width and height in pixels of the result; None for full resolution.

    Raises:
        ValueError: the corners are not four finite points that form a convex shape in clockwise order.
    """
    return Warp(corners, (picture.shape[1], picture.shape[0]), size).apply(picture)


def rectangle_size(corners: Corners, picture_size: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height in pixels at which a warp loses nothing: the longer of each two opposite sides.

    Args:
        corners: see :data:`Corners`.
        picture_size: the picture's width and height in pixels.

    Raises:
        ValueError: the corners are not four finite points that form a convex shape in clockwise order.
    """
    _check(corners)
    top_left, top_right, bottom_right, bottom_left = _in_pixels(corners, picture_size)
    width = max(_length(top_left, top_right), _length(bottom_left, bottom_right))
    height = max(_length(top_left, bottom_left), _length(top_right, bottom_right))
    return min(max(1, round(width)), MAX_SIDE_PX), min(max(1, round(height)), MAX_SIDE_PX)


def clockwise(points: Corners) -> list[tuple[float, float]]:
    """Return four corners in the order that :data:`Corners` requires, whatever order they were drawn in.

    The first one is the one nearest to the picture's upper left corner. That is right for what stands upright; a zone
    that is to be read in another direction needs its corners given in order.

    Raises:
        ValueError: they are not four finite points that form a convex shape.
    """
    _check_points(points)
    middle_x, middle_y = (sum(point[axis] for point in points) / 4 for axis in (0, 1))
    corners = [(float(x), float(y)) for x, y in points]
    around = sorted(corners, key=lambda corner: math.atan2(corner[1] - middle_y, corner[0] - middle_x))
    first = min(range(4), key=lambda number: sum(around[number]))
    ordered = around[first:] + around[:first]
    _check(ordered)
    return ordered


def _check_points(points: Corners) -> None:
    if len(points) != 4 or any(len(point) != 2 for point in points):
        raise ValueError("four corners (x, y) were expected")
    if not all(-MAX_OUTSIDE <= value <= 1 + MAX_OUTSIDE for point in points for value in point):  # NaN neither
        raise ValueError("a corner lies far outside the picture, or is no number")


def _check(corners: Corners) -> None:
    _check_points(corners)
    sides = [(bx - ax, by - ay) for (ax, ay), (bx, by) in pairwise([*corners, corners[0]])]
    # y points down, so that a clockwise shape turns to the positive side at each corner
    turns = [ax * by - ay * bx for (ax, ay), (bx, by) in pairwise([*sides, sides[0]])]
    if not all(turn > MIN_TURN for turn in turns):
        raise ValueError("the corners must form a convex shape, clockwise from the upper left one")


def _in_pixels(corners: Corners, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(corners, np.float32) * np.array(size, np.float32)


def _length(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.hypot(*(other - one)))
