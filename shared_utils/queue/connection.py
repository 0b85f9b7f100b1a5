"""The connection to Redis, with Redis' errors as our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from shared_utils.config.redis import RedisSettings
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.rq_adapter.queue import ClipQueue

SERIALIZER = "json"
JOB_TIMEOUT_S = 3600
"""Longest time for one job: an hour-long 4K file on a slow machine still passes."""
_CONDITIONS = ("OOM", "LOADING", "READONLY", "MISCONF", "NOAUTH", "NOPERM", "BUSY", "MASTERDOWN", "command not allowed")
"""First words of errors that concern Redis as a whole, not one key."""
CONNECT_TIMEOUT_S = 5
"""For a connection and for each reply; a Redis on the same machine or network replies in milliseconds."""


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a client for the queue's Redis. Nothing is sent yet.

    No retries inside the client: the callers retry, and log it once.
    """
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        password=settings.password,
        ssl=settings.tls,
        ssl_ca_certs=str(settings.ca) if settings.ca else None,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=CONNECT_TIMEOUT_S,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


def redis_is_away(error: BaseException) -> bool:
    """Return whether Redis as a whole is unavailable (unreachable, loading, full, no permission), not only one key."""
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.exceptions.OutOfMemoryError):
        return True
    return isinstance(error, redis.ResponseError) and str(error).startswith(_CONDITIONS)


@contextmanager
def redis_errors(settings: RedisSettings) -> Iterator[None]:
    """Turn errors of Redis' client into our own, with one line that names the setting.

    Raises:
        SettingError: the password is wrong, missing, or not expected.
        QueueUnavailable: Redis is unreachable or not ready.
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
        if "WRONGTYPE" in str(error):
            raise QueueUnavailable(
                f"the queue in the Redis at {settings.address} is damaged ({_reason(error)}); a worker repairs it"
            ) from None
        raise QueueUnavailable(
            f"Redis at {settings.address} is not available ({_reason(error)}); "
            f"see RDS_HOST{', RDS_PORT and RDS_CA' if settings.tls else ' and RDS_PORT'}"
        ) from None


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.splitlines()[0][:160] if text else type(error).__name__


def clip_queue(settings: RedisSettings, connection: redis.Redis) -> ClipQueue:
    """Return the queue of clips, with the JSON serializer."""
    return ClipQueue(settings.queue, connection=connection, serializer=SERIALIZER, default_timeout=JOB_TIMEOUT_S)


def environment_queue() -> ClipQueue:
    """Return the queue of clips that the environment names (``RDS_HOST``, ``RDS_PORT``, ``RDS_PSW``)."""
    settings = RedisSettings.from_env(os.environ)
    return clip_queue(settings, connect(settings))


def settings_of(queue: Queue) -> RedisSettings:
    """Return the Redis settings of `queue`, for messages."""
    known = queue.connection.connection_pool.connection_kwargs
    return RedisSettings(
        str(known.get("host", "localhost")), int(known.get("port", 6379)), known.get("password"), queue.name
    )
