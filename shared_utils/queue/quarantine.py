"""Moves aside what does not belong into the queue's keys, so that nobody who uses them fails on it.

Redis keeps no shape: whoever reaches it can put a string where RQ has a list. What is found so is renamed, not deleted,
stays for a week, and is reported.
"""

from __future__ import annotations

import time
from contextlib import suppress

import redis

from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.unlisted import requeue_unlisted

QUARANTINE = "vcam:set-aside:"
"""Begins the keys of what was moved aside."""
QUARANTINE_TTL_S = 7 * 24 * 3600
"""Seconds it stays."""
MAX_ENTRIES, MAX_ENTRY_BYTES = 1000, 1024
"""Of single entries of a list that are kept."""
MAX_LOCK_TTL_S = 3600
"""Seconds after which nobody's lock is meant: workers' last for some seconds."""

_ASIDE = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'none' or kind == ARGV[1] then return false end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return kind
"""


def lock_key(queue: ClipQueue) -> str:
    """Return the key that one worker holds while it looks after others' jobs."""
    return f"{queue.keys.waiting}:vcam-cleaning"


def quarantine_key(connection: redis.Redis, key: str, expected: str = "") -> str | None:
    """Rename `key` unless it is of the type `expected`; return the type it had if it was renamed."""
    aside = f"{QUARANTINE}{key[:200]}:{time.time_ns()}"
    kind = connection.eval(_ASIDE, 2, key, aside, expected, QUARANTINE_TTL_S)
    return kind.decode() if isinstance(kind, bytes) else kind


def quarantine_entry(connection: redis.Redis, key: str, entry: bytes) -> None:
    """Keep an entry of the list or set `key` that means nothing here."""
    aside = f"{QUARANTINE}{key}"
    with suppress(redis.ResponseError), connection.pipeline() as pipeline:  # that key too may be anything
        pipeline.rpush(aside, entry[:MAX_ENTRY_BYTES])
        pipeline.ltrim(aside, -MAX_ENTRIES, -1)
        pipeline.expire(aside, QUARANTINE_TTL_S)
        pipeline.execute()


def quarantine_foreign_keys(queue: ClipQueue, worker_key: str | None = None) -> list[str]:
    """Move aside every key of the queue, and of a worker's own, that is of another type than RQ and we use.

    Returns:
        What was found, each with the type it had.
    """
    connection = queue.connection
    kinds = queue.keys.types() | {lock_key(queue): "string"}
    if worker_key:
        kinds[worker_key] = "hash"
    with connection.pipeline(transaction=False) as pipeline:
        for key in kinds:
            pipeline.type(key)
        pipeline.ttl(lock_key(queue))
        *found, lasts = pipeline.execute()
    if lasts == -1 or lasts > MAX_LOCK_TTL_S:  # a lock that never ends: nobody would look after jobs again
        connection.delete(lock_key(queue))
    repaired = {}
    for (key, expected), kind in zip(kinds.items(), found, strict=True):
        if kind.decode() not in ("none", expected) and (was := quarantine_key(connection, key, expected)):
            repaired[key] = was
    if repaired:
        requeue_unlisted(queue)
    return [f"{key} was a {was}" for key, was in repaired.items()]
