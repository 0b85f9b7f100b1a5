"""Quarantines foreign values in the queue's keys, so that nobody who uses the keys fails on them.

Redis has no schema: whoever reaches it can put a string where RQ has a list. Such a key is renamed, not deleted, kept
for a week, and logged.
"""

from __future__ import annotations

import time
from contextlib import suppress

import redis

from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.unlisted import requeue_unlisted

QUARANTINE = "vcam:set-aside:"
"""Prefix of the keys of quarantined values."""
QUARANTINE_TTL_S = 7 * 24 * 3600
"""Seconds that a quarantined value is kept."""
MAX_ENTRIES, MAX_ENTRY_BYTES = 1000, 1024
"""Limits of the single entries of a list that are kept."""
MAX_LOCK_TTL_S = 3600
"""Longest time to live of a lock that is believed: workers' locks last for some seconds."""

_ASIDE = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'none' or kind == ARGV[1] then return false end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return kind
"""


def lock_key(queue: ClipQueue) -> str:
    """Return the key of the lock that one worker holds during maintenance."""
    return f"{queue.keys.waiting}:vcam-cleaning"


def quarantine_key(connection: redis.Redis, key: str, expected: str = "") -> str | None:
    """Rename `key` unless it is of the type `expected`; return the type it had if it was renamed."""
    aside = f"{QUARANTINE}{key[:200]}:{time.time_ns()}"
    kind = connection.eval(_ASIDE, 2, key, aside, expected, QUARANTINE_TTL_S)
    return kind.decode() if isinstance(kind, bytes) else kind


def quarantine_entry(connection: redis.Redis, key: str, entry: bytes) -> None:
    """Keep a foreign entry of the list or set `key`."""
    aside = f"{QUARANTINE}{key}"
    with suppress(redis.ResponseError), connection.pipeline() as pipeline:  # that key too may be anything
        pipeline.rpush(aside, entry[:MAX_ENTRY_BYTES])
        pipeline.ltrim(aside, -MAX_ENTRIES, -1)
        pipeline.expire(aside, QUARANTINE_TTL_S)
        pipeline.execute()


def quarantine_foreign_keys(queue: ClipQueue, worker_key: str | None = None) -> list[str]:
    """Quarantine every key of the queue, and of a worker's own, whose type is not the one that RQ and we use.

    Returns:
        The quarantined keys, each with its type.
    """
    connection = queue.connection
    kinds = queue.keys.types() | {lock_key(queue): "string"}
    if worker_key:
        kinds[worker_key] = "hash"
    with connection.pipeline(transaction=False) as pipeline:
        for key in kinds:
            pipeline.type(key)
        pipeline.ttl(lock_key(queue))
        *found, ttl_s = pipeline.execute()
    if ttl_s == -1 or ttl_s > MAX_LOCK_TTL_S:  # a lock that never ends: nobody would run the maintenance again
        connection.delete(lock_key(queue))
    moved = {}
    for (key, expected), kind in zip(kinds.items(), found, strict=True):
        if kind.decode() not in ("none", expected) and (was := quarantine_key(connection, key, expected)):
            moved[key] = was
    if moved:
        requeue_unlisted(queue)
    return [f"{key} was a {was}" for key, was in moved.items()]
