"""Plays a stream that comes segment by segment at the pace of its timestamps, as a player does. Pure.

Segments come in bursts of several seconds. Each packet is due a fixed delay after the moment at which it was published,
so that whoever takes the packets sees a steady stream. Timestamps that begin anew are continued, without a gap unless
the segment was published late.
"""

from __future__ import annotations

from collections import deque

MAX_STEP_S = 2.0
"""Interval within a segment beyond which its timestamps have stepped, at the least."""
NEAR_S = 0.5
"""Deviation of a segment's timestamps from the end of the one before that counts as none: durations are rounded."""
WINDOW_SEGMENTS = 8
"""Segments of which the one that was published with the least delay tells how the two clocks compare."""
CREEP_RATE, RUSH_RATE = 0.002, 0.1
"""Seconds per second by which the pace is corrected: more than a crystal's drift; and where the timestamps run at
another rate than real time, or the delay is off by more than a target duration."""


class Pacer:
    """Turns the timestamps of one connection into moments at which to play.

    Between the two is media time, which goes on where timestamps begin anew.

    Args:
        delay_s: from publishing a frame to playing it, seconds.
    """

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._shift: float | None = None  # media time minus timestamp
        self._anchor = 0.0  # moment of playing minus media time
        self._owed = 0.0  # correction of it
        self._rate = CREEP_RATE
        self._last = 0.0  # media time of the last frame
        self._step = 0.04
        self._longest = MAX_STEP_S
        self._published = 0.0
        self._offsets: deque[float] = deque(maxlen=WINDOW_SEGMENTS)  # moment of publishing minus media time

    def begin(
        self,
        first: float,
        seconds: float,
        published: float,
        *,
        target_s: float = 0.0,
        skipped_s: float = 0.0,
        starts_anew: bool = False,
    ) -> None:
        """Begin a segment.

        Args:
            first: timestamp of its first frame, seconds.
            seconds: its duration.
            published: when it was complete, monotonic seconds.
            target_s: longest duration of segments: within it, the moment of publishing is not known exactly.
            skipped_s: duration of the segments before it that are missing.
            starts_anew: its timestamps do not continue those before.
        """
        if self._shift is None:
            self._shift = -first
            self._last = -self._step
            self._anchor = published + self._delay_s - seconds
        else:
            late = published - self._published - seconds - skipped_s
            expected = self._last + self._step + skipped_s
            step = first + self._shift - expected
            near = max(NEAR_S, target_s / 2 if skipped_s else 0.0)
            is_gap = not starts_anew and 0 < step <= 2 * late
            if abs(step) > near and not is_gap:
                self._shift = expected + (late if late > max(target_s, NEAR_S) else 0.0) - first
            played = self._last + self._step + self._anchor
            self._last = first + self._shift - self._step
            latest = max(published + self._delay_s, played)
            if first + self._shift + self._anchor > latest + max(target_s, NEAR_S):
                # less has been published than is said to be missing
                self._anchor = max(latest - seconds, played) - first - self._shift
        self._published = published
        self._longest = max(MAX_STEP_S, seconds)
        self._offsets.append(published - (first + self._shift + seconds))
        self._owed = min(self._offsets) + self._delay_s - self._anchor
        self._rate = CREEP_RATE if abs(self._owed) <= max(target_s, NEAR_S) else RUSH_RATE

    def place(self, stamp: float | None) -> float:
        """Return the moment at which to play a frame, monotonic seconds.

        Args:
            stamp: its timestamp, seconds; None without.
        """
        shift = self._shift or 0.0
        time = self._last + self._step if stamp is None else stamp + shift
        if not -MAX_STEP_S <= time - self._last <= self._longest:
            time = self._last + self._step
            self._shift = time - (stamp or 0.0)
        passed = time - self._last
        if 0 < passed <= MAX_STEP_S:
            self._step = passed
        correction = min(max(self._owed, -self._rate * abs(passed)), self._rate * abs(passed))
        self._anchor += correction
        self._owed -= correction
        self._last = time
        return time + self._anchor

    def beside(self, stamp: float) -> float:
        """Return the moment at which to play sound, whose timestamps have the clock of the frames."""
        return stamp + (self._shift or 0.0) + self._anchor
