"""Maintains the queue: requeues abandoned and due jobs, and quarantines foreign keys; one worker at a time does it.

Each entry of each key is read by itself, as bytes; what belongs to no job is quarantined and logged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import LockError

from shared_utils.queue.connection import redis_is_away
from shared_utils.queue.names import is_job_id
from shared_utils.queue.quarantine import lock_key, quarantine_entry, quarantine_foreign_keys, quarantine_key
from shared_utils.queue.rq_adapter.jobs import NoSuchJobError, forget_expired
from shared_utils.queue.rq_adapter.keys import job_id_of, job_key, results_key
from shared_utils.queue.rq_adapter.queue import ClipQueue
from shared_utils.queue.unlisted import requeue_unlisted
from video_worker import messages
from video_worker.queue.clip_job import ClipJob
from video_worker.queue.rate_limited_log import RateLimitedLog

LEASE_S = 15
"""Seconds after its worker's last renewal until a job counts as abandoned."""
MAX_LEASE_S = 600
"""Longest lease that is believed: a longer one is cut to one of ours."""
STUCK_S = 15.0
"""Seconds that a job may be between queue and worker, which takes milliseconds, before it is requeued."""
LOCK_S = 20
"""Time to live of the lock, for workers that die during maintenance."""
UNLISTED_EVERY_S = 600.0
"""Seconds between searches for unlisted jobs, which read the state of every job."""
AT_ONCE = 1000
"""Entries of a key that are read at once."""

log = logging.getLogger(__name__)


