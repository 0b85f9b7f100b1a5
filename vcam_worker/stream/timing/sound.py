"""A clock for sound: whatever its timestamps do, sound follows the video, and never delays it."""

from __future__ import annotations

from vcam_worker.stream.timing.timeline import JUMP_S, MIN_STEP_S

LIVE_BOUND_S = 1.0
"""Most that sound may lie outside of what video and arrivals allow: several times a network's jitter."""
FILE_BOUND_S = 10.0
"""The same for files, which interleave sound and video in larger portions."""
MAX_BLOCK_S = 0.3
"""Longest interval between two blocks of sound; more is a gap. A frame of AAC has 1024 samples (ISO/IEC 14496-3,
4.5.2): 0.13 s at 8 kHz, and 0.26 s with SBR."""
NEAR_S = 0.3
"""Deviation up to which sound is left as it is."""
PULL_SHARE = 0.05
"""Drift-correction gain per block beyond that: more than clocks drift, less than is audible."""


class SoundClock:
    """Places sound in stream time, strictly rising.

    Sound may lie anywhere between the newest frame and its own arrival, as both pass through the same network.

    Args:
        bound: deviation from that, seconds, beyond which its timestamps are ignored.
    """

    def __init__(self, bound: float = LIVE_BOUND_S) -> None:
        self._bound = bound
        self._offset = 0.0  # stream time minus the sound's own
        self._last: float | None = None
        self._last_dts: float | None = None
        self._last_now = 0.0
        self._step = MIN_STEP_S
        self.jumped: float | None = None
        """Step of the sound's clock at the last packet, seconds; None without one."""

    def place(self, dts: float | None, pictures: float, now: float, offset: float | None = None) -> float | None:
        """Return the stream time of a block of sound; None where it is to be dropped, as far too much arrives.

        Args:
            dts: by the sound's clock, seconds; None without.
            pictures: stream time of the newest frame.
            now: stream time of its arrival; not before `pictures`.
            offset: stream time minus the video's timestamps, as the two clocks mostly agree.
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
        """Whether the sound's clock has stepped forward by more than the time that passed, into the future."""
        return step > max(self._step, now - self._last_now) + JUMP_S and time > now + JUMP_S

    @staticmethod
    def _outside(time: float, pictures: float, now: float) -> float:
        return max(pictures - time, time - now, 0.0)

    @staticmethod
    def _nearest(time: float, pictures: float, now: float) -> float:
        """Return `time`, clamped to what video and arrival allow."""
        return min(max(time, pictures - NEAR_S), now + NEAR_S)
