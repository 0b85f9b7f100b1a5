"""Which boxes belong on a live picture: those of its own frame, or the nearest in time. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

WITHIN_S = 0.5
"""Farthest that boxes may be from the picture that they are drawn on: two frames per second are analysed."""
SAME_FRAME_S = 0.005
"""Frames follow each other after 8 ms at least; times are rounded on their way."""
KEPT = 40
"""Frames whose boxes are kept: those of some 10 s, at several frames per second."""


@dataclass(frozen=True)
class FrameBoxes:
    """The boxes of an analysed frame.

    Attributes:
        at: when the frame was taken, seconds since the epoch.
        boxes: for the page: label, score, x1, y1, x2, y2 (0..1 of the picture), track or None.
    """

    at: float
    boxes: tuple[tuple[Any, ...], ...]


class BoxTrail:
    """The boxes of the last frames that were analysed."""

    def __init__(self) -> None:
        self._frames: deque[FrameBoxes] = deque(maxlen=KEPT)

    def add(self, frames: Iterable[FrameBoxes]) -> None:
        """Take boxes in; they may come in any order."""
        self._frames.extend(frames)

    def nearest(self, at: float) -> FrameBoxes | None:
        """Return the boxes nearest in time to a picture; None if there are none within `WITHIN_S`."""
        best = min(self._frames, key=lambda one: abs(one.at - at), default=None)
        return best if best is not None and abs(best.at - at) <= WITHIN_S else None


def is_own(boxes: FrameBoxes, at: float) -> bool:
    """Return whether boxes were found in the very frame that was taken at `at`."""
    return abs(boxes.at - at) <= SAME_FRAME_S
