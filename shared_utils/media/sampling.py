"""Choose the frames to analyse at a given rate, by their time stamps."""

from __future__ import annotations

import math
from collections.abc import Sequence

SLACK_S = 1e-4
"""How early a frame may be and still count as on time, in seconds: containers round time stamps, by 0.1 ms at worst."""


class Sampler:
    """Takes the first frame at or after each multiple of ``1 / fps`` seconds.

    After a gap in the clip, no additional frames are taken to make up for it.

    Args:
        fps: frames to take per second; 0 for all.
    """

    def __init__(self, fps: float) -> None:
        if not fps >= 0:
            raise ValueError(f"fps of 0 or more was expected, not {fps}")
        self._fps = fps
        self._next = 0

    def wants(self, time_s: float) -> bool:
        """Return whether to take the frame at `time_s` seconds from the first one. Ask in order of time."""
        if not self._fps:
            return True
        due = math.floor((time_s + SLACK_S) * self._fps)
        if due < self._next:
            return False
        self._next = due + 1
        return True


def sampled(times_s: Sequence[float], fps: float) -> list[int]:
    """Return the indices of the frames to take, given the time of each in seconds, ascending."""
    sampler = Sampler(fps)
    return [index for index, time_s in enumerate(times_s) if sampler.wants(time_s)]
