"""Takes the next job from the queue, and refuses entries that are no job of ours."""

from __future__ import annotations

from typing import Any

from shared_utils.queue.names import is_job_id
from shared_utils.queue.quarantine import quarantine_entry, quarantine_key
from shared_utils.queue.rq_adapter.jobs import NoSuchJobError
from shared_utils.queue.rq_adapter.keys import job_key, leftover_keys
from shared_utils.queue.rq_adapter.queue import ClipQueue
from video_worker import messages
from video_worker.queue.clip_job import ClipJob
from video_worker.queue.rate_limited_log import RateLimitedLog
from video_worker.queue.stop import Stop, StopWaiting


class Dequeuer:
    """Takes jobs from the queue, one at a time.

    Args:
        queue: the clips' queue.
        wait_s: seconds to wait for a job at a time.
        stop: ends the waiting when a stop is requested.
        errors: log of entries that are refused.
    """

    def __init__(self, queue: ClipQueue, wait_s: float, stop: Stop, errors: RateLimitedLog) -> None:
        self._queue = queue
        self._wait_s = wait_s
        self._connection: Any = queue.connection
        self._stop = stop
        self._errors = errors

    def next_job(self, *, wait: bool) -> ClipJob | None:
        """Return the next job; None where there is none, or none came for a while."""
        while not self._stop.requested:
            entry = self._next_entry(wait=wait)
            if entry is None:
                return None
            job = self._job_of(entry)
            if job is not None:
                return job
            self._connection.lrem(self._queue.keys.taken, 1, entry)
        return None

    def _next_entry(self, *, wait: bool) -> bytes | None:
        """Move the next entry into the list of those between queue and worker, where no crash loses it."""
        places = self._queue.keys.waiting, self._queue.keys.taken
        if not wait:
            return self._connection.lmove(*places)  # type: ignore[no-any-return]
        self._stop.waiting = True
        try:
            if self._stop.requested:
                return None
            return self._connection.blmove(*places, self._wait_s)  # type: ignore[no-any-return]
        except StopWaiting:
            return None
        finally:
            self._stop.waiting = False

    def _job_of(self, entry: bytes) -> ClipJob | None:
        """Return the job that an entry names; None where it is none, which is reported."""
        job_id = entry.decode("utf-8", "replace")
        if not is_job_id(job_id):
            quarantine_entry(self._connection, self._queue.keys.waiting, entry)
            self._errors.report(messages.ENTRY_WITHOUT_ID, job_id[:80])
            return None
        key = job_key(job_id)
        kind = quarantine_key(self._connection, key, "hash")
        if kind is not None:
            self._errors.report(messages.JOB_OF_WRONG_TYPE, job_id[:80], kind)
            return None
        # results of earlier tries, and whatever was put where RQ is to write of this one; ours depend on no other job
        self._connection.unlink(*leftover_keys(job_id))
        try:
            return ClipJob.load(job_id, self._queue)
        except NoSuchJobError:
            if quarantine_key(self._connection, key) is not None:
                self._errors.report(messages.JOB_WITHOUT_CALL, job_id[:80])
            return None  # without its hash it was deleted, or has expired
