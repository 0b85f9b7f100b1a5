"""The RQ worker: takes clips from the queue, one after the other, through any absence of Redis."""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.client import Pipeline
from redis.retry import Retry
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker.base import WorkerStatus

from shared_utils.config.redis import RedisSettings
from shared_utils.errors import (
    ClipError,
    ClipGrowing,
    JobRefused,
    ModelError,
    NotWritten,
    QueueUnavailable,
    VcamError,
)
from shared_utils.queue.connection import clip_queue, connect, redis_errors, redis_is_away
from shared_utils.queue.figures import KEEPER_FIELD
from video_worker import messages
from video_worker.jobs import JobFacts, Outcome, Workplace, camera_field, process_clip, write_failure
from video_worker.pipeline.analysis import Interrupted
from video_worker.pipeline.cores import Neighbours, share_of_cores
from video_worker.pipeline.run_names import RunNames, make_run_id
from video_worker.queue.complaints import Complaints
from video_worker.queue.intake import Intake
from video_worker.queue.keeper import Keeper
from video_worker.queue.queue_job import SERIALIZER, ClipJob
from video_worker.queue.rescue import LEASE_S, Rescue
from video_worker.queue.stop import Stop

WORKER_TTL_S = 18
"""Seconds after its last sign of life that Redis forgets a worker; RQ adds 60. RQ waits for a job 15 less at a time,
which must be less than the connection's time-out."""
FIRST_DELAY_S = 0.5
"""Seconds before Redis is tried again; doubled each time."""
MAX_DELAY_S = 10.0

HOPELESS = (JobRefused, ClipError, ModelError, DeserializationError, JobTimeoutException)
"""Errors that trying again would only repeat."""

VOLUME_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN}
)
"""Of reading from a shared volume that has gone: no clip is at fault, and it may last for hours. EIO and EACCES may be
a clip's own: a bad sector, its rights."""
VOLUME_RETRY_S = 30
"""Seconds before a job is tried again that the volume would not take the outcome of."""

GROWING_RETRY_S = 10
"""Seconds before a clip is tried again that is still being written."""

log = logging.getLogger(__name__)


@dataclass
class Identity:
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


