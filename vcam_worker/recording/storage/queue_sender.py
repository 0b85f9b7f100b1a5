"""Queues a camera's published clips from a thread of its own, so that a Redis that hangs never holds up recording."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import redis
from rq import Queue

from shared_utils.config.redis import RedisSettings
from shared_utils.queue.jobs import clip_queue, enqueue_new_clip, redis_errors
from vcam_worker import messages
from vcam_worker.recording.storage.outbox import Enqueue, Outbox

RETRY_FIRST_S, RETRY_MAX_S = 1.0, 15.0
"""Delays between attempts while Redis is away, which double from the first to the longest."""

Log = logging.LoggerAdapter[logging.Logger]


class QueueSender:
    """Queues an outbox's clips from a thread of its own, so that a Redis that hangs never delays recording.

    Args:
        outbox: whose clips to queue.
        log: takes failures to read the outbox.
    """

    def __init__(self, outbox: Outbox, log: Log) -> None:
        self._outbox = outbox
        self._log = log
        self._failed = False
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """A clip has been published."""
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Queue once more, and stop; what still waits is queued at the next start."""
        self._stop = True
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        delay = RETRY_FIRST_S
        wait: float | None = None
        while not self._stop:
            self._wake.wait(wait)
            self._wake.clear()
            if self._send():
                delay, wait = RETRY_FIRST_S, None
            else:
                wait = delay
                delay = min(delay * 2, RETRY_MAX_S)
        self._send()  # clips published during the last round

    def _send(self) -> bool:
        try:
            done = self._outbox.send()
        except OSError as error:
            if not self._failed:
                self._log.warning(messages.OUTBOX_UNUSABLE, error)
            self._failed = True
            return False
        if self._failed:
            self._log.info(messages.OUTBOX_USABLE_AGAIN)
        self._failed = False
        return done


def redis_enqueue(
    settings: RedisSettings, connection: redis.Redis, options: Mapping[str, Any] | None = None
) -> Enqueue:
    """Return a function that queues a clip in Redis; it returns False where its job existed already.

    Args:
        settings: where Redis is.
        connection: to Redis.
        options: of the camera's jobs, such as ``{"classes": ["person"]}``.
    """
    queue: Queue = clip_queue(settings, connection)

    def enqueue(name: str, recording: str | None) -> bool:
        with redis_errors(settings):
            return enqueue_new_clip(queue, name, recording, options)

    return enqueue
