"""Keeps a worker's promises to the queue from a thread of its own, while the worker itself is busy or waits.

It renews the lease of the job at hand, passes its progress on, and has jobs looked after whose worker died
(:mod:`video_worker.queue.rescue`): those come back to the queue when their lease is over, which is within a minute. A
job
that hangs in native code, such as a read from a share that has gone, can be ended by nothing else, so then the whole
process is.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import redis
from rq.executions import Execution
from rq.utils import now

from shared_utils.errors import EXIT_FAILED
from shared_utils.queue.connection import redis_is_away
from video_worker import messages
from video_worker.queue.complaints import Complaints
from video_worker.queue.queue_job import ClipJob
from video_worker.queue.rescue import LEASE_S

RENEW_S = 2.0
"""Seconds between signs of life, and between looks after others' jobs."""
PROGRESS_S = 0.5
"""Seconds between two notes of progress: twice a second is as much as anybody can follow."""
STALL_S = 600.0
"""Seconds without progress after which a job is taken to hang: no frame, and no model's loading, takes so long."""

log = logging.getLogger(__name__)


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
        connection: the queue's Redis.
        heartbeat: tells Redis that the worker lives.
        look_after_others: does what is to be done for other workers' jobs; tells whether all went well.
        did_all: told when all was done, and went well.
        complaints: where odd things are reported.
    """

    def __init__(
        self,
        connection: redis.Redis,
        heartbeat: Callable[[], None],
        look_after_others: Callable[[], bool],
        did_all: Callable[[], None],
        complaints: Complaints,
    ) -> None:
        self._connection = connection
        self._heartbeat = heartbeat
        self._look_after_others = look_after_others
        self._did_all = did_all
        self._complaints = complaints
        self._held: Held | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it does its work; a worker without its keeper must end."""
        return self._thread.is_alive()

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
            self._tried(self._pass_progress_on)
            if time.monotonic() >= due:
                due = time.monotonic() + RENEW_S
                # the lease first: another worker would take the job
                kept = [self._tried(duty) for duty in (self._renew_lease, self._heartbeat)]
                self._tried(partial(self._look_after, kept=all(kept)))

    def _tried(self, duty: Callable[[], None]) -> bool:
        """Do a duty; whatever goes wrong with it, this thread goes on with the others."""
        try:
            duty()
        except Exception as error:  # noqa: BLE001  # the outermost call of a thread that must not end
            # Redis away: the worker's own loop finds out and says so; here it is tried again
            if not redis_is_away(error):
                self._complaints.add(messages.LEASES_FAILED, error, trace=error)
            return False
        return True

    def _look_after(self, *, kept: bool) -> None:
        if self._look_after_others() and kept:
            self._did_all()

    def _pass_progress_on(self) -> None:
        with self._lock, suppress(redis.ResponseError):  # progress is for watchers alone
            if self._held is not None:
                self._tell_progress(self._held)

    def _end_if_stalled(self) -> None:
        with self._lock:
            held = self._held
        if held is None or time.monotonic() - held.moved < STALL_S:
            return
        log.error(
            messages.JOB_STALLED,
            held.job.filename,
            STALL_S,
        )
        logging.shutdown()
        # an exception would wait for the thread that hangs; the lease runs out now, and the job is tried again
        os._exit(EXIT_FAILED)

    def _tell_progress(self, held: Held) -> None:
        if held.done == held.told or not held.total:
            return
        held.told = held.done
        seconds = max(time.monotonic() - held.began, 1e-3)
        held.job.meta |= {
            "frames_done": held.done,
            "frames_total": held.total,
            "frames_per_s": round(held.done / seconds, 1),
        }
        held.job.save_meta()  # type: ignore[no-untyped-call]

    def _renew_lease(self) -> None:
        with self._lock:
            if self._held is None:
                return
            job, execution = self._held.job, self._held.execution
            with self._connection.pipeline() as pipeline:
                # RQ renews only what is there; the set of leases may have been deleted
                lease = {execution.composite_key: int(time.time()) + LEASE_S}
                pipeline.zadd(job.started_job_registry.key, lease)
                execution.heartbeat(job.started_job_registry, LEASE_S, pipeline=pipeline)
                job.heartbeat(now(), LEASE_S, pipeline=pipeline)
                pipeline.execute()