class ClipWorker(SimpleWorker):
    """Serves the queue over one connection; see :func:`serve` for what happens when that breaks.

    Args:
        queue: the clips' queue.
        workplace: what jobs share.
        stop: the wish to stop.
        identity: what the worker is called and has done.
        complaints: where odd things are reported.
    """

    job_class = ClipJob

    def __init__(
        self, queue: Queue, workplace: Workplace, stop: Stop, identity: Identity, complaints: Complaints
    ) -> None:
        super().__init__(
            [queue],
            name=identity.name,
            connection=queue.connection,
            job_class=ClipJob,
            serializer=SERIALIZER,
            worker_ttl=WORKER_TTL_S,
            prepare_for_work=False,
        )
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.birth_date = identity.birth
        self._identity = identity
        self._workplace = workplace
        self._stop = stop
        self._error: BaseException | None = None
        self._workers = 1
        self._complaints = complaints
        self._neighbours = Neighbours(queue.connection, self.name)
        self._intake = Intake(queue, self.dequeue_timeout, stop, complaints)
        self._rescue = Rescue(queue, self.key, self._give_up, complaints)
        self._keeper = Keeper(
            self.connection, self._sign_of_life, self._rescue.look_after_others, self._tell_all_done, complaints
        )

    def serve(self, *, burst: bool = False) -> None:
        """Work until a stop is requested, or with `burst` until the queue is empty."""
        self._rescue.repair()
        self._sign_of_life()
        self._rescue.look_after_others()
        self._keeper.start()
        try:
            while not self._stop.requested:
                if not self._keeper.alive:
                    raise VcamError("the thread that keeps the worker's leases has ended: the worker ends as well")
                self.set_state(WorkerStatus.IDLE)
                job = self._intake.take(wait=not burst)
                if job is not None:
                    self._attempt(job, self.queues[0])
                elif burst:
                    return
        finally:
            self._keeper.stop()
            with suppress(redis.RedisError):
                self._neighbours.leave()
                self.register_death()  # type: ignore[no-untyped-call]

    def _sign_of_life(self) -> None:
        """Say that this worker lives, who it is and what it has done: Redis may have forgotten all of it."""
        try:
            self._register()
        except redis.ResponseError as error:
            if redis_is_away(error):
                raise
            self._rescue.repair()
            self._register()
        self._workers = self._neighbours.count()

    def _register(self) -> None:
        self.last_heartbeat = now()
        figures: dict[str, Any] = {
            "state": self.get_state(),
            "successful_job_count": self._identity.done,
            "failed_job_count": self._identity.failed,
            "total_working_time": round(self._identity.worked_s, 3),
        }
        with self.connection.pipeline() as pipeline:
            pipeline.hset(self.key, mapping=self.serialize() | figures)
            pipeline.expire(self.key, WORKER_TTL_S + 60)
            worker_registration.register(self, pipeline)
            pipeline.execute()

    def _tell_all_done(self) -> None:
        self.connection.hset(self.key, KEEPER_FIELD, f"{time.time():.0f}")

    def increment_successful_job_count(self, pipeline: Pipeline | None = None) -> None:
        """Count a job that ended well."""
        self._identity.done += 1
        self._tell("successful_job_count", self._identity.done, pipeline)

    def increment_failed_job_count(self, pipeline: Pipeline | None = None) -> None:
        """Count a job that failed."""
        self._identity.failed += 1
        self._tell("failed_job_count", self._identity.failed, pipeline)

    def increment_total_working_time(self, job_execution_time: timedelta, pipeline: Pipeline) -> None:
        """Add up the time of jobs."""
        self._identity.worked_s += job_execution_time.total_seconds()
        self._tell("total_working_time", round(self._identity.worked_s, 3), pipeline)

    def _tell(self, name: str, value: float, pipeline: Pipeline | None) -> None:
        # set, where RQ adds: what others put there is no number to add to
        (self.connection if pipeline is None else pipeline).hset(self.key, name, value)

    def _attempt(self, job: ClipJob, queue: Queue) -> None:
        try:
            self.execute_job(job, queue)
        except redis.RedisError as error:
            if redis_is_away(error):
                raise
            # a key of this one job: its lease runs out, or it is put back from between, and it is tried again
            log.exception(messages.JOB_NOT_CONCLUDED, job.id)
        except Exception:
            # RQ's own bookkeeping failed; the lease of the job runs out, and it is tried again
            log.exception(messages.JOB_NOT_CONCLUDED, job.id)

    def get_heartbeat_ttl(self, job: Job) -> int:  # noqa: ARG002  # RQ's signature
        """Return the seconds of a job's lease, which the keeper renews."""
        return LEASE_S

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do `job`."""
        assert isinstance(job, ClipJob)  # noqa: S101  # the job class is ours
        self._error = None
        job.runner = partial(self._run, job)
        super().execute_job(job, queue)

    def _run(self, job: ClipJob, **arguments: object) -> Outcome:
        assert self.execution is not None  # noqa: S101  # made by execute_job
        if self._workplace.share_cores:
            self._workplace.analyst.use_threads(share_of_cores(self._workers))
        with self._keeper.holding(job, self.execution) as held:
            facts = JobFacts(
                job_id=job.id,
                created_at=job.created_at,
                enqueued_at=job.enqueued_at,
                progress=held.progress,
                should_stop=lambda: self._stop.overdue,
            )
            return process_clip(
                self._workplace, facts, filename=arguments.get("filename"), options=arguments.get("options")
            )

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ARG002  # RQ's signature
        """Keep the error for :meth:`handle_job_failure`, which comes next."""
        self._error = exc_info[1]

    def handle_job_failure(
        self, job: Job, queue: Queue, started_job_registry: Any = None, exc_string: str = ""
    ) -> None:
        """Hand the job back, have it tried again, or let it end in the failed registry; one line each."""
        assert isinstance(job, ClipJob)  # noqa: S101
        error = self._error
        if isinstance(error, Interrupted):
            self._hand_back(job, queue)
            return
        if isinstance(error, HOPELESS):
            job.retries_left = 0
        if isinstance(error, ClipGrowing):
            job.retry_later(GROWING_RETRY_S)
        if isinstance(error, NotWritten) or (isinstance(error, OSError) and error.errno in VOLUME_ERRORS):
            job.retry_later(VOLUME_RETRY_S)
        if isinstance(error, VcamError | DeserializationError):
            exc_string = _reason(error)
        self._report(job, error)
        super().handle_job_failure(job, queue, started_job_registry, exc_string)

    def _report(self, job: ClipJob, error: BaseException | None) -> None:
        reason = _reason(error)
        if isinstance(error, JobRefused | DeserializationError):
            log.error(messages.JOB_REFUSED, job.filename, reason)
        elif job.retries_left:
            log.warning(
                messages.JOB_TRIED_AGAIN,
                job.filename,
                reason,
                job.get_retry_interval(),
                exc_info=_trace(error),
                extra=camera_field(job.filename),
            )
        else:
            if trace := _trace(error):
                log.error(messages.ANALYSIS_CRASHED, job.filename, exc_info=trace, extra=camera_field(job.filename))
            self._write_failure(job, reason)

    def _give_up(self, job: ClipJob) -> None:
        self._write_failure(
            job,
            "its worker died each time it was analysed: the clip may crash the decoder or the model, or its options "
            "need more memory than the worker may take",
        )

    def _write_failure(self, job: ClipJob, reason: str) -> None:
        try:
            write_failure(self._workplace, RunNames(job.filename, make_run_id(job.created_at, job.id), job.id), reason)
        except OSError as error:
            # no run is to end without its line
            job.retry_later(VOLUME_RETRY_S)
            log.error(messages.RESULT_NOT_WRITTEN, job.filename, error, VOLUME_RETRY_S)  # noqa: TRY400

    def _hand_back(self, job: ClipJob, queue: Queue) -> None:
        with self.connection.pipeline() as pipeline:
            self.cleanup_execution(job, pipeline=pipeline)
            queue._enqueue_job(job, pipeline=pipeline, at_front=True)
            pipeline.execute()
        log.warning(messages.JOB_HANDED_BACK, job.filename, extra=camera_field(job.filename))


def _reason(error: BaseException | None) -> str:
    if isinstance(error, VcamError):
        return str(error)
    if isinstance(error, DeserializationError):
        return "refused: its data is not JSON"
    if isinstance(error, JobTimeoutException):
        return "it took longer than a job may, and was given up"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def _trace(error: BaseException | None) -> BaseException | None:
    """Return an error that is none of ours, to be logged with its traceback."""
    return None if isinstance(error, VcamError | OSError) else error


def open_queue(settings: RedisSettings) -> Queue:
    """Return the queue on a connection for a worker.

    Raises:
        SettingError: the password is wrong.
        QueueUnavailable: Redis can not be reached.
    """
    connection = connect(settings)
    # sockets that were pooled before Redis was restarted fail once each, which says nothing about Redis
    connection.set_retry(Retry(ConstantBackoff(0.1), 2))
    with redis_errors(settings):
        connection.ping()
    return clip_queue(settings, connection)


def serve(
    settings: RedisSettings,
    workplace: Workplace,
    stop: Stop,
    *,
    burst: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the queue until a stop is requested; Redis may come late, and come and go.

    Args:
        settings: where Redis is.
        workplace: what jobs share.
        stop: the wish to stop.
        burst: return when the queue is empty.
        ready: called when Redis is reached for the first time.

    Raises:
        SettingError: the password is wrong.
    """
    quiet_rq()
    identity, complaints = Identity(), Complaints(log)
    delay, away, begun = FIRST_DELAY_S, False, False
    while not stop.requested:
        try:
            queue = open_queue(settings)
            if away:
                log.info(messages.WORKER_REDIS_BACK, settings.address)
            if not begun:
                ready()
            delay, away, begun = FIRST_DELAY_S, False, True
            with redis_errors(settings):
                ClipWorker(queue, workplace, stop, identity, complaints).serve(burst=burst)
            break
        except QueueUnavailable as error:
            if not away:
                log.warning(messages.WORKER_REDIS_UNREACHABLE, error)
            away = True
            stop.wait(delay)
            delay = min(delay * 2, MAX_DELAY_S)


def quiet_rq() -> None:
    """Leave RQ's loggers what is a warning: this worker logs a line for each event itself."""
    for name in ("rq.worker", "rq.job", "rq.queue", "rq.registry"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # what is abandoned is told by the keeper
    logging.getLogger("rq.registry").setLevel(logging.ERROR)
