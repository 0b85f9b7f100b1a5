"""When an anchor is clear of an edge: boxes tremble by some percent of their size, and so do their anchors."""

from __future__ import annotations

from dataclasses import dataclass

CLEAR_SIZES = 0.1
"""Distance from an edge, in sizes of the object, at which an anchor is beyond it: five times what a box trembles."""
NEAR_SIZES = CLEAR_SIZES / 3
"""Distance at which it is beyond it when it stays there for :data:`HOLD_S`."""
HOLD_S = 1.0
MIN_DISTANCE = 0.004
"""Least distance that is clear, in heights of the picture: 3 pixels of 720, for objects that are small themselves."""


def clear_distance(size: float) -> float:
    """Return the distance, in heights of the picture, that is clear for an object of `size`."""
    return max(CLEAR_SIZES * size, MIN_DISTANCE)


def near_distance(size: float) -> float:
    """Return the distance that is clear for an object that stays there."""
    return clear_distance(size) * NEAR_SIZES / CLEAR_SIZES


@dataclass
class Clearance:
    """Tells when an anchor is clear of an edge.

    Attributes:
        clear_s: since when it is beyond the clear distance, without a break; None where it is not.
        near_s: since when it is beyond the near distance.
    """

    clear_s: float | None = None
    near_s: float | None = None

    def update(self, time_s: float, distance: float, size: float) -> None:
        """Take the distance, in heights of the picture, of an anchor that is beyond the edge."""
        self.clear_s = (time_s if self.clear_s is None else self.clear_s) if distance >= clear_distance(size) else None
        self.near_s = (time_s if self.near_s is None else self.near_s) if distance >= near_distance(size) else None

    def reset(self) -> None:
        """Begin again: the anchor is on the edge or before it."""
        self.clear_s = self.near_s = None

    def is_clear(self, time_s: float) -> bool:
        """Return whether it is clear of the edge."""
        return self.clear_s is not None or (self.near_s is not None and time_s - self.near_s >= HOLD_S)
