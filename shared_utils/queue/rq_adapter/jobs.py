"""RQ's job, read from Redis field by field and only as far as each field is sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import redis
from redis.client import Pipeline
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now, str_to_date

from shared_utils.queue.rq_adapter.queue import ClipQueue

__all__ = [
    "SERIALIZER",
    "DeserializationError",
    "Job",
    "Lease",
    "NoSuchJobError",
    "StoredJob",
    "call_of",
    "fetch_jobs",
    "forget_expired",
    "is_state",
    "is_time",
]

SERIALIZER = JSONSerializer
"""Never pickle: it runs whatever it is given."""
MAX_FIELD_BYTES = 64 * 1024
"""Of a field of a job's hash."""
_STATES = frozenset(state.value.encode() for state in JobStatus)


def is_time(value: Any) -> bool:
    """Return whether RQ can read `value` as a time, with a year that we can compute with."""
    try:
        return str_to_date(value).year > 1
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False


def is_state(value: Any) -> bool:
    """Return whether `value` is a state of a job in RQ."""
    return value in _STATES


def fetch_jobs(job_ids: Sequence[str], connection: redis.Redis) -> list[Job]:
    """Return the jobs of these ids, without those that are gone or cannot be read."""
    try:
        found = Job.fetch_many(job_ids, connection=connection, serializer=SERIALIZER)
    except (ValueError, TypeError, AttributeError, redis.ResponseError):  # one of them is rubbish
        found = [_fetched(job_id, connection) for job_id in job_ids]
    return [job for job in found if job is not None]


def _fetched(job_id: str, connection: redis.Redis) -> Job | None:
    try:
        return Job.fetch(job_id, connection=connection, serializer=SERIALIZER)
    except (NoSuchJobError, ValueError, TypeError, AttributeError, redis.ResponseError):
        return None


def call_of(job: Job) -> tuple[str, Mapping[str, Any]] | None:
    """Return the function and the keyword arguments of a job; None where its data is no call."""
    try:
        name, arguments = job.func_name, job.kwargs
    except (DeserializationError, KeyError, TypeError, AttributeError, ValueError):
        return None
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None


class StoredJob(Job):
    """A job whose hash may hold anything: only fields in :attr:`sound` are read, the others are as if not there."""

    runner: Callable[..., Any] | None = None
    """What is run for the job, given by the worker before it performs it."""
    sound: ClassVar[Mapping[str, Callable[[Any], bool]]] = {}
    """Fields of the hash that are read, each with the check of its value."""

    @classmethod
    def load(cls, job_id: str, queue: ClipQueue) -> Self:
        """Return the job of that id as one of `queue`.

        Raises:
            NoSuchJobError: there is none.
            redis.ResponseError: the job's key is something else.
        """
        job = cls.fetch(job_id, connection=queue.connection, serializer=queue.serializer)
        assert isinstance(job, cls)  # noqa: S101  # it is its own class's method
        job.origin = queue.name
        return job

    def clean_data(self, data: Any) -> bytes:
        """Return the job's call as it is to be read; subclasses check it."""
        return bytes(data)

    def settle(self) -> None:
        """Bring what was read within bounds; called after each reading."""

    def refresh(self) -> None:
        """Read the job's hash, without what is unknown, or longer than any of its values may be.

        Raises:
            NoSuchJobError: there is none.
            redis.ResponseError: the job's key is something else.
        """
        names = [*self.sound, "data"]
        with self.connection.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hstrlen(self.key, name)
            lengths = pipeline.execute()
        short = [name for name, length in zip(names, lengths, strict=True) if length <= MAX_FIELD_BYTES]
        values = self.connection.hmget(self.key, short)
        raw: dict[bytes | str, Any] = {}
        raw |= {name: value for name, value in zip(short, values, strict=True) if value is not None}
        if not raw:
            raise NoSuchJobError(f"no such job: {self.id}")
        if lengths[-1]:
            raw.setdefault("data", b"")  # too long: it ends as a job without a call
        self.restore(raw)

    def restore(self, raw_data: Mapping[bytes | str, Any]) -> None:
        """Take over a job's hash as far as it is known and sound."""
        raw = {key.decode("utf-8", "replace") if isinstance(key, bytes) else key: raw_data[key] for key in raw_data}
        clean = {key: raw[key] for key, is_sound in self.sound.items() if key in raw and is_sound(raw[key])}
        if "data" in raw:
            clean["data"] = self.clean_data(raw["data"])
        super().restore(clean)
        self.settle()

    def prepare_for_execution(self, worker_name: str, pipeline: Pipeline) -> None:
        """Write into Redis that the job has begun, with its retries for whoever finds it abandoned."""
        super().prepare_for_execution(worker_name, pipeline)
        intervals = "[" + ", ".join(map(str, self.retry_intervals or ())) + "]"
        pipeline.hset(self.key, mapping={"retries_left": self.retries_left or 0, "retry_intervals": intervals})

    @property
    def is_marked_started(self) -> bool:
        """Whether it was in work when it was read."""
        return self.get_status(refresh=False) == JobStatus.STARTED

    def fail(self, reason: str, pipeline: Pipeline) -> None:
        """Mark it as failed for good, without a worker."""
        self.set_status(JobStatus.FAILED, pipeline=pipeline)
        self._handle_failure(reason, pipeline, worker_name="")

    def save_progress(self, values: Mapping[str, Any]) -> None:
        """Add `values` to the job's meta in Redis."""
        self.meta |= values
        self.save_meta()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Lease:
    """A worker's hold on a job, which ends by itself unless it is renewed.

    Attributes:
        job: the job in work.
        execution: RQ's record of this try.
    """

    job: StoredJob
    execution: Execution

    def renew(self, connection: redis.Redis, lease_s: int) -> None:
        """Hold the job for `lease_s` seconds from now."""
        started = self.job.started_job_registry
        with connection.pipeline() as pipeline:
            # RQ renews only what is there; the set of leases may have been deleted
            pipeline.zadd(started.key, {self.execution.composite_key: int(time.time()) + lease_s})
            self.execution.heartbeat(started, lease_s, pipeline=pipeline)
            self.job.heartbeat(now(), lease_s, pipeline=pipeline)
            pipeline.execute()


def forget_expired(queue: ClipQueue, job_class: type[StoredJob]) -> None:
    """Drop the entries of finished and failed jobs whose time is over."""
    FinishedJobRegistry(queue=queue, job_class=job_class).cleanup()
    FailedJobRegistry(queue=queue, job_class=job_class).cleanup()
