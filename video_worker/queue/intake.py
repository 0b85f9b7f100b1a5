"""Takes jobs from the queue, and nothing that is no job of ours."""

from __future__ import annotations

from typing import Any

from rq import Queue
from rq.exceptions import NoSuchJobError

from shared_utils.queue.names import is_job_id
from shared_utils.queue.repair import keep_entry, set_aside
from video_worker import messages
from video_worker.queue.complaints import Complaints
from video_worker.queue.queue_job import ClipJob
from video_worker.queue.stop import Stop, StopWaiting


class Intake:
    """See the module.

    Args:
        queue: the clips' queue.
        wait_s: seconds to wait for a job at a time.
        stop: the wish to stop, which ends the waiting.
        complaints: where odd things are reported.
    """

    def __init__(self, queue: Queue, wait_s: float, stop: Stop, complaints: Complaints) -> None:
        self._queue = queue
        self._wait_s = wait_s
        self._connection: Any = queue.connection
        self._stop = stop
        self._complaints = complaints

    def take(self, *, wait: bool) -> ClipJob | None:
        """Return the next job; None where there is none, or none came for a while."""
        while not self._stop.requested:
            entry = self._next_entry(wait=wait)
            if entry is None:
                return None
            job = self._job_of(entry)
            if job is not None:
                return job
            self._connection.lrem(self._queue.intermediate_queue_key, 1, entry)
        return None

    def _next_entry(self, *, wait: bool) -> bytes | None:
        """Move the next entry into the list of those between queue and worker, where no crash loses it."""
        places = self._queue.key, self._queue.intermediate_queue_key
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
            keep_entry(self._connection, self._queue.key, entry)
            self._complaints.add(messages.ENTRY_WITHOUT_ID, job_id[:80])
            return None
        key = ClipJob.key_for(job_id)
        kind = set_aside(self._connection, key, "hash")
        if kind is not None:
            self._complaints.add(messages.JOB_OF_WRONG_TYPE, job_id[:80], kind)
            return None
        # results of earlier tries, and whatever was put where RQ is to write of this one; ours depend on no other job
        self._connection.unlink(
            f"rq:results:{job_id}", f"rq:executions:{job_id}", f"{key}:dependents", f"{key}:dependencies"
        )
        try:
            job = ClipJob.fetch(job_id, connection=self._connection, serializer=self._queue.serializer)
        except NoSuchJobError:
            if set_aside(self._connection, key) is not None:
                self._complaints.add(messages.JOB_WITHOUT_CALL, job_id[:80])
            return None  # without its hash it was deleted, or has expired
        assert isinstance(job, ClipJob)  # noqa: S101  # it is its own class's method
        job.origin = self._queue.name
        return job
