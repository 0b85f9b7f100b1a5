"""Looks after jobs that nobody holds any more, and keeps the queue's keys in order; one worker at a time does.

Whatever else lies in these keys is passed over: each entry is read by itself, as bytes, and what is no job's is moved
aside and reported.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import LockError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry

from shared_utils.queue.connection import redis_is_away
from shared_utils.queue.names import is_job_id
from shared_utils.queue.orphans import adopt_orphans
from shared_utils.queue.repair import keep_entry, lock_key, repair_keys, set_aside
from video_worker import messages
from video_worker.queue.complaints import Complaints
from video_worker.queue.queue_job import ClipJob

LEASE_S = 15
"""Seconds after its worker's last sign of life that a job is taken for abandoned."""
MAX_LEASE_S = 600
"""Seconds of a lease that no worker of ours gives: what claims more is cut to one of ours."""
STUCK_S = 15.0
"""Seconds a job may be between queue and worker, which takes milliseconds, before it is put back."""
CLEANING_LOCK_S = 20
"""Seconds after which the lock of a worker that died while cleaning up is void."""
ORPHANS_S = 600.0
"""Seconds between two searches for jobs that no list knows, which read the state of every job."""
AT_ONCE = 1000
"""Entries of a key that are looked at in one go."""

log = logging.getLogger(__name__)


