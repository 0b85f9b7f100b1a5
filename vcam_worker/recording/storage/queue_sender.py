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
"""Seconds between attempts while Redis is away."""

Log = logging.LoggerAdapter[logging.Logger]


class QueueSender:
    """Sends the outbox from a thread of its own: a Redis that hangs never holds up recording.

    Args:
        outbox: what to send.
        log: says when the outbox cannot be read.
    """

    def __init__(self, outbox: Outbox, log: Log) -> None:
        self._outbox = outbox
        self._log = log
        self._failed = False
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """A clip has been published."""
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Send what is there once more, and end; what then still waits is sent at the next start."""
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
        self._send()  # what was published while the last round was under way

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
    """Return the function that queues a clip in Redis; False where its job was there already.

    Args:
        options: those of the camera that its jobs carry, such as ``{"classes": ["person"]}``.
    """
    queue: Queue = clip_queue(settings, connection)

    def enqueue(name: str, recording: str | None) -> bool:
        with redis_errors(settings):
            return enqueue_new_clip(queue, name, recording, options)

    return enqueue
