"""Tells whether a lamp is on, by the mean brightness or colour of its zone; hysteresis against flicker."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture

Colour = Literal["any", "red", "yellow", "green", "blue"]

OFF_SHARE = 0.9
"""Share of `on_above` below which a lamp is off again, where the task does not say."""


def lamp_level(picture: Picture, mask: NDArray[np.uint8] | None, colour: Colour) -> float:
    """Return the level of a lamp, 0..255: the mean over its zone.

    Of ``any`` colour it is the luma; of a colour, by how much each pixel has more of it than of the others: of red,
    more than of green and blue; of yellow, of both red and green more than of blue.

    Args:
        picture: height×width×3, blue green red.
        mask: height×width, 0 where the zone is not; None where the whole picture is the zone.
        colour: which light counts.
    """
    if colour == "any":
        return float(cv2.mean(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), mask)[0])
    blue, green, red = cv2.split(picture)
    most, rest = {
        "red": (red, cv2.max(green, blue)),
        "green": (green, cv2.max(red, blue)),
        "blue": (blue, cv2.max(red, green)),
        "yellow": (cv2.min(red, green), blue),
    }[colour]
    return float(cv2.mean(cv2.subtract(most, rest), mask)[0])


class LampState:
    """Decides from look to look whether a lamp is on.

    Args:
        on_above: level from which it is on.
        off_below: level below which it is off again; None for :data:`OFF_SHARE` of `on_above`.
    """

    def __init__(self, on_above: float, off_below: float | None = None) -> None:
        self._on_above = on_above
        self._off_below = OFF_SHARE * on_above if off_below is None else off_below
        self.is_on = False

    def update(self, level: float) -> bool:
        """Take a level; return whether the lamp is on."""
        self.is_on = level >= self._off_below if self.is_on else level > self._on_above
        return self.is_on
