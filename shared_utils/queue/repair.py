"""Moves aside what does not belong into the queue's keys, so that nobody who uses them fails on it.

Redis keeps no shape: whoever reaches it can put a string where RQ has a list. What is found so is renamed, not deleted,
stays for a week, and is reported.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import redis
from rq import Queue
from rq.job import Job

from shared_utils.queue.names import FIRST_JOB

SET_ASIDE = "vcam:set-aside:"
"""Begins the keys of what was moved aside."""
SET_ASIDE_TTL = 7 * 24 * 3600
"""Seconds it stays."""
MAX_ENTRIES, MAX_ENTRY_BYTES = 1000, 1024
"""Of single entries of a list that are kept."""
LOCK_LASTS_S = 3600
"""Seconds after which nobody's lock is meant: workers' last for some seconds."""
BATCH = 1000
"""Keys that are asked for at once."""

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
    if queue.key in repaired or queue.intermediate_queue_key in repaired:
        adopt_orphans(queue)
    return [f"{key} was a {was}" for key, was in repaired.items()]


def adopt_orphans(queue: Queue) -> None:
    """Put jobs that wait, but of which no list knows any more, back into `queue`, oldest first; new clips before."""
    connection = queue.connection
    prefix = Job.redis_job_namespace_prefix.encode()
    known = {*connection.lrange(queue.key, 0, -1), *connection.lrange(queue.intermediate_queue_key, 0, -1)}
    found: list[tuple[bytes, bytes]] = []
    for keys in _batches(connection.scan_iter(match=prefix + b"*", count=BATCH, _type="hash")):
        with connection.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(key, "status", "origin", "enqueued_at")
            answers = pipeline.execute(raise_on_error=False)
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, list) and answer[:2] == [b"queued", queue.name.encode()]:
                found.append((answer[2] or b"", key.removeprefix(prefix)))
    first = FIRST_JOB.encode()
    found.sort(key=lambda job: (not job[1].startswith(first), job[0]))
    lost = [job_id for _, job_id in found if job_id not in known]
    for job_ids in _batches(lost):
        connection.rpush(queue.key, *job_ids)


def _batches(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch
