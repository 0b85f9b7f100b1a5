"""Reports what should not be, without filling the log when there is a lot of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from shared_utils.log import LogMessage
from video_worker import messages

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

    def add(self, message: LogMessage, *arguments: object, trace: BaseException | None = None) -> None:
        """Report `message`, or count it where there were :data:`AT_ONCE` of its code."""
        kind = message.code
        since, count = self._kinds.get(kind, (self._clock(), 0))
        if self._clock() - since >= QUIET_S:
            if count > AT_ONCE:
                self._log.error(messages.FURTHER_REPORTS, count - AT_ONCE, QUIET_S / 60)
            since, count = self._clock(), 0
        self._kinds[kind] = (since, count + 1)
        if count < AT_ONCE:
            if count == AT_ONCE - 1:
                message = LogMessage(kind, f"{message}; more of these are counted only")
            self._log.error(message, *arguments, exc_info=trace)
