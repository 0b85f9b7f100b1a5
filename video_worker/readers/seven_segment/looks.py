"""The looks at a zone: what the network is shown, and where it says that the row of digits is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]
Grey = NDArray[np.uint8]
Corners = NDArray[np.floating[Any]]
"""4×2: x and y of the upper left, upper right, lower right and lower left corner."""

HEIGHT = 48
"""Height of what the network is shown, in pixels."""
STRIDE = 4
"""Pixels per column of what the network says."""
STEP = 16
"""Widths are multiples of this: the network would not see the rest of a column."""
NARROWEST, WIDEST = 32, 320
EVENNESS = 4.0
"""Added to the deviation of a crop's values, so that the noise of an empty one is not blown up to a pattern."""
ROOMS = ((0.16, 0.3), (0.08, 0.2))
"""Room above and below the row of digits, and beside it, in heights of a digit, at the looks from close. Two looks say
more than one: what one of them takes for a point, such as the foot of a letter, the other leaves out."""
WIDE = (0.16, 0.7)
"""Room at the look that finds the ends of the row again: a 1 at the right end stands far from the digit before it, and
in the whole zone it is easily taken for the frame."""
LOWEST = 0.12
"""Share of the crop's height below which what was found is no row of digits."""
FINEST = 80
"""Height of a digit, in pixels, to which large pictures are reduced first: taking single points out of many would
make edges ragged."""


def grey_of(picture: Grey) -> Grey:
    """Return a picture of blue, green and red in grey, all colours alike: a red digit is as bright as a green one."""
    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32)), np.uint8)


def normalised(grey: Grey) -> Plane:
    """Return a crop's values around 0 with a deviation of about 1, whatever its brightness and contrast."""
    plane = grey.astype(np.float32)
    plane -= plane.mean()
    plane /= plane.std() + EVENNESS
    return plane


def width_for(proportion: float) -> int:
    """Return the width of a crop for a zone that is so many times as wide as high."""
    return min(max(round(proportion * HEIGHT / STEP) * STEP, NARROWEST), WIDEST)


def whole(grey: Grey) -> Grey:
    """Return all of a zone as the network takes it."""
    height, width = grey.shape
    size = width_for(width / height), HEIGHT
    way = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, interpolation=way), np.uint8)


def row(there: Plane, upper: Plane, lower: Plane) -> Corners | None:
    """Return where the row of digits is in a crop, or None where there is none.

    Args:
        there: by column, how probable it is that the row passes, 0..1.
        upper: by column, its upper edge as a share of the crop's height.
        lower: its lower edge.
    """
    found = np.flatnonzero(there > 0.5)
    if not len(found):
        return None
    middles = (found + 0.5) * STRIDE
    left, right = middles[0] - STRIDE / 2, middles[-1] + STRIDE / 2
    ends = np.array([left, right])
    edges = [_line(middles, edge[found] * HEIGHT, ends) for edge in (upper, lower)]
    if (edges[1] - edges[0]).min() < LOWEST * HEIGHT:
        return None
    (a, b), (d, c) = edges
    return np.array([[left, a], [right, b], [right, c], [left, d]], np.float32)


def _line(x: Plane, y: Plane, ends: Plane) -> Plane:
    """Return a straight line through points, at two places; a few points tell nothing of its direction."""
    if len(x) < 4:
        return np.full(2, float(np.median(y)))
    # least squares; np.polyfit takes a tenth of the time of a whole look
    middle = x.mean()
    slope = (x - middle) @ y / ((x - middle) ** 2).sum()
    return np.asarray(y.mean() + slope * (ends - middle))


def close(grey: Grey, corners: Corners, room: tuple[float, float]) -> Grey:
    """Return the row of digits upright, with a little room around it, as the network takes it.

    Args:
        grey: the zone at its own size.
        corners: of the row, in pixels of `grey`.
        room: around it, one of ROOMS, or WIDE.
    """
    outer, width = _around(corners, room)
    height = _height(corners)
    if height > FINEST:
        share = FINEST / height
        size = max(round(grey.shape[1] * share), 1), max(round(grey.shape[0] * share), 1)
        outer = outer * (np.array(size, np.float32) / grey.shape[::-1])
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    moved = cv2.getPerspectiveTransform(outer.astype(np.float32), _rectangle(width))
    return np.asarray(
        cv2.warpPerspective(grey, moved, (width, HEIGHT), None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE), np.uint8
    )


def from_close(found: Corners, corners: Corners, room: tuple[float, float]) -> Corners:
    """Return where corners that were found in what :func:`close` returned are in the zone.

    Args:
        found: in pixels of that crop.
        corners: that it was made by.
        room: likewise.
    """
    outer, width = _around(corners, room)
    moved = cv2.getPerspectiveTransform(_rectangle(width), outer.astype(np.float32))
    return np.asarray(cv2.perspectiveTransform(found[np.newaxis].astype(np.float32), moved)[0], np.float32)


def _around(corners: Corners, room: tuple[float, float]) -> tuple[Corners, int]:
    """Return the corners of a row with room around it, and the width of its crop."""
    above, beside = room
    height = _height(corners)
    across = np.array([[beside * height, 0]], np.float32)
    upright = np.array([[0, above * height]], np.float32)
    outer = corners + np.concatenate([-across - upright, across - upright, across + upright, upright - across])
    length = float(outer[1, 0] - outer[0, 0])
    return outer, width_for(length / (height * (1 + 2 * above)))


def _height(corners: Corners) -> float:
    return float(corners[3, 1] - corners[0, 1] + corners[2, 1] - corners[1, 1]) / 2


def _rectangle(width: int) -> Corners:
    return np.array([[0, 0], [width, 0], [width, HEIGHT], [0, HEIGHT]], np.float32)
