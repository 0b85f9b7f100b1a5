"""Serves the queue, and reconnects whenever Redis was unavailable."""

from __future__ import annotations

import logging
from collections.abc import Callable

from redis.backoff import ConstantBackoff
from redis.retry import Retry

from shared_utils.config.redis import RedisSettings
from shared_utils.errors import QueueUnavailable
from shared_utils.queue.connection import clip_queue, connect, redis_errors
from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.rq_adapter.worker import WorkerIdentity, quiet_loggers
from video_worker import messages
from video_worker.jobs import WorkerContext
from video_worker.queue.rate_limited_log import RateLimitedLog
from video_worker.queue.stop import Stop
from video_worker.queue.worker import ClipWorker

FIRST_DELAY_S = 0.5
"""Seconds before Redis is tried again; doubled each time."""
MAX_DELAY_S = 10.0

log = logging.getLogger(__name__)


def open_queue(settings: RedisSettings) -> ClipQueue:
    """Return the queue on a connection for a worker.

    Raises:
        SettingError: the password is wrong.
        QueueUnavailable: Redis cannot be reached.
    """
    connection = connect(settings)
    # sockets that were pooled before Redis was restarted fail once each; Redis itself is there
    connection.set_retry(Retry(ConstantBackoff(0.1), 2))
    with redis_errors(settings):
        connection.ping()
    return clip_queue(settings, connection)


def serve(
    settings: RedisSettings,
    context: WorkerContext,
    stop: Stop,
    *,
    burst: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the queue until a stop is requested; Redis may come late, and come and go.

    Args:
        settings: where Redis is.
        context: what jobs share.
        stop: ends the loop.
        burst: return when the queue is empty.
        ready: called when Redis is reached for the first time.

    Raises:
        SettingError: the password is wrong.
    """
    quiet_loggers()
    identity, errors = WorkerIdentity(), RateLimitedLog(log)
    delay, away, begun = FIRST_DELAY_S, False, False
    while not stop.requested:
        try:
            queue = open_queue(settings)
            if away:
                log.info(messages.WORKER_REDIS_BACK, settings.address)
            if not begun:
                ready()
            delay, away, begun = FIRST_DELAY_S, False, True
            with redis_errors(settings):
                ClipWorker(queue, context, stop, identity, errors).serve(burst=burst)
            break
        except QueueUnavailable as error:
            if not away:
                log.warning(messages.WORKER_REDIS_UNREACHABLE, error)
            away = True
            stop.wait(delay)
            delay = min(delay * 2, MAX_DELAY_S)
