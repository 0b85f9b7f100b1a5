"""Sound has a clock of its own: whatever its timestamps do, it follows the pictures, and never holds them up."""

from __future__ import annotations

from vcam_worker.stream.timing.timeline import JUMP_S, MIN_STEP_S

LIVE_BOUND_S = 1.0
"""Seconds that sound may be outside of what the pictures and the arrivals allow: several times a network's jitter."""
FILE_BOUND_S = 10.0
"""The same for files, whose blocks of sound and pictures take turns in larger portions."""
MAX_BLOCK_S = 0.3
"""Seconds between two blocks of sound at most: AAC of 8 kHz has 0.26 of them in one. More is a gap."""
NEAR_S = 0.3
"""Seconds outside up to which it is left as it is."""
PULL_SHARE = 0.05
"""Share of a step by which it is pulled back from there on: more than clocks drift apart, less than anybody hears."""


class SoundClock:
    """Places sound in the stream's time, strictly rising.

    Sound may lie anywhere between the newest picture and the moment of its arrival: both wait for the same network.

    Args:
        bound: seconds outside of that from which its timestamps are no longer believed.
    """

    def __init__(self, bound: float = LIVE_BOUND_S) -> None:
        self._bound = bound
        self._offset = 0.0  # stream time minus the sound's own
        self._last: float | None = None
        self._last_dts: float | None = None
        self._last_now = 0.0
        self._step = MIN_STEP_S
        self.jumped: float | None = None
        """The step of the sound's clock that the last packet came with, seconds; None without."""

    def place(self, dts: float | None, pictures: float, now: float, offset: float | None = None) -> float | None:
        """Return the stream time of a block of sound; None where it is to be left out, as far too much comes.

        Args:
            dts: by the sound's clock, seconds; None without.
            pictures: stream time of the newest picture.
            now: stream time of its arrival; not before `pictures`.
            offset: stream time minus the pictures' own: the two clocks mostly agree.
        """
        self.jumped = None
        if self._last is None:
            time = self._first(dts, pictures, now, offset)
        elif self._last > now + self._bound:
            return None
        else:
            time = self._next(self._last, dts, pictures, now)
        if self._last is not None and MIN_STEP_S <= time - self._last < MAX_BLOCK_S:
            self._step = time - self._last
        self._last, self._last_dts, self._last_now = time, dts, now
        return time

    def _first(self, dts: float | None, pictures: float, now: float, offset: float | None) -> float:
        time = now
        if dts is not None and offset is not None and self._outside(dts + offset, pictures, now) <= self._bound:
            time = dts + offset
        self._offset = time - (dts or 0.0)
        return time

    def _next(self, last: float, dts: float | None, pictures: float, now: float) -> float:
        if dts is None:
            return max(self._nearest(last + self._step, pictures, now), last + MIN_STEP_S)
        time = dts + self._offset
        outside = self._outside(time, pictures, now)
        jumped = self._last_dts is not None and (
            dts < self._last_dts or outside > self._bound or self._leaps(dts - self._last_dts, time, now)
        )
        if jumped or self._last_dts is None or dts == self._last_dts:
            if jumped and self._last_dts is not None:
                self.jumped = dts - self._last_dts - self._step
            time = max(self._nearest(last + self._step, pictures, now), last + MIN_STEP_S)
            self._offset = time - dts
        elif outside > NEAR_S:
            pull = PULL_SHARE * (time - last)
            self._offset += pull if time < pictures else -pull
        return max(time, last + MIN_STEP_S)

    def _leaps(self, step: float, time: float, now: float) -> bool:
        """Tell whether the sound's clock has stepped forward by more than has passed, to what is yet to come."""
        return step > max(self._step, now - self._last_now) + JUMP_S and time > now + JUMP_S

    @staticmethod
    def _outside(time: float, pictures: float, now: float) -> float:
        return max(pictures - time, time - now, 0.0)

    @staticmethod
    def _nearest(time: float, pictures: float, now: float) -> float:
        """Return `time`, where pictures and arrival allow it, or what they allow that is nearest."""
        return min(max(time, pictures - NEAR_S), now + NEAR_S)
