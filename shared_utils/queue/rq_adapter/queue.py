"""RQ's queue, with first jobs of new clips before further runs."""

from __future__ import annotations

from typing import Any

from redis.client import Pipeline
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job

from shared_utils.queue.order import ENQUEUE_NEW, PUSH
from shared_utils.queue.rq_adapter.keys import QueueKeys

__all__ = ["ClipQueue", "DuplicateJobError", "ordered"]


class ClipQueue(Queue):
    """RQ's queue with the order of :mod:`shared_utils.queue.order`, and without jobs that depend on others."""

    @property
    def keys(self) -> QueueKeys:
        """Its keys in Redis."""
        return QueueKeys(self.name)

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> None:
        """Put a job into its place; `at_front`: before all others of its kind."""
        connection: Any = pipeline if pipeline is not None else self.connection
        connection.eval(PUSH, 1, self.key, job_id, int(at_front))

    def enqueue_existing(self, job: Job, pipeline: Pipeline | None = None, *, at_front: bool = False) -> Job:
        """Save a job as queued, and put it into its place."""
        return self._enqueue_job(job, pipeline=pipeline, at_front=at_front)

    def enqueue_new(self, job: Job) -> None:
        """Queue a job unless one of its id is known: in one step, so that a crash leaves all of it or nothing.

        Raises:
            DuplicateJobError: it is.
        """
        self._prepare_for_queue(job)
        connection: Any = self.connection
        connection.sadd(self.redis_queues_keys, self.key)
        if not connection.eval(ENQUEUE_NEW, 2, self.key, job.key, job.id, *_values(job)):
            raise DuplicateJobError(f"there is a job {job.id} already")

    def enqueue_dependents(self, job: Job, *arguments: Any, **options: Any) -> None:
        """Do nothing: no job of ours depends on another, and whoever reaches Redis could say that some do."""


def _values(job: Job) -> list[Any]:
    """Return the fields of a job's hash and their values, in turn."""
    fields = ((name, value) for name, value in job.to_dict().items() if value is not None)
    return [part for name, value in fields for part in (name, value if isinstance(value, bytes | str) else str(value))]


def ordered(queue: Queue) -> ClipQueue:
    """Return `queue`, whoever made it, as one that keeps the order."""
    if isinstance(queue, ClipQueue):
        return queue
    return ClipQueue(queue.name, connection=queue.connection, serializer=queue.serializer)
