"""Measures the rate of a camera's clock over the last seconds."""

from __future__ import annotations

from collections import deque

SPEED_S = 10
"""Time over which the rate of the camera's clock is measured, for gaps, in which nothing else corrects it."""
SPEED_TOLERANCE = 0.03
"""Share by which it may be off before it counts: the uncertainty of the measurement."""


class ClockRate:
    """Compares the camera's clock with stream time."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque(maxlen=SPEED_S)  # (camera time, stream time)

    def note(self, dts: float, time: float) -> bool:
        """Take a pair of times, seconds; False where a second has not passed since the last one that was taken.

        Args:
            dts: by the camera's clock.
            time: the stream time that goes with it.
        """
        if self._marks and time - self._marks[-1][1] < 1:
            return False
        self._marks.append((dts, time))
        return True

    def forget(self) -> None:
        """Begin anew: the camera's clock has stepped."""
        self._marks.clear()

    @property
    def is_known(self) -> bool:
        """Enough seconds have been measured."""
        return len(self._marks) == SPEED_S

    @property
    def slowness(self) -> float:
        """How many seconds one of the camera's lasts; 1 where that is not known, or within the tolerance."""
        if not self.is_known:
            return 1.0
        (first_dts, first), (last_dts, last) = self._marks[0], self._marks[-1]
        slowness = (last - first) / (last_dts - first_dts)
        return slowness if abs(slowness - 1) > SPEED_TOLERANCE else 1.0