class Maintenance:
    """Maintains one queue.

    Args:
        queue: the queue that is served.
        worker_key: of this worker's own hash.
        given_up: called with a job that was abandoned so often that it is not tried again.
        errors: log of what is quarantined or fails.
    """

    def __init__(
        self, queue: ClipQueue, worker_key: str, given_up: Callable[[ClipJob], None], errors: RateLimitedLog
    ) -> None:
        self._queue = queue
        self._connection: Any = queue.connection
        self._worker_key = worker_key
        self._given_up = given_up
        self._errors = errors
        self._taken: dict[bytes, float] = {}
        self._searched: float | None = None

    def quarantine(self) -> None:
        """Move foreign values out of the queue's keys."""
        for found in quarantine_foreign_keys(self._queue, self._worker_key):
            self._errors.report(messages.KEY_MOVED_ASIDE, found)

    def run(self) -> bool:
        """Requeue abandoned jobs, and those whose retry is due.

        Returns:
            Whether all of it succeeded, by this worker or another one.
        """
        self.quarantine()
        lock = self._connection.lock(lock_key(self._queue), timeout=LOCK_S, blocking=False)
        if not lock.acquire():
            return True
        try:
            # a duty that fails is no reason to leave out the others
            failures = sum(not self._tried(duty) for duty in self.duties())
        finally:
            with suppress(LockError, redis.ResponseError):  # it took longer than the lock lasts, or is no lock any more
                lock.release()
        return not failures

    def duties(self) -> tuple[Callable[[], None], ...]:
        """Return what :meth:`run` does, in this order."""
        return self._unlisted, self._abandoned, self._stuck, self._scheduled, self._expired

    def _tried(self, duty: Callable[[], None]) -> bool:
        try:
            duty()
        except Exception as error:  # whatever a key holds, the other duties are done
            if redis_is_away(error):
                raise
            self._errors.report(messages.MAINTENANCE_FAILED, duty.__name__.strip("_"), error, trace=error)
            return False
        return True

    def _each(self, key: str, entries: Sequence[bytes], act: Callable[[ClipJob], object]) -> None:
        """Do `act` with the job of each entry of `key`, which is removed from there."""
        for entry in entries:
            job = self._job(key, entry)
            try:
                if job is not None:
                    act(job)
            except Exception as error:  # whatever one job holds, the others are handled
                if redis_is_away(error):
                    raise
                self._errors.report(messages.JOB_MAINTENANCE_FAILED, key, entry[:80], error, trace=error)
                self._connection.lpush(self._queue.keys.waiting, job_id_of(entry))
            self._connection.zrem(key, entry)

    def _unlisted(self) -> None:
        if self._searched is not None and time.monotonic() - self._searched < UNLISTED_EVERY_S:
            return
        self._searched = time.monotonic()
        found = requeue_unlisted(self._queue)
        if found:
            log.warning(messages.JOBS_FOUND_AGAIN, found)

    def _abandoned(self) -> None:
        key, now = self._queue.keys.started, int(time.time())
        for entry in self._connection.zrangebyscore(key, now + MAX_LEASE_S, "+inf", start=0, num=AT_ONCE):
            self._connection.zadd(key, {entry: now + LEASE_S}, xx=True)
        held = {job_id_of(entry) for entry in self._connection.zrangebyscore(key, now + 1, "+inf")}
        over = self._connection.zrangebyscore(key, "-inf", now, start=0, num=AT_ONCE)
        self._each(key, [entry for entry in over if job_id_of(entry) not in held], self._bring_back)
        for entry in over:  # those of jobs that another worker holds now
            self._connection.zrem(key, entry)

    def _bring_back(self, job: ClipJob) -> None:
        if not job.is_marked_started:
            return  # it waits or has ended: only its entry is left
        if job.retries_left:
            job.retry_intervals, job.enqueue_at_front_on_retry = [0], True  # it has waited long enough
            log.warning(messages.JOB_ABANDONED, job.filename, job.retries_left)
        else:
            self._given_up(job)
        with self._connection.pipeline() as pipeline:
            if job.retries_left:
                job.retry(self._queue, pipeline)
            else:
                quarantine_key(self._connection, results_key(job.id), "stream")
                job.fail("its worker died each time", pipeline)
            pipeline.execute()

    def _stuck(self) -> None:
        """Requeue jobs whose worker died after taking them from the queue and before registering them."""
        key = self._queue.keys.taken
        waiting = set(self._connection.lrange(key, 0, AT_ONCE - 1))
        begun = set(map(job_id_of, self._connection.zrange(self._queue.keys.started, 0, -1)))
        now = time.monotonic()
        self._taken = {entry: self._taken.get(entry, now) for entry in waiting - begun}
        for entry, since in self._taken.items():
            if not is_job_id(entry.decode("utf-8", "replace")):
                self._refuse(key, entry)
                self._connection.lrem(key, 0, entry)
            elif now - since >= STUCK_S:
                with self._connection.pipeline() as pipeline:
                    pipeline.lrem(key, 1, entry)
                    if self._connection.type(job_key(entry.decode())) == b"hash":
                        self._queue.push_job_id(entry.decode(), pipeline, at_front=True)
                    pipeline.execute()

    def _scheduled(self) -> None:
        """Queue the jobs whose retry is due; RQ's own scheduler would be a process of its own."""
        key = self._queue.keys.scheduled
        due = self._connection.zrangebyscore(key, "-inf", int(time.time()), start=0, num=AT_ONCE)
        self._each(key, due, lambda job: self._queue.enqueue_existing(job, at_front=True))

    def _expired(self) -> None:
        forget_expired(self._queue, ClipJob)

    def _job(self, key: str, entry: bytes) -> ClipJob | None:
        """Return the job that an entry of `key` names, as one of this queue; None where there is no such job."""
        job_id = job_id_of(entry).decode("utf-8", "replace")
        if not is_job_id(job_id):
            self._refuse(key, entry)
            return None
        try:
            return ClipJob.load(job_id, self._queue)
        except NoSuchJobError:
            return None
        except redis.ResponseError as error:
            if redis_is_away(error):
                raise
            quarantine_key(self._connection, job_key(job_id), "hash")
            self._refuse(key, entry)
            return None

    def _refuse(self, key: str, entry: bytes) -> None:
        quarantine_entry(self._connection, key, entry)
        self._errors.report(messages.ENTRY_WITHOUT_JOB, key, entry[:80])
