"""Moves aside what does not belong into the queue's keys, so that nobody who uses them fails on it.

Redis keeps no shape: whoever reaches it can put a string where RQ has a list. What is found so is renamed, not deleted,
stays for a week, and is reported.
"""

from __future__ import annotations

import time
from contextlib import suppress

import redis
from rq import Queue

from shared_utils.queue.orphans import adopt_orphans

SET_ASIDE = "vcam:set-aside:"
"""Begins the keys of what was moved aside."""
SET_ASIDE_TTL = 7 * 24 * 3600
"""Seconds it stays."""
MAX_ENTRIES, MAX_ENTRY_BYTES = 1000, 1024
"""Of single entries of a list that are kept."""
LOCK_LASTS_S = 3600
"""Seconds after which nobody's lock is meant: workers' last for some seconds."""

_ASIDE = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'none' or kind == ARGV[1] then return false end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return kind
"""


def lock_key(queue: Queue) -> str:
    """Return the key that one worker holds while it looks after others' jobs."""
    return f"{queue.key}:vcam-cleaning"


def set_aside(connection: redis.Redis, key: str, expected: str = "") -> str | None:
    """Rename `key` unless it is of the type `expected`; return the type it had if it was renamed."""
    aside = f"{SET_ASIDE}{key[:200]}:{time.time_ns()}"
    kind = connection.eval(_ASIDE, 2, key, aside, expected, SET_ASIDE_TTL)
    return kind.decode() if isinstance(kind, bytes) else kind


def keep_entry(connection: redis.Redis, key: str, entry: bytes) -> None:
    """Keep an entry of the list or set `key` that means nothing here."""
    aside = f"{SET_ASIDE}{key}"
    with suppress(redis.ResponseError), connection.pipeline() as pipeline:  # that key too may be anything
        pipeline.rpush(aside, entry[:MAX_ENTRY_BYTES])
        pipeline.ltrim(aside, -MAX_ENTRIES, -1)
        pipeline.expire(aside, SET_ASIDE_TTL)
        pipeline.execute()


def repair_keys(queue: Queue, worker_key: str | None = None) -> list[str]:
    """Move aside every key of the queue, and of a worker's own, that is of another type than RQ and we use.

    Returns:
        What was found, each with the type it had.
    """
    connection, name = queue.connection, queue.name
    kinds = {"rq:queues": "set", "rq:workers": "set", f"rq:workers:{name}": "set"}
    kinds |= {queue.key: "list", queue.intermediate_queue_key: "list", lock_key(queue): "string"}
    kinds |= {f"rq:{kind}:{name}": "zset" for kind in ("wip", "finished", "failed", "scheduled")}
    kinds |= {f"rq:{kind}:{name}": "zset" for kind in ("deferred", "canceled")}
    if worker_key:
        kinds[worker_key] = "hash"
    with connection.pipeline(transaction=False) as pipeline:
        for key in kinds:
            pipeline.type(key)
        pipeline.ttl(lock_key(queue))
        *found, lasts = pipeline.execute()
    if lasts == -1 or lasts > LOCK_LASTS_S:  # a lock that never ends: nobody would look after jobs again
        connection.delete(lock_key(queue))
    repaired = {}
    for (key, expected), kind in zip(kinds.items(), found, strict=True):
        if kind.decode() not in ("none", expected) and (was := set_aside(connection, key, expected)):
            repaired[key] = was
    if repaired:
        adopt_orphans(queue)
    return [f"{key} was a {was}" for key, was in repaired.items()]
