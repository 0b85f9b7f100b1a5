"""Renews a worker's lease and heartbeat from a thread of its own, while the worker itself is busy or waits.

It also saves the progress of the job in work, and runs the maintenance of the queue
(:mod:`video_worker.queue.maintenance`): jobs whose worker died come back to the queue when their lease is over, within
a minute. A job that hangs in native code, such as a read from a share that has gone, cannot be interrupted, so that
then the whole process ends.
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

from shared_utils.errors import EXIT_FAILED
from shared_utils.queue.connection import redis_is_away
from shared_utils.queue.rq_adapter.jobs import Lease
from video_worker import messages
from video_worker.queue.clip_job import ClipJob
from video_worker.queue.maintenance import LEASE_S
from video_worker.queue.rate_limited_log import RateLimitedLog

RENEW_S = 2.0
"""Seconds between heartbeats, and between runs of the maintenance."""
PROGRESS_S = 0.5
"""Seconds between saves of the progress: twice per second is as much as anybody can follow."""
STALL_S = 600.0
"""Seconds without progress after which a job counts as hanging: no frame, and no loading of a model, takes so long."""

log = logging.getLogger(__name__)


@dataclass
class HeldJob:
    """The job in work."""

    job: ClipJob
    lease: Lease
    began: float
    done: int = 0
    total: int = 0
    saved: int = -1
    progressed: float = field(default_factory=time.monotonic)

    def progress(self, done: int, total: int) -> None:
        """Note frames done and frames to do. Costs nothing: the thread of the lease renewer saves it."""
        self.done, self.total = done, total
        self.progressed = time.monotonic()


class LeaseRenewer:
    """Renews the lease of the job in work and the worker's heartbeat.

    Args:
        connection: the queue's Redis.
        heartbeat: writes into Redis that the worker lives.
        maintain: maintains the queue; returns whether all of it succeeded.
        all_done: called when lease, heartbeat and maintenance have all succeeded.
        errors: log of what fails.
    """

    def __init__(
        self,
        connection: redis.Redis,
        heartbeat: Callable[[], None],
        maintain: Callable[[], bool],
        all_done: Callable[[], None],
        errors: RateLimitedLog,
    ) -> None:
        self._connection = connection
        self._heartbeat = heartbeat
        self._maintain_queue = maintain
        self._all_done = all_done
        self._errors = errors
        self._held: HeldJob | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-renewer", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs; a worker without it must end."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for its end."""
        self._stop.set()
        self._thread.join()

    @contextmanager
    def holding(self, job: ClipJob, lease: Lease) -> Iterator[HeldJob]:
        """Renew the lease of `job` in this context."""
        held = HeldJob(job, lease, time.monotonic())
        with self._lock:
            self._held = held
        try:
            yield held
        finally:
            with self._lock:
                self._held = None
            with suppress(redis.RedisError):
                self._save_progress(held)

    def _run(self) -> None:
        due = 0.0
        while not self._stop.wait(PROGRESS_S):
            self._end_if_stalled()
            self._tried(self._save_current_progress)
            if time.monotonic() >= due:
                due = time.monotonic() + RENEW_S
                # the lease first: another worker would take the job
                kept = [self._tried(duty) for duty in (self._renew_lease, self._heartbeat)]
                self._tried(partial(self._maintain, kept=all(kept)))

    def _tried(self, duty: Callable[[], None]) -> bool:
        """Do a duty; whatever goes wrong with it, this thread goes on with the others."""
        try:
            duty()
        except Exception as error:  # noqa: BLE001  # the outermost call of a thread that must not end
            # Redis away: the worker's own loop finds out and says so; here it is tried again
            if not redis_is_away(error):
                self._errors.report(messages.LEASE_RENEWAL_FAILED, error, trace=error)
            return False
        return True

    def _maintain(self, *, kept: bool) -> None:
        if self._maintain_queue() and kept:
            self._all_done()

    def _save_current_progress(self) -> None:
        with self._lock, suppress(redis.ResponseError):  # progress is for watchers alone
            if self._held is not None:
                self._save_progress(self._held)

    def _end_if_stalled(self) -> None:
        with self._lock:
            held = self._held
        if held is None or time.monotonic() - held.progressed < STALL_S:
            return
        log.error(
            messages.JOB_STALLED,
            held.job.filename,
            STALL_S,
        )
        logging.shutdown()
        # an exception would wait for the thread that hangs; the lease runs out now, and the job is tried again
        os._exit(EXIT_FAILED)

    def _save_progress(self, held: HeldJob) -> None:
        if held.done == held.saved or not held.total:
            return
        held.saved = held.done
        seconds = max(time.monotonic() - held.began, 1e-3)
        held.job.save_progress(
            {
                "frames_done": held.done,
                "frames_total": held.total,
                "frames_per_s": round(held.done / seconds, 1),
            }
        )

    def _renew_lease(self) -> None:
        with self._lock:
            if self._held is not None:
                self._held.lease.renew(self._connection, LEASE_S)
