"""The worker over one connection: takes jobs from the queue one after the other."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Mapping
from contextlib import suppress

import redis

from shared_utils.errors import (
    ClipError,
    ClipGrowing,
    JobRefused,
    ModelError,
    NotWritten,
    VcamError,
)
from shared_utils.queue.connection import redis_is_away
from shared_utils.queue.figures import DUTIES_FIELD
from shared_utils.queue.rq_adapter.jobs import DeserializationError, Lease, StoredJob
from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.rq_adapter.worker import JobTimeoutException, JobWorker, WorkerIdentity
from video_worker import messages
from video_worker.jobs import JobFacts, Outcome, WorkerContext, camera_field, process_clip, write_failure
from video_worker.pipeline.analysis import Interrupted
from video_worker.pipeline.cores import Neighbours, share_of_cores
from video_worker.pipeline.run_names import RunNames, make_run_id
from video_worker.queue.clip_job import ClipJob
from video_worker.queue.dequeue import Dequeuer
from video_worker.queue.lease_renewer import LeaseRenewer
from video_worker.queue.maintenance import LEASE_S, Maintenance
from video_worker.queue.rate_limited_log import RateLimitedLog
from video_worker.queue.stop import Stop

WORKER_TTL_S = 18
"""Seconds after its last heartbeat that Redis forgets a worker; RQ adds 60."""
DEQUEUE_TIMEOUT_S = 3
"""Seconds to wait for a job at a time: less than the connection's time-out."""
HOPELESS = (JobRefused, ClipError, ModelError, DeserializationError, JobTimeoutException)
"""Errors that a retry would only repeat."""

VOLUME_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN}
)
"""Errors of a shared volume that is gone: no clip is at fault, and it may last for hours. EIO and EACCES may be
a clip's own: a bad sector, its permissions."""
VOLUME_RETRY_S = 30
"""Seconds before a retry after the volume did not take the result."""

GROWING_RETRY_S = 10
"""Seconds before a retry of a clip that is still being written."""

log = logging.getLogger(__name__)


class ClipWorker(JobWorker):
    """Serves the queue over one connection; :func:`video_worker.queue.serve.serve` replaces it when that breaks.

    Args:
        queue: the clips' queue.
        context: what jobs share.
        stop: ends the work.
        identity: what the worker is called and has done.
        errors: log of errors that may come in great numbers.
    """

    def __init__(
        self, queue: ClipQueue, context: WorkerContext, stop: Stop, identity: WorkerIdentity, errors: RateLimitedLog
    ) -> None:
        super().__init__(queue, ClipJob, identity, WORKER_TTL_S, LEASE_S)
        self._context = context
        self._stop = stop
        self._workers = 1
        self._neighbours = Neighbours(queue.connection, self.name)
        self._dequeuer = Dequeuer(queue, DEQUEUE_TIMEOUT_S, stop, errors)
        self._maintenance = Maintenance(queue, self.key, self._give_up, errors)
        self._renewer = LeaseRenewer(
            queue.connection, self._heartbeat, self._maintenance.run, self._note_duties_done, errors
        )

    def serve(self, *, burst: bool = False) -> None:
        """Work until a stop is requested, or with `burst` until the queue is empty."""
        self._maintenance.quarantine()
        self._heartbeat()
        self._maintenance.run()
        self._renewer.start()
        try:
            while not self._stop.requested:
                if not self._renewer.alive:
                    raise VcamError("the thread that keeps the worker's leases has ended: the worker ends as well")
                self.mark_idle()
                job = self._dequeuer.next_job(wait=not burst)
                if job is not None:
                    self._attempt(job)
                elif burst:
                    return
        finally:
            self._renewer.stop()
            with suppress(redis.RedisError):
                self._neighbours.leave()
                self.deregister()

    def _heartbeat(self) -> None:
        """Write into Redis that this worker lives, who it is and what it has done: Redis may have forgotten it all."""
        try:
            self.register()
        except redis.ResponseError as error:
            if redis_is_away(error):
                raise
            self._maintenance.quarantine()
            self.register()
        self._workers = self._neighbours.count()

    def _note_duties_done(self) -> None:
        self.connection.hset(self.key, DUTIES_FIELD, f"{time.time():.0f}")

    def _attempt(self, job: ClipJob) -> None:
        try:
            self.perform(job)
        except redis.RedisError as error:
            if redis_is_away(error):
                raise
            # a key of this one job: its lease runs out or it is requeued by the maintenance, and it is tried again
            log.exception(messages.JOB_NOT_CONCLUDED, job.id)
        except Exception:
            # RQ's own bookkeeping failed; the lease of the job runs out, and it is tried again
            log.exception(messages.JOB_NOT_CONCLUDED, job.id)

    def run(self, job: StoredJob, lease: Lease, arguments: Mapping[str, object]) -> Outcome:
        """Analyse the clip of `job`."""
        assert isinstance(job, ClipJob)  # noqa: S101  # the job class is ours
        if self._context.share_cores:
            self._context.analyst.use_threads(share_of_cores(self._workers))
        with self._renewer.holding(job, lease) as held:
            facts = JobFacts(
                job_id=job.id,
                created_at=job.created_at,
                enqueued_at=job.enqueued_at,
                progress=held.progress,
                should_stop=lambda: self._stop.overdue,
            )
            return process_clip(
                self._context, facts, filename=arguments.get("filename"), options=arguments.get("options")
            )

    def handle_failure(self, job: StoredJob, error: BaseException | None, text: str) -> str | None:
        """Hand the job back, have it tried again, or let it end among the failed ones; one line each."""
        assert isinstance(job, ClipJob)  # noqa: S101  # the job class is ours
        if isinstance(error, Interrupted):
            log.warning(messages.JOB_HANDED_BACK, job.filename, extra=camera_field(job.filename))
            return None
        if isinstance(error, HOPELESS):
            job.retries_left = 0
        if isinstance(error, ClipGrowing):
            job.retry_later(GROWING_RETRY_S)
        if isinstance(error, NotWritten) or (isinstance(error, OSError) and error.errno in VOLUME_ERRORS):
            job.retry_later(VOLUME_RETRY_S)
            self._context.events.volume_failed(_reason(error))
        if isinstance(error, VcamError | DeserializationError):
            text = _reason(error)
        self._report(job, error)
        return text

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
            write_failure(self._context, RunNames(job.filename, make_run_id(job.created_at, job.id), job.id), reason)
        except OSError as error:
            # no run is to end without its line
            job.retry_later(VOLUME_RETRY_S)
            self._context.events.volume_failed(_reason(error))
            log.error(messages.RESULT_NOT_WRITTEN, job.filename, error, VOLUME_RETRY_S)  # noqa: TRY400


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
