"""Cuts a zone out of a frame: four corners become an upright rectangle, other polygons a box with a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture
from shared_utils.media.warp import Warp, clockwise
from video_worker.values.placement import Placement

BEYOND = 0.01
"""Share of the picture by which a zone that follows a moved camera may reach out of it: digits that are cut off would
be read as other numbers."""


@dataclass(frozen=True)
class ZoneCrop:
    """A zone in a frame.

    Attributes:
        picture: height×width×3, blue green red, at the frame's full resolution: the zone's four corners as an upright
            rectangle, or the box around a polygon.
        mask: height×width, 255 where the zone is and 0 elsewhere; None where the whole picture is the zone.
        time_s: time of the frame, seconds from the source's first one.
    """

    picture: Picture
    mask: NDArray[np.uint8] | None
    time_s: float


class ZoneCropper:
    """Cuts one zone out of frames.

    Args:
        points: corners of the polygon, 0..1 of the picture. Four that go clockwise begin with the corner that becomes
            the rectangle's upper left one; others are turned so that the zone stands as in the picture.
    """

    def __init__(self, points: Sequence[Sequence[float]]) -> None:
        self._points = [(float(x), float(y)) for x, y in points]
        self._corners = upright_corners(self._points)
        self._warp: tuple[object, Warp] | None = None
        self._area: tuple[object, _Area] | None = None

    def crop(self, picture: Picture, placement: Placement, time_s: float) -> ZoneCrop | None:
        """Return the zone in a frame; None where nobody knows where it is, or it is not whole in the picture.

        Args:
            picture: height×width×3; the result is a copy.
            placement: where zones are in it.
            time_s: its time.
        """
        placed = placement.place(self._points if self._corners is None else self._corners)
        if placed is None or (placement.matrix is not None and not _is_inside(placed)):
            return None
        size = (picture.shape[1], picture.shape[0])
        key = (tuple(placed), size)
        if self._corners is None:
            if self._area is None or self._area[0] != key:
                self._area = key, _Area(placed, size)
            return self._area[1].crop(picture, time_s)
        if self._warp is None or self._warp[0] != key:
            try:
                self._warp = key, Warp(placed, size)
            except ValueError:
                # a placement that turns the zone inside out is none
                return None
        return ZoneCrop(self._warp[1].apply(picture), None, time_s)


class _Area:
    """The box around a polygon, in pixels, with its mask."""

    def __init__(self, points: Sequence[tuple[float, float]], size: tuple[int, int]) -> None:
        corners = np.clip(np.asarray(points) * size, 0, size)
        left, top = (int(value) for value in np.floor(corners.min(axis=0)))
        right, bottom = (int(value) for value in np.ceil(corners.max(axis=0)))
        self._left, self._top = min(left, size[0] - 1), min(top, size[1] - 1)
        self._right, self._bottom = max(right, self._left + 1), max(bottom, self._top + 1)
        mask = np.zeros((self._bottom - self._top, self._right - self._left), np.uint8)
        inside = np.round(corners - (self._left, self._top) - 0.5).astype(np.int32)
        cv2.fillPoly(mask, [inside.reshape(-1, 1, 2)], 255)
        self._mask = np.asarray(mask, np.uint8)

    def crop(self, picture: Picture, time_s: float) -> ZoneCrop:
        part = picture[self._top : self._bottom, self._left : self._right]
        return ZoneCrop(part.copy(), self._mask, time_s)


def upright_corners(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]] | None:
    """Return four corners, 0..1, in the order that a warp needs; None for what is no convex shape of four."""
    if len(points) != 4:
        return None
    try:
        Warp(points, (1000, 1000))
    except ValueError:
        pass
    else:
        return points
    try:
        return clockwise(points)
    except ValueError:
        return None


def _is_inside(points: Sequence[tuple[float, float]]) -> bool:
    return all(-BEYOND <= value <= 1 + BEYOND for point in points for value in point)
