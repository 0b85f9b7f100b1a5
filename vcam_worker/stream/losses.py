"""Decides which losses of a connection to log: each one, unless the camera loses them habitually.

Pure; monotonic seconds.
"""

from __future__ import annotations

from typing import Literal

SHORT_S = 5.0
"""A loss up to this long costs a few frames."""
STEADY_S = 300.0
"""A connection that lasts this long is steady again."""
HABIT_LOSSES = 3
"""Short losses in a row that make a habit: some cameras end each connection after 20 s."""

Report = Literal["loss", "habit"]


class Losses:
    """Follows one URL's connections: reports each loss, but of a habit only its beginning and end."""

    def __init__(self) -> None:
        self._is_habit = False
        self._short = 0
        self._up_since: float | None = None
        self._lost_at: float | None = None

    def lost(self, now: float) -> Report | None:
        """Count a loss, or a failed attempt to connect; return what to report, if anything."""
        if self._lost_at is not None:
            if not self._is_habit or now - self._lost_at < SHORT_S:
                return None
            self._is_habit, self._short = False, 0  # this loss is a long one
            return "loss"
        if self._up_since is None or now - self._up_since >= STEADY_S:
            self._short = 0
        self._up_since, self._lost_at = None, now
        if self._is_habit:
            return None
        if self._short < HABIT_LOSSES:
            return "loss"
        self._is_habit = True
        return "habit"

    def back(self, now: float) -> bool:
        """Count a connection; return whether to report it."""
        if self._lost_at is not None:
            self._short = self._short + 1 if now - self._lost_at <= SHORT_S else 0
        self._up_since, self._lost_at = now, None
        return not self._is_habit

    def is_steady_again(self, now: float) -> bool:
        """Return, once, that a habit is over."""
        if not self._is_habit or self._up_since is None or now - self._up_since < STEADY_S:
            return False
        self._is_habit, self._short = False, 0
        return True
