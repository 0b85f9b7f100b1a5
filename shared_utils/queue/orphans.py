"""Finds jobs that are to be done and that no list of the queue knows any more, and puts them back.

That is what is left of them where a list was deleted, or moved aside as it was none (:mod:`shared_utils.queue.repair`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import redis
from rq import Queue
from rq.job import Job

from shared_utils.queue.names import FIRST_JOB, is_job_id
from shared_utils.queue.order import ordered

BATCH = 1000
"""Keys that are asked for at once."""
LEASE_S = 15
"""Seconds for a worker to renew its lease of a job that it still does; after that the job is taken for abandoned."""

_QUEUED, _STARTED, _SCHEDULED = b"queued", b"started", b"scheduled"


def adopt_orphans(queue: Queue) -> int:
    """Put jobs that no list knows back into `queue`, oldest first and new clips before; tell how many there were."""
    found = _candidates(queue)
    # asked again: what was queued, begun or done meanwhile is no orphan
    lost = [job_id for job_id, status in _unknown(queue, found).items() if _status_of(queue, job_id) == status]
    now = int(time.time())
    for job_ids in _batches(lost):
        with queue.connection.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                if found[job_id] == _QUEUED:
                    ordered(queue).push_job_id(job_id.decode(), pipeline)
                elif found[job_id] == _STARTED:
                    pipeline.zadd(f"rq:wip:{queue.name}", {job_id + b":lost": now + LEASE_S})
                else:
                    pipeline.zadd(f"rq:scheduled:{queue.name}", {job_id: now})
            pipeline.execute()
    return len(lost)


def _candidates(queue: Queue) -> dict[bytes, bytes]:
    """Return the jobs of `queue` that are neither done nor given up, with their states, oldest first."""
    connection: Any = queue.connection
    prefix = Job.redis_job_namespace_prefix.encode()
    found: list[tuple[bool, bytes, bytes, bytes]] = []
    for keys in _batches(connection.scan_iter(match=prefix + b"*", count=BATCH, _type="hash")):
        with connection.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(key, "status", "origin", "enqueued_at")
            answers = pipeline.execute(raise_on_error=False)
        for key, answer in zip(keys, answers, strict=True):
            job_id = key.removeprefix(prefix)
            if not isinstance(answer, list) or not is_job_id(job_id.decode("utf-8", "replace")):
                continue
            status, origin, since = answer
            if status in (_QUEUED, _STARTED, _SCHEDULED) and origin == queue.name.encode():
                found.append((not job_id.startswith(FIRST_JOB.encode()), since or b"", job_id, status))
    return {job_id: status for _, _, job_id, status in sorted(found)}


def _unknown(queue: Queue, jobs: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return those of `jobs` that none of the queue's lists holds."""
    connection: Any = queue.connection
    known: set[bytes] = set()
    for key in (queue.key, queue.intermediate_queue_key):
        with suppress(redis.ResponseError):
            known.update(connection.lrange(key, 0, -1))
    for kind in ("wip", "scheduled"):
        with suppress(redis.ResponseError):
            known.update(entry.partition(b":")[0] for entry in connection.zrange(f"rq:{kind}:{queue.name}", 0, -1))
    return {job_id: status for job_id, status in jobs.items() if job_id not in known}


def _status_of(queue: Queue, job_id: bytes) -> bytes | None:
    connection: Any = queue.connection
    try:
        status: bytes | None = connection.hget(Job.redis_job_namespace_prefix.encode() + job_id, "status")
    except redis.ResponseError:
        return None
    return status


def _batches(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch
