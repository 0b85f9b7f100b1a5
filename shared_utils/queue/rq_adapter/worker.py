"""RQ's worker as a base for ours: it performs one job that it is given, and registers itself; no loop, no fork."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from redis.client import Pipeline
from rq import Queue, SimpleWorker, worker_registration
from rq.job import Job
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker.base import WorkerStatus

from shared_utils.queue.rq_adapter.jobs import SERIALIZER, Lease, StoredJob
from shared_utils.queue.rq_adapter.queue import ClipQueue

__all__ = ["JobTimeoutException", "JobWorker", "WorkerIdentity", "quiet_loggers"]

KEPT_S = 60
"""Seconds that RQ adds to a worker's time to live."""


@dataclass
class WorkerIdentity:
    """What a worker is called and has done, also over another connection.

    Attributes:
        name: unique; begins with its host's name.
        birth: when it started.
        done, failed: jobs.
        worked_s: seconds in them.
    """

    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}")
    birth: datetime = field(default_factory=now)
    done: int = 0
    failed: int = 0
    worked_s: float = 0.0


class JobWorker(SimpleWorker):
    """Performs jobs of one queue; subclasses say how by :meth:`run` and :meth:`handle_failure`.

    Args:
        queue: the queue.
        job_class: of its jobs.
        identity: what the worker is called and has done.
        worker_ttl_s: seconds after its last heartbeat that Redis forgets the worker; :data:`KEPT_S` are added.
        lease_s: seconds of a job's lease when it is begun.
    """

    def __init__(
        self,
        queue: ClipQueue,
        job_class: type[StoredJob],
        identity: WorkerIdentity,
        worker_ttl_s: int,
        lease_s: int,
    ) -> None:
        super().__init__(
            [queue],
            name=identity.name,
            connection=queue.connection,
            job_class=job_class,
            serializer=SERIALIZER,
            worker_ttl=worker_ttl_s,
            prepare_for_work=False,
        )
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.birth_date = identity.birth
        self._queue = queue
        self._identity = identity
        self._lease_s = lease_s
        self._error: BaseException | None = None

    def run(self, job: StoredJob, lease: Lease, arguments: Mapping[str, object]) -> object:
        """Do `job`, which is held by `lease`, and return its result."""
        raise NotImplementedError

    def handle_failure(self, job: StoredJob, error: BaseException | None, text: str) -> str | None:
        """Decide what becomes of `job`, by its retries, after `error`.

        Returns:
            The text that is kept as the reason; None to put the job back at the front of the queue.
        """
        raise NotImplementedError

    def register(self) -> None:
        """Write into Redis that this worker lives, who it is and what it has done."""
        self.last_heartbeat = now()
        figures: dict[str, Any] = {
            "state": self.get_state(),
            "successful_job_count": self._identity.done,
            "failed_job_count": self._identity.failed,
            "total_working_time": round(self._identity.worked_s, 3),
        }
        with self.connection.pipeline() as pipeline:
            pipeline.hset(self.key, mapping=self.serialize() | figures)
            pipeline.expire(self.key, self.worker_ttl + KEPT_S)
            worker_registration.register(self, pipeline)
            pipeline.execute()

    def deregister(self) -> None:
        """Take this worker from the list of workers."""
        self.register_death()  # type: ignore[no-untyped-call]

    def mark_idle(self) -> None:
        """Write into Redis that this worker waits for a job."""
        self.set_state(WorkerStatus.IDLE)

    def perform(self, job: StoredJob) -> None:
        """Do `job`, and write into Redis what became of it."""
        self._error = None
        job.runner = partial(self._run, job)
        self.execute_job(job, self._queue)

    def _run(self, job: StoredJob, **arguments: object) -> object:
        assert self.execution is not None  # noqa: S101  # made by execute_job
        return self.run(job, Lease(job, self.execution), arguments)

    # what follows is called by RQ

    def get_heartbeat_ttl(self, job: Job) -> int:  # noqa: ARG002  # RQ's signature
        """Return the seconds of a job's lease."""
        return self._lease_s

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ARG002  # RQ's signature
        """Keep the error for :meth:`handle_job_failure`, which comes next."""
        self._error = exc_info[1]

    def handle_job_failure(
        self, job: Job, queue: Queue, started_job_registry: Any = None, exc_string: str = ""
    ) -> None:
        """Have the job tried again, put back, or kept as failed."""
        assert isinstance(job, StoredJob)  # noqa: S101  # the job class is ours
        text = self.handle_failure(job, self._error, exc_string)
        if text is not None:
            super().handle_job_failure(job, queue, started_job_registry, text)
            return
        with self.connection.pipeline() as pipeline:
            self.cleanup_execution(job, pipeline=pipeline)
            self._queue.enqueue_existing(job, pipeline, at_front=True)
            pipeline.execute()

    def increment_successful_job_count(self, pipeline: Pipeline | None = None) -> None:
        """Count a job that ended well."""
        self._identity.done += 1
        self._write("successful_job_count", self._identity.done, pipeline)

    def increment_failed_job_count(self, pipeline: Pipeline | None = None) -> None:
        """Count a job that failed."""
        self._identity.failed += 1
        self._write("failed_job_count", self._identity.failed, pipeline)

    def increment_total_working_time(self, job_execution_time: timedelta, pipeline: Pipeline) -> None:
        """Add up the time of jobs."""
        self._identity.worked_s += job_execution_time.total_seconds()
        self._write("total_working_time", round(self._identity.worked_s, 3), pipeline)

    def _write(self, name: str, value: float, pipeline: Pipeline | None) -> None:
        # set, where RQ adds: what others put there is no number to add to
        (self.connection if pipeline is None else pipeline).hset(self.key, name, value)


def quiet_loggers() -> None:
    """Leave RQ's loggers what is a warning: this worker logs a line for each event itself."""
    for name in ("rq.worker", "rq.job", "rq.queue", "rq.registry"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # abandoned jobs are reported by the worker's own maintenance
    logging.getLogger("rq.registry").setLevel(logging.ERROR)
