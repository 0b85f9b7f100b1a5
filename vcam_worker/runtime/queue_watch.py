"""Polls the queue for the pages and the metrics, and logs when it grows."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from shared_utils.config.redis import RedisSettings
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.figures import Growth, QueueFigures, describe_backlog, read_figures
from shared_utils.queue.jobs import clip_queue, connect, redis_errors
from vcam_worker import messages

INTERVAL_S = 10.0
"""Interval between polls: each takes four round trips to Redis."""


@dataclass(frozen=True)
class QueueState:
    """The queue at the last poll.

    Attributes:
        figures: None where Redis did not answer.
        growing: whether new clips accumulate.
        looked_at: when it was polled, seconds since the epoch.
    """

    figures: QueueFigures | None
    growing: bool
    looked_at: float


class QueueWatch:
    """Polls the queue from a thread of its own.

    Args:
        settings: where the queue is.
        now: seconds since the epoch.
        interval_s: seconds between polls.
    """

    def __init__(
        self, settings: RedisSettings, now: Callable[[], float] = time.time, interval_s: float = INTERVAL_S
    ) -> None:
        self._settings = settings
        self._queue = clip_queue(settings, connect(settings))
        self._now = now
        self._interval_s = interval_s
        self._log = logging.getLogger(__name__)
        self._growth = Growth()
        self._state: QueueState | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="queue watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for a poll that waits for Redis: the thread closes the connection after it."""
        self._stop.set()
        if self._thread.ident is None:
            self._queue.connection.close()

    def state(self) -> QueueState | None:
        """Return the state at the last poll; None before the first."""
        return self._state

    def poll(self) -> None:
        """Poll once. The outbox reports that Redis is away."""
        try:
            with redis_errors(self._settings):
                figures = read_figures(self._queue, self._now())
        except (QueueUnavailable, SettingError):
            self._state = QueueState(None, self._growth.growing, self._now())
            return
        message = self._growth.check(figures)
        if message is not None:
            level = logging.WARNING if self._growth.growing else logging.INFO
            self._log.log(level, message, describe_backlog(figures))
        self._state = QueueState(figures, self._growth.growing, self._now())

    def _run(self) -> None:
        with closing(self._queue.connection):
            while not self._stop.is_set():
                try:
                    self.poll()
                except Exception:  # noqa: BLE001  # the outermost call of this thread: recording goes on without figures
                    self._log.exception(messages.QUEUE_WATCH_FAILED)
                self._stop.wait(self._interval_s)
