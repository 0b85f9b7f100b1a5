"""Where motion is ignored: zones with `ignore_motion`, as polygons and as a mask over the analysed picture."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.config.zones.model import Polygon, Zones

Polygons: TypeAlias = tuple[Polygon, ...]
"""Corners of each, 0..1 of the picture's width and height."""

SUBPIXEL_BITS = 8
"""Fraction of a pixel to which edges are drawn: the analysed picture is a sixth of a camera's."""


def ignored_polygons(zones: Zones | None) -> Polygons:
    """Return the polygons in which motion is ignored; none without zones."""
    if zones is None:
        return ()
    return tuple(zone.points for zone in zones.zones if zone.ignore_motion and zone.points is not None)


def watched_mask(polygons: Polygons, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Return where motion counts, height×width: 255, and 0 in the polygons; None where it counts everywhere.

    Args:
        polygons: where it does not; they may overlap.
        shape: height and width of the mask, pixels.
    """
    if not polygons:
        return None
    height, width = shape[:2]
    mask = np.full((height, width), 255, np.uint8)
    for points in polygons:
        # the centre of the first pixel is at 0.5 of a pixel, and OpenCV counts from centres
        corners = (np.asarray(points, np.float64) * (width, height) - 0.5) * (1 << SUBPIXEL_BITS)
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 0, shift=SUBPIXEL_BITS)
    return mask


def watched_share(polygons: Polygons) -> float:
    """Return the share of the picture in which motion counts, 0..1, to a ten-thousandth or so."""
    mask = watched_mask(polygons, (180, 320))
    return 1.0 if mask is None else float(np.count_nonzero(mask)) / mask.size
