"""Boxes of objects in a picture: corners, centres and sizes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

EDGE = 0.01
"""Distance from the picture's edge, in shares of its sides, at which a box touches it. What is lost there has gone out,
and what begins there has come in: it may be anybody."""

BoxShares = tuple[float, float, float, float]
"""Corners x1, y1, x2, y2 in 0..1 of the picture."""


def box_of(corners: Sequence[Any]) -> BoxShares:
    """Return a box of a state.

    Raises:
        ValueError, TypeError: it is none.
    """
    x1, y1, x2, y2 = (float(value) for value in corners)
    return x1, y1, x2, y2


def point_of(values: Sequence[Any]) -> tuple[float, float]:
    """Return a point of a state.

    Raises:
        ValueError, TypeError: it is none.
    """
    x, y = (float(value) for value in values)
    return x, y


def centre_of(box: BoxShares, aspect: float) -> tuple[float, float]:
    """Return the centre, (x, y) in heights of the picture; `aspect`: its width by its height."""
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2 * aspect, (y1 + y2) / 2


def size_of(box: BoxShares, aspect: float) -> float:
    """Return the square root of the area, in heights of the picture."""
    x1, y1, x2, y2 = box
    return math.sqrt(max((x2 - x1) * aspect * (y2 - y1), 1e-9))


def edges(box: BoxShares) -> set[int]:
    """Return which edges of the picture a box touches."""
    low, high = (0, 1), (2, 3)
    return {side for side in low if box[side] <= EDGE} | {side for side in high if box[side] >= 1 - EDGE}
