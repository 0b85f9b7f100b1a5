"""The queue: one kind of job, carried as JSON by RQ (DESIGN 3.4).

Capture and the notebooks enqueue by the function's dotted path, so neither needs the worker's code.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job

from shared_utils.config import RedisSettings
from shared_utils.errors import QueueUnavailable, SettingError

PROCESS_CLIP = "video_worker.jobs.process_clip"
SERIALIZER = "json"

JOB_TIMEOUT = 3600
"""Seconds a job may take before the worker gives it up: an hour-long 4K file on a slow machine still passes."""
RESULT_TTL = 7 * 24 * 3600
"""Seconds a finished job stays known: as long, a clip announced twice is still queued once."""
FAILURE_TTL = 30 * 24 * 3600
"""Seconds a failed job stays in the failed registry, to be looked at and requeued."""
CONNECT_TIMEOUT = 5
"""Seconds; a Redis on the same machine or network answers in milliseconds."""


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a client for the queue's Redis. Nothing is sent yet.

    No retries inside the client: our callers keep trying, and say so once.
    """
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        password=settings.password,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=CONNECT_TIMEOUT,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def redis_errors(settings: RedisSettings) -> Iterator[None]:
    """Turn what Redis' client raises into our own errors, in one line that names the setting.

    Raises:
        SettingError: the password is wrong, missing, or not wanted.
        QueueUnavailable: no Redis there, or not ready.
    """
    try:
        yield
    except redis.AuthenticationError:
        given = "is not accepted" if settings.password else "is not set, but a password is wanted"
        raise SettingError(
            f"RDS_PSW {given} by the Redis at {settings.address}: give the password that Redis was started with"
        ) from None
    except redis.RedisError as error:
        if "NOAUTH" in str(error) or "without any password configured" in str(error):
            raise SettingError(
                f"RDS_PSW does not fit the Redis at {settings.address}: set it where Redis has a password, "
                "and only there"
            ) from None
        raise QueueUnavailable(
            f"Redis at {settings.address} is not available ({_reason(error)}); see RDS_HOST and RDS_PORT"
        ) from None


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.splitlines()[0][:160] if text else type(error).__name__


def clip_queue(settings: RedisSettings, connection: redis.Redis) -> Queue:
    """Return the queue of clips, with the JSON serializer."""
    return Queue(settings.queue, connection=connection, serializer=SERIALIZER, default_timeout=JOB_TIMEOUT)


def clip_job_id(filename: str) -> str:
    """Return the id of a clip's first job: ``clip-<stem>``."""
    return f"clip-{PurePath(filename).stem}"


def enqueue_new_clip(queue: Queue, filename: str) -> bool:
    """Queue the first job of a clip, with the worker's own options.

    Returns:
        False when that job was there already: a clip is queued once, however often it is announced.
    """
    try:
        _enqueue(queue, filename, {}, clip_job_id(filename), unique=True)
    except DuplicateJobError:
        return False
    return True


def submit(queue: Queue, filename: str, options: Mapping[str, Any] | None = None) -> Job:
    """Queue a further run over a file of the shared volume, such as one with another threshold.

    Args:
        queue: see :func:`clip_queue`.
        filename: bare name of a file in ``VIDEO_DIR``.
        options: any of ``model``, ``conf``, ``imgsz``, ``fps``, ``min_hits``; the worker's settings for the rest.

    Returns:
        The job, under an id of its own.
    """
    job_id = f"run-{PurePath(filename).stem}-{uuid.uuid4().hex[:8]}"
    return _enqueue(queue, filename, dict(options or {}), job_id, unique=False)


def _enqueue(queue: Queue, filename: str, options: Mapping[str, Any], job_id: str, *, unique: bool) -> Job:
    return queue.enqueue_call(
        PROCESS_CLIP,
        kwargs={"filename": filename, "options": dict(options)},
        job_id=job_id,
        unique=unique,
        timeout=JOB_TIMEOUT,
        result_ttl=RESULT_TTL,
        failure_ttl=FAILURE_TTL,
        description=f"analyse {filename}",
    )
