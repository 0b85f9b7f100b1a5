"""Finds jobs that wait to be done but are in none of the queue's lists any more, and requeues them.

They are left over where a list was deleted, or quarantined as it was no list (:mod:`shared_utils.queue.quarantine`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import redis

from shared_utils.queue.names import FIRST_JOB, is_job_id
from shared_utils.queue.rq_adapter.keys import JOB_PREFIX, job_id_of, job_key
from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.rq_adapter.values import QUEUED, SCHEDULED, STARTED

BATCH = 1000
"""Keys per request."""
LEASE_S = 15
"""Seconds for a worker to renew the lease of a job that it still runs; after that the job counts as abandoned."""

_QUEUED, _STARTED, _SCHEDULED = QUEUED.encode(), STARTED.encode(), SCHEDULED.encode()


def requeue_unlisted(queue: ClipQueue) -> int:
    """Requeue jobs that no list knows, new clips before all others, then oldest first; return how many there were."""
    found = _candidates(queue)
    # checked again: a job may have been queued, begun or finished meanwhile
    lost = [job_id for job_id, status in _unknown(queue, found).items() if _status_of(queue, job_id) == status]
    now = int(time.time())
    for job_ids in _batches(lost):
        with queue.connection.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                if found[job_id] == _QUEUED:
                    queue.push_job_id(job_id.decode(), pipeline)
                elif found[job_id] == _STARTED:
                    pipeline.zadd(queue.keys.started, {job_id + b":lost": now + LEASE_S})
                else:
                    pipeline.zadd(queue.keys.scheduled, {job_id: now})
            pipeline.execute()
    return len(lost)


def _candidates(queue: ClipQueue) -> dict[bytes, bytes]:
    """Return the jobs of `queue` that are neither finished nor failed, with their states, oldest first."""
    connection: Any = queue.connection
    prefix = JOB_PREFIX.encode()
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


def _unknown(queue: ClipQueue, jobs: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return those of `jobs` that none of the queue's lists holds."""
    connection: Any = queue.connection
    known: set[bytes] = set()
    for key in (queue.keys.waiting, queue.keys.taken):
        with suppress(redis.ResponseError):
            known.update(connection.lrange(key, 0, -1))
    for key in (queue.keys.started, queue.keys.scheduled):
        with suppress(redis.ResponseError):
            known.update(map(job_id_of, connection.zrange(key, 0, -1)))
    return {job_id: status for job_id, status in jobs.items() if job_id not in known}


def _status_of(queue: ClipQueue, job_id: bytes) -> bytes | None:
    connection: Any = queue.connection
    try:
        status: bytes | None = connection.hget(job_key(job_id.decode()), "status")
    except redis.ResponseError:
        return None
    return status


def _batches(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch
