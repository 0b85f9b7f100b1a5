"""Which frames of a clip are analysed: by the clip's own time stamps, never by counting."""

from __future__ import annotations

import math
from collections.abc import Sequence

SLACK_S = 1e-4
"""Seconds a frame may come early and still count as on time: containers round time stamps, to 0.1 ms at worst."""


class Sampler:
    """Takes the first frame at or after each multiple of ``1 / fps`` seconds.

    A gap in the clip is no reason to take more frames after it: the next one taken is the next multiple's.

    Args:
        fps: frames a second to take; 0 takes every frame.
    """

    def __init__(self, fps: float) -> None:
        if not fps >= 0:
            raise ValueError(f"fps of 0 or more was expected, not {fps}")
        self._fps = fps
        self._next = 0

    def wants(self, time_s: float) -> bool:
        """Tell whether the frame at `time_s` (seconds from the clip's first frame, in order) is taken."""
        if not self._fps:
            return True
        due = math.floor((time_s + SLACK_S) * self._fps)
        if due < self._next:
            return False
        self._next = due + 1
        return True


def sampled(times_s: Sequence[float], fps: float) -> list[int]:
    """Return the indices of those of `times_s` (seconds, ascending) that are taken."""
    sampler = Sampler(fps)
    return [index for index, time_s in enumerate(times_s) if sampler.wants(time_s)]
