"""Which losses of a connection are worth a line in the log. Pure; times are seconds of the monotonic clock."""

from __future__ import annotations

from typing import Literal

SHORT_SECONDS = 5.0
"""A loss that is over so soon costs a few pictures."""
STEADY_SECONDS = 300.0
"""A connection that stands so long is a steady one again."""
HABIT = 3
"""So many short losses in a row are the camera's habit: some end each connection after 20 s."""

Report = Literal["loss", "habit"]


class Losses:
    """Follows one connection: reports each loss, but of a habit only that it began and that it ended."""

    def __init__(self) -> None:
        self._is_habit = False
        self._short = 0
        self._up_since: float | None = None
        self._lost_at: float | None = None

    def lost(self, now: float) -> Report | None:
        """Take note of a loss, or of an attempt to connect that failed; return what to report, if anything."""
        if self._lost_at is not None:
            if not self._is_habit or now - self._lost_at < SHORT_SECONDS:
                return None
            self._is_habit, self._short = False, 0  # this one is not over soon
            return "loss"
        if self._up_since is None or now - self._up_since >= STEADY_SECONDS:
            self._short = 0
        self._up_since, self._lost_at = None, now
        if self._is_habit:
            return None
        if self._short < HABIT:
            return "loss"
        self._is_habit = True
        return "habit"

    def back(self, now: float) -> bool:
        """Take note of a connection; tell whether to report it."""
        if self._lost_at is not None:
            self._short = self._short + 1 if now - self._lost_at <= SHORT_SECONDS else 0
        self._up_since, self._lost_at = now, None
        return not self._is_habit

    def is_steady_again(self, now: float) -> bool:
        """Tell, once, that a habit is over."""
        if not self._is_habit or self._up_since is None or now - self._up_since < STEADY_SECONDS:
            return False
        self._is_habit, self._short = False, 0
        return True
