"""Logs a camera's connections: each loss and recovery once, a habit of losses in one line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from shared_utils.errors import SourceError
from vcam_worker import messages
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.losses import Losses

Log = logging.LoggerAdapter[logging.Logger]


class ConnectionLog:
    """Logs what becomes of one URL's connections.

    Args:
        display_url: the URL, masked.
        is_main: the main stream; else the sub-stream that is watched for motion.
        log: takes the lines.
        clock: monotonic seconds.
    """

    def __init__(
        self, display_url: str, *, is_main: bool, log: Log, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._display_url = display_url
        self._is_main = is_main
        self._log = log
        self._clock = clock
        self._losses = Losses()
        self._lost_at: float | None = None
        self._left_out: set[str] = set()  # what was logged to be left out

    def connected(self, info: StreamInfo) -> float | None:
        """Log a connection; return the seconds without one before it, None for the first."""
        lost_at, self._lost_at = self._lost_at, None
        away_s = None if lost_at is None else self._clock() - lost_at
        level = logging.INFO if self._losses.back(self._clock()) else logging.DEBUG
        if away_s is None:
            self._log.info(messages.CONNECTED, self._display_url, info)
        else:
            self._log.log(level, messages.CONNECTED_AGAIN, "picture" if self._is_main else "sub-stream", away_s, info)
        if not info.width:
            self._log.log(level, messages.KEYFRAME_AWAITED)
        if self._is_main:
            for line in info.left_out:
                if line not in self._left_out:
                    self._left_out.add(line)
                    self._log.info(messages.STREAM_LEFT_OUT, line)
        return away_s

    def lost(self, error: SourceError) -> None:
        """Log the loss of a connection, or a failed attempt to connect."""
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
        report = self._losses.lost(now)
        if report == "habit":
            self._log.warning(messages.CONNECTION_ENDS_HABITUALLY, self._display_url, error)
        elif report is None:
            self._log.debug("lost: %s", error)
        elif self._is_main:
            self._log.warning(messages.NO_PICTURE, error)
        else:
            self._log.warning(messages.NO_SUB_STREAM, error)

    def check_steady(self) -> None:
        """Log once that a habit of losses is over."""
        if self._losses.is_steady_again(self._clock()):
            self._log.info(messages.CONNECTION_STEADY_AGAIN, self._display_url)
