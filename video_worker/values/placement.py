"""Where the zones of a camera are in a frame: a camera that was nudged shows them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Placement:
    """The place of zones in a frame.

    Attributes:
        matrix: maps points as they were drawn to points of the frame, both 0..1 of the picture (homogeneous, applied
            to columns); None where they are as they were drawn.
        is_lost: whether nobody knows where they are: the camera was moved too far, or sees something else.
    """

    matrix: Matrix | None = None
    is_lost: bool = False

    def place(self, points: Sequence[Sequence[float]]) -> list[tuple[float, float]] | None:
        """Return where points are in the frame, 0..1 of it; None where nobody knows."""
        if self.is_lost:
            return None
        if self.matrix is None:
            return [(float(x), float(y)) for x, y in points]
        placed = []
        for x, y in points:
            across, down, scale = (row[0] * x + row[1] * y + row[2] for row in self.matrix)
            placed.append((across / scale, down / scale))
        return placed


AS_DRAWN = Placement()