class Rescue:
    """See the module.

    Args:
        queue: the queue that is served.
        worker_key: of this worker's own hash.
        given_up: told of a job that was abandoned so often that it is not tried again.
        complaints: where odd things are reported.
    """

    def __init__(
        self, queue: Queue, worker_key: str, given_up: Callable[[ClipJob], None], complaints: Complaints
    ) -> None:
        self._queue = queue
        self._connection: Any = queue.connection
        self._worker_key = worker_key
        self._given_up = given_up
        self._complaints = complaints
        self._between: dict[bytes, float] = {}
        self._searched: float | None = None

    def repair(self) -> None:
        """Move aside what has a key of the queue's and is no such thing."""
        for found in repair_keys(self._queue, self._worker_key):
            self._complaints.add(messages.KEY_MOVED_ASIDE, found)

    def look_after_others(self) -> bool:
        """Bring back abandoned jobs, and put those whose time has come into the queue.

        Returns:
            Whether all of it went well, by this worker or another one.
        """
        self.repair()
        lock = self._connection.lock(lock_key(self._queue), timeout=CLEANING_LOCK_S, blocking=False)
        if not lock.acquire():
            return True
        try:
            # a duty that fails is no reason to leave out the others
            failures = sum(not self._tried(duty) for duty in self._duties())
        finally:
            with suppress(LockError, redis.ResponseError):  # it took longer than the lock lasts, or is no lock any more
                lock.release()
        return not failures

    def _duties(self) -> tuple[Callable[[], None], ...]:
        return self._orphans, self._abandoned, self._stuck, self._scheduled, self._forget

    def _tried(self, duty: Callable[[], None]) -> bool:
        try:
            duty()
        except Exception as error:  # whatever a key holds, the other duties are done
            if redis_is_away(error):
                raise
            self._complaints.add(messages.RESCUE_FAILED, duty.__name__.strip("_"), error, trace=error)
            return False
        return True

    def _each(self, key: str, entries: Sequence[bytes], act: Callable[[ClipJob], object]) -> None:
        """Do `act` with the job of each entry of `key`, which is removed from there."""
        for entry in entries:
            job = self._job(key, entry)
            try:
                if job is not None:
                    act(job)
            except Exception as error:  # whatever one job holds, the others are looked after
                if redis_is_away(error):
                    raise
                self._complaints.add(messages.RESCUE_OF_JOB_FAILED, key, entry[:80], error, trace=error)
                self._connection.lpush(self._queue.key, entry.partition(b":")[0])
            self._connection.zrem(key, entry)

    def _orphans(self) -> None:
        if self._searched is not None and time.monotonic() - self._searched < ORPHANS_S:
            return
        self._searched = time.monotonic()
        found = adopt_orphans(self._queue)
        if found:
            log.warning(messages.JOBS_FOUND_AGAIN, found)

    def _abandoned(self) -> None:
        key, now = f"rq:wip:{self._queue.name}", int(time.time())
        for entry in self._connection.zrangebyscore(key, now + MAX_LEASE_S, "+inf", start=0, num=AT_ONCE):
            self._connection.zadd(key, {entry: now + LEASE_S}, xx=True)
        held = {entry.partition(b":")[0] for entry in self._connection.zrangebyscore(key, now + 1, "+inf")}
        over = self._connection.zrangebyscore(key, "-inf", now, start=0, num=AT_ONCE)
        self._each(key, [entry for entry in over if entry.partition(b":")[0] not in held], self._bring_back)
        for entry in over:  # those of jobs that another worker holds now
            self._connection.zrem(key, entry)

    def _bring_back(self, job: ClipJob) -> None:
        if job.get_status(refresh=False) != JobStatus.STARTED:
            return  # it waits or has ended, and only left an entry behind
        if job.retries_left:
            job.retry_intervals, job.enqueue_at_front_on_retry = [0], True  # it has waited long enough
            log.warning(messages.JOB_ABANDONED, job.filename, job.retries_left)
        else:
            self._given_up(job)
        with self._connection.pipeline() as pipeline:
            if job.retries_left:
                job.retry(self._queue, pipeline)
            else:
                set_aside(self._connection, f"rq:results:{job.id}", "stream")
                job.set_status(JobStatus.FAILED, pipeline=pipeline)
                job._handle_failure("its worker died each time", pipeline, worker_name="")
            pipeline.execute()

    def _stuck(self) -> None:
        """Put jobs back whose worker died after taking them from the queue and before telling so."""
        key = self._queue.intermediate_queue_key
        waiting = set(self._connection.lrange(key, 0, AT_ONCE - 1))
        begun = {entry.partition(b":")[0] for entry in self._connection.zrange(f"rq:wip:{self._queue.name}", 0, -1)}
        now = time.monotonic()
        self._between = {entry: self._between.get(entry, now) for entry in waiting - begun}
        for entry, since in self._between.items():
            if not is_job_id(entry.decode("utf-8", "replace")):
                self._refuse(key, entry)
                self._connection.lrem(key, 0, entry)
            elif now - since >= STUCK_S:
                with self._connection.pipeline() as pipeline:
                    pipeline.lrem(key, 1, entry)
                    if self._connection.type(b"rq:job:" + entry) == b"hash":
                        self._queue.push_job_id(entry.decode(), pipeline, at_front=True)
                    pipeline.execute()

    def _scheduled(self) -> None:
        """Queue the jobs whose retry is due; RQ's own scheduler would be a process of its own."""
        key = f"rq:scheduled:{self._queue.name}"
        due = self._connection.zrangebyscore(key, "-inf", int(time.time()), start=0, num=AT_ONCE)
        self._each(key, due, lambda job: self._queue._enqueue_job(job, at_front=True))

    def _forget(self) -> None:
        FinishedJobRegistry(queue=self._queue, job_class=ClipJob).cleanup()
        FailedJobRegistry(queue=self._queue, job_class=ClipJob).cleanup()

    def _job(self, key: str, entry: bytes) -> ClipJob | None:
        """Return the job that an entry of `key` names, as one of this queue; None where there is no such job."""
        job_id = entry.partition(b":")[0].decode("utf-8", "replace")
        if not is_job_id(job_id):
            self._refuse(key, entry)
            return None
        try:
            job = ClipJob.fetch(job_id, connection=self._connection, serializer=self._queue.serializer)
        except NoSuchJobError:
            return None
        except redis.ResponseError as error:
            if redis_is_away(error):
                raise
            set_aside(self._connection, ClipJob.key_for(job_id), "hash")
            self._refuse(key, entry)
            return None
        assert isinstance(job, ClipJob)  # noqa: S101  # it is its own class's method
        job.origin = self._queue.name
        return job

    def _refuse(self, key: str, entry: bytes) -> None:
        keep_entry(self._connection, key, entry)
        self._complaints.add(messages.ENTRY_WITHOUT_JOB, key, entry[:80])
