"""Points, boxes, polygons and lines. Pure: arrays in, arrays out, in any unit that is the same along both axes or not.

x points right and y down, as in pictures. Points on the outline of a polygon belong to it. Left and right of a line are
those of somebody who walks on the picture from its first point to its second; what lies on the line counts as right.
Sides and crossings are the same in pixels and in 0..1 of the picture; distances are only right where the units of both
axes are.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles: TypeAlias = NDArray[np.float64]
Anchor: TypeAlias = Literal["bottom", "centre", "any"]

LEFT, RIGHT = -1, 1
"""Signs of the sides of a line, and of crossings towards them."""
ON_EDGE = 1e-12
"""Distance, in shares of the picture, from which a point is no longer on an edge: rounding of 64-bit numbers."""

_ANCHORS: dict[Anchor, ArrayLike] = {
    "bottom": [(0.5, 1.0)],
    "centre": [(0.5, 0.5)],
    "any": [(x, y) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)],
}
"""Points of a box, in shares of its width and height."""


def anchors(boxes: ArrayLike, anchor: Anchor) -> Doubles:
    """Return the points by which boxes are where they are.

    Args:
        boxes: N×4 corners x1, y1, x2, y2.
        anchor: the middle of the lower edge, the centre, or nine points all over the box.

    Returns:
        N×K×2, with K of 1 or 9.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    shares = np.asarray(_ANCHORS[anchor], np.float64)
    low, high = corners[:, None, :2], corners[:, None, 2:]
    return np.asarray(low + (high - low) * shares[None], np.float64)


def in_polygon(points: ArrayLike, polygon: ArrayLike) -> NDArray[np.bool_]:
    """Return which of N×2 `points` lie in a polygon (M×2), which may be concave; those on its outline do."""
    places = np.asarray(points, np.float64).reshape(-1, 2)
    starts, ends = _edges(polygon)
    x, y = places[:, None, 0], places[:, None, 1]
    (x1, y1), (x2, y2) = starts.T, ends.T
    # an edge holds its upper end and not its lower one, so that a corner is met once
    spans = (y1[None] <= y) != (y2[None] <= y)
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = x1 + (y - y1) / (y2 - y1) * (x2 - x1)
    inside = np.count_nonzero(spans & (x < meets), axis=1) % 2 == 1
    return np.asarray(inside | (distance_to_polygon(places, polygon) <= ON_EDGE), np.bool_)


def distance_to_polygon(points: ArrayLike, polygon: ArrayLike) -> Doubles:
    """Return how far each of N×2 `points` is from the outline of a polygon (M×2), from within or without."""
    starts, ends = _edges(polygon)
    places = np.asarray(points, np.float64).reshape(-1, 2)
    return np.asarray(_distances(places, starts, ends).min(axis=1), np.float64)


def distance_to_line(points: ArrayLike, line: ArrayLike) -> Doubles:
    """Return how far each of N×2 `points` is from a line (2×2), which ends at its ends."""
    start, end = np.asarray(line, np.float64)
    places = np.asarray(points, np.float64).reshape(-1, 2)
    return np.asarray(_distances(places, start[None], end[None])[:, 0], np.float64)


def touches_polygon(boxes: ArrayLike, polygon: ArrayLike) -> NDArray[np.bool_]:
    """Return which of N×4 `boxes` have a point in common with a polygon (M×2)."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    starts, ends = _edges(polygon)
    low, high = corners[:, None, :2], corners[:, None, 2:]
    step = (ends - starts)[None]
    # each edge is cut to what lies between the sides of the box, along one axis after the other
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = (low - starts[None]) / step, (high - starts[None]) / step
    enters, leaves = np.minimum(first, last), np.maximum(first, last)
    flat = np.broadcast_to(step == 0, enters.shape)
    between = (starts[None] >= low) & (starts[None] <= high)
    enters = np.where(flat, np.where(between, 0.0, np.inf), enters)
    leaves = np.where(flat, np.where(between, 1.0, -np.inf), leaves)
    cut = np.maximum(enters.max(axis=2), 0.0) <= np.minimum(leaves.min(axis=2), 1.0)
    return np.asarray(cut.any(axis=1) | in_polygon(corners[:, :2], polygon), np.bool_)


def sides(points: ArrayLike, line: ArrayLike) -> NDArray[np.int64]:
    """Return on which side of a line (2×2), extended beyond its ends, each of N×2 `points` is."""
    return np.where(_offsets(np.asarray(points, np.float64).reshape(-1, 2), line) >= 0, RIGHT, LEFT)


def crossings(before: ArrayLike, after: ArrayLike, line: ArrayLike) -> tuple[NDArray[np.int64], Doubles]:
    """Return how points that move straight from `before` to `after` (N×2 each) cross a line (2×2).

    A point that comes to the line and goes back crosses it not at all, or once each way, and a path that bends on the
    line crosses it once: the crossings of a path add up. A line's ends belong to it.

    Returns:
        The side to which each point crosses, 0 where it does not; and at which share of its way it meets the line.
    """
    start, end = np.asarray(line, np.float64)
    old, new = (np.asarray(points, np.float64).reshape(-1, 2) for points in (before, after))
    offset_before, offset_after = _offsets(old, line), _offsets(new, line)
    there, here = offset_before >= 0, offset_after >= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.where(there != here, offset_before / (offset_before - offset_after), 0.0), 0.0, 1.0)
    met = old + (new - old) * share[:, None]
    along = (met - start) @ (end - start) / ((end - start) @ (end - start))
    crosses = (there != here) & (along >= -ON_EDGE) & (along <= 1 + ON_EDGE)
    return np.where(crosses, np.where(here, RIGHT, LEFT), 0), share


def outline_shares(before: ArrayLike, after: ArrayLike, polygon: ArrayLike) -> list[float]:
    """Return at which shares of its way a point that moves straight meets the outline of a polygon, in their order."""
    starts, ends = _edges(polygon)
    found = []
    for start, end in zip(starts, ends, strict=True):
        [sign], [share] = crossings(before, after, (start, end))
        if sign:
            found.append(float(share))
    return sorted(found)


def _edges(polygon: ArrayLike) -> tuple[Doubles, Doubles]:
    starts = np.asarray(polygon, np.float64)
    return starts, np.roll(starts, -1, axis=0)


def _offsets(points: Doubles, line: ArrayLike) -> Doubles:
    """Return the cross product of a line and the way from its start to each point: below 0 to the left."""
    start, end = np.asarray(line, np.float64)
    step, way = end - start, points - start
    return np.asarray(step[0] * way[:, 1] - step[1] * way[:, 0], np.float64)


def _distances(points: Doubles, starts: Doubles, ends: Doubles) -> Doubles:
    """Return the distance of N points from M straight pieces, N×M."""
    steps = ends - starts
    lengths = np.maximum((steps**2).sum(axis=1), np.finfo(np.float64).tiny)
    ways = points[:, None] - starts[None]
    along = np.clip((ways * steps[None]).sum(axis=2) / lengths[None], 0.0, 1.0)
    return np.asarray(np.linalg.norm(ways - along[..., None] * steps[None], axis=2), np.float64)
