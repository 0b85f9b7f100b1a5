"""Logs errors that may come in great numbers: the first ones of each kind, then their count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from shared_utils.log import LogMessage
from video_worker import messages

BURST = 10
"""Errors of a kind before the others are counted only."""
WINDOW_S = 600.0
"""Seconds after which as many are logged again."""


class RateLimitedLog:
    """Logs the first errors of each kind, and counts the others.

    Args:
        log: where to.
        clock: seconds of any origin.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}

    def report(self, message: LogMessage, *arguments: object, trace: BaseException | None = None) -> None:
        """Log `message`, or count it where there were :data:`BURST` of its code."""
        kind = message.code
        since, count = self._kinds.get(kind, (self._clock(), 0))
        if self._clock() - since >= WINDOW_S:
            if count > BURST:
                self._log.error(messages.FURTHER_REPORTS, count - BURST, WINDOW_S / 60)
            since, count = self._clock(), 0
        self._kinds[kind] = (since, count + 1)
        if count < BURST:
            if count == BURST - 1:
                message = LogMessage(kind, f"{message}; more of these are counted only")
            self._log.error(message, *arguments, exc_info=trace)
