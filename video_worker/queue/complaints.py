"""Reports what should not be, without filling the log when there is a lot of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

AT_ONCE = 10
"""Reports of a kind before the others are counted only."""
QUIET_S = 600.0
"""Seconds after which so many are reported again."""


class Complaints:
    """Logs the first ones of each kind, and counts the others.

    Args:
        log: where to.
        clock: seconds of any origin.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}

    def add(self, kind: str, text: str, trace: BaseException | None = None) -> None:
        """Report `text`, or count it where there were :data:`AT_ONCE` of its kind."""
        since, count = self._kinds.get(kind, (self._clock(), 0))
        if self._clock() - since >= QUIET_S:
            if count > AT_ONCE:
                self._log.error("… and %d more like that in the last %.0f min", count - AT_ONCE, QUIET_S / 60)
            since, count = self._clock(), 0
        self._kinds[kind] = (since, count + 1)
        if count < AT_ONCE:
            more = "; more of these are counted only" if count == AT_ONCE - 1 else ""
            self._log.error("%s%s", text, more, exc_info=trace)
