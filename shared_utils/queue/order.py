"""The order in the queue: first jobs of new clips, then further runs; within both, first come, first served.

A clip that was just recorded never waits behind thousands of further runs. It is one list all the same, as others know
it: a first job, which its id gives away, is put behind the last one of its kind instead of at the end.
"""

from __future__ import annotations

from typing import Any

from redis.client import Pipeline
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job

from shared_utils.queue.names import FIRST_JOB

_PLACE = """
local function is_first(id) return string.sub(id, 1, #FIRST) == FIRST end
local function place(key, id, front)
    local tail = redis.call('LINDEX', key, -1)
    if is_first(id) then
        if front then return redis.call('LPUSH', key, id) end
        if not tail or is_first(tail) then return redis.call('RPUSH', key, id) end
    elseif not front then
        return redis.call('RPUSH', key, id)
    end
    local at, last = 0, nil
    repeat  -- first jobs are at the head; one of a further run between them does no harm
        local found = false
        for _, one in ipairs(redis.call('LRANGE', key, at, at + 99)) do
            if is_first(one) then last, found = one, true end
        end
        at = at + 100
    until not found
    if last then return redis.call('LINSERT', key, 'AFTER', last, id) end
    return redis.call('LPUSH', key, id)
end
""".replace("FIRST", f"'{FIRST_JOB}'")
_PUSH = f"{_PLACE} return place(KEYS[1], ARGV[1], ARGV[2] == '1')"
_ENQUEUE_NEW = f"""{_PLACE}
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
place(KEYS[1], ARGV[1], false)  -- first: where the list is none, nothing is left of the job either
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
"""
_COUNT_NEW = """
local at, count = 0, 0
repeat
    local found = false
    for _, one in ipairs(redis.call('LRANGE', KEYS[1], at, at + 999)) do
        if string.sub(one, 1, #ARGV[1]) == ARGV[1] then count, found = count + 1, true end
    end
    at = at + 1000
until not found
return count
"""


class ClipQueue(Queue):
    """RQ's queue with the order of this module, and without jobs that depend on others."""

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> None:
        """Put a job into its place; `at_front`: before all others of its kind."""
        connection: Any = pipeline if pipeline is not None else self.connection
        connection.eval(_PUSH, 1, self.key, job_id, int(at_front))

    def enqueue_new(self, job: Job) -> None:
        """Queue a job unless one of its id is known: in one step, so that a crash leaves all of it or nothing.

        Raises:
            DuplicateJobError: it is.
        """
        self._prepare_for_queue(job)
        connection: Any = self.connection
        connection.sadd(self.redis_queues_keys, self.key)
        if not connection.eval(_ENQUEUE_NEW, 2, self.key, job.key, job.id, *_values(job)):
            raise DuplicateJobError(f"there is a job {job.id} already")

    def enqueue_dependents(self, job: Job, *arguments: Any, **options: Any) -> None:
        """Do nothing: no job of ours depends on another, and whoever reaches Redis could say that some do."""


def _values(job: Job) -> list[Any]:
    """Return the fields of a job's hash and their values, in turn."""
    fields = ((name, value) for name, value in job.to_dict().items() if value is not None)
    return [part for name, value in fields for part in (name, value if isinstance(value, bytes | str) else str(value))]


def ordered(queue: Queue) -> ClipQueue:
    """Return `queue`, whoever made it, as one with the order of this module."""
    if isinstance(queue, ClipQueue):
        return queue
    return ClipQueue(queue.name, connection=queue.connection, serializer=queue.serializer)


def count_new(key: str) -> tuple[str, int, str, str]:
    """Return the arguments of ``EVAL`` that count the first jobs of new clips in the list `key`."""
    return _COUNT_NEW, 1, key, FIRST_JOB
