"""Keeps a worker's promises to the queue from a thread of its own, while the worker itself is busy or waits.

It renews the lease of the job at hand, passes its progress on, and looks after jobs whose worker died: those come
back to the queue when their lease is over, which is within a minute. A job that hangs in native code, such as a read
from a share that has gone, can be ended by nothing else, so then the whole process is.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import redis
from redis.exceptions import LockError
from rq import Queue
from rq.executions import Execution
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.utils import current_timestamp, now

from shared_utils.errors import EXIT_FAILED
from video_worker.queue_job import ClipJob

LEASE_S = 15
"""Seconds after its worker's last sign of life that a job is taken for abandoned."""
RENEW_S = 2.0
"""Seconds between signs of life, and between looks after others' jobs."""
PROGRESS_S = 0.5
"""Seconds between two notes of progress: twice a second is as much as anybody can follow."""
STUCK_S = 15.0
"""Seconds a job may be between queue and worker, which takes milliseconds, before it is put back."""
STALL_S = 600.0
"""Seconds without progress after which a job is taken to hang: no frame, and no model's loading, takes so long."""
CLEANING_LOCK_S = 20
"""Seconds after which the lock of a worker that died while cleaning up is void."""

log = logging.getLogger("video_worker.worker")


@dataclass
class Held:
    """The job at hand."""

    job: ClipJob
    execution: Execution
    began: float
    done: int = 0
    total: int = 0
    told: int = -1
    moved: float = field(default_factory=time.monotonic)

    def progress(self, done: int, total: int) -> None:
        """Take note of frames done and frames to do. Costs nothing: the keeper passes it on."""
        self.done, self.total = done, total
        self.moved = time.monotonic()


class Keeper:
    """See the module.

    Args:
        queue: the queue that is served.
        heartbeat: tells Redis that the worker lives.
        given_up: told of a job that was abandoned so often that it is not tried again.
    """

    def __init__(self, queue: Queue, heartbeat: Callable[[], None], given_up: Callable[[ClipJob], None]) -> None:
        self._queue = queue
        self._heartbeat = heartbeat
        self._given_up = given_up
        self._held: Held | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._between: dict[str, float] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._stop.set()
        self._thread.join()

    @contextmanager
    def holding(self, job: ClipJob, execution: Execution) -> Iterator[Held]:
        """Renew the lease of `job` in this context."""
        held = Held(job, execution, time.monotonic())
        with self._lock:
            self._held = held
        try:
            yield held
        finally:
            with self._lock:
                self._held = None
            with suppress(redis.RedisError):
                self._tell_progress(held)

    def _run(self) -> None:
        due = 0.0
        while not self._stop.wait(PROGRESS_S):
            self._end_if_stalled()
            # Redis away: the worker's own loop finds out and says so; here it is tried again
            with suppress(redis.RedisError):
                with self._lock:
                    if self._held is not None:
                        self._tell_progress(self._held)
                if time.monotonic() >= due:
                    due = time.monotonic() + RENEW_S
                    self._renew()
                    self.look_after_others()

    def _end_if_stalled(self) -> None:
        with self._lock:
            held = self._held
        if held is None or time.monotonic() - held.moved < STALL_S:
            return
        log.error(
            "%s: no progress for %.0f s, it hangs in reading, decoding or computing; the worker ends itself",
            held.job.filename,
            STALL_S,
        )
        logging.shutdown()
        # an exception would wait for the thread that hangs; the lease runs out now, and the job is tried again
        os._exit(EXIT_FAILED)

    def _tell_progress(self, held: Held) -> None:
        if held.done == held.told:
            return
        held.told = held.done
        seconds = max(time.monotonic() - held.began, 1e-3)
        held.job.meta |= {
            "frames_done": held.done,
            "frames_total": held.total,
            "frames_per_s": round(held.done / seconds, 1),
        }
        held.job.save_meta()  # type: ignore[no-untyped-call]

    def _renew(self) -> None:
        self._heartbeat()
        with self._lock:
            if self._held is None:
                return
            job, execution = self._held.job, self._held.execution
            with self._queue.connection.pipeline() as pipeline:
                execution.heartbeat(job.started_job_registry, LEASE_S, pipeline=pipeline)
                job.heartbeat(now(), LEASE_S, pipeline=pipeline)
                pipeline.execute()

    def look_after_others(self) -> None:
        """Bring back abandoned jobs, and put those whose time has come into the queue; one worker at a time."""
        lock = self._queue.connection.lock(f"{self._queue.key}:vcam-cleaning", timeout=CLEANING_LOCK_S, blocking=False)
        if not lock.acquire():
            return
        try:
            StartedJobRegistry(queue=self._queue, job_class=ClipJob).cleanup(exception_handlers=[self._abandoned])
            self._put_back_stuck()
            self._queue_scheduled()
            FinishedJobRegistry(queue=self._queue, job_class=ClipJob).cleanup()
            FailedJobRegistry(queue=self._queue, job_class=ClipJob).cleanup()
        finally:
            with suppress(LockError):  # it took longer than the lock lasts
                lock.release()

    def _abandoned(self, job: ClipJob, *_: object) -> None:
        if job.retries_left:
            job.retry_intervals, job.enqueue_at_front_on_retry = [0], True  # it has waited long enough
            log.warning("%s: its worker is gone, it is queued again (%d tries left)", job.filename, job.retries_left)
        else:
            self._given_up(job)

    def _put_back_stuck(self) -> None:
        """Put jobs back whose worker died after taking them from the queue and before telling so."""
        key = self._queue.intermediate_queue_key
        started = StartedJobRegistry(queue=self._queue, job_class=ClipJob)
        begun = set(started.get_job_ids(cleanup=False))
        waiting = {job_id for job_id in self._queue.intermediate_queue.get_job_ids() if job_id not in begun}
        self._between = {job_id: self._between.get(job_id, time.monotonic()) for job_id in waiting}
        for job_id, since in self._between.items():
            if time.monotonic() - since < STUCK_S:
                continue
            with self._queue.connection.pipeline() as pipeline:
                pipeline.lrem(key, 1, job_id)
                if ClipJob.exists(job_id, self._queue.connection):
                    pipeline.lpush(self._queue.key, job_id)
                pipeline.execute()

    def _queue_scheduled(self) -> None:
        """Queue the jobs whose retry is due; RQ's own scheduler would be a process of its own."""
        registry = ScheduledJobRegistry(queue=self._queue, job_class=ClipJob)  # type: ignore[no-untyped-call]
        due = registry.get_jobs_to_schedule(current_timestamp())
        if not due:
            return
        jobs = ClipJob.fetch_many(due, self._queue.connection, self._queue.serializer)
        with self._queue.connection.pipeline() as pipeline:
            for job_id, job in zip(due, jobs, strict=True):
                if job is not None:
                    self._queue._enqueue_job(job, pipeline=pipeline, at_front=True)
                registry.remove(job_id, pipeline=pipeline)
            pipeline.execute()
