"""Figures of the queue: backlog, its duration, and workers, for pages, metrics, logs and notebooks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import redis
from rq import Queue

from shared_utils import messages
from shared_utils.log import LogMessage
from shared_utils.queue.names import FIRST_JOB
from shared_utils.queue.order import count_new
from shared_utils.queue.rq_adapter.keys import JOB_PREFIX, WORKER_PREFIX, QueueKeys
from shared_utils.queue.rq_adapter.values import read_time

WORKER_GONE_S = 30.0
"""Seconds without a heartbeat, due every two, after which a worker counts as gone."""
RECENT_JOBS = 50
"""Latest jobs whose mean is the duration of a job."""
MAX_WORKERS = 1000
"""Most entries of the set of workers that are read."""

MAX_COUNT = 10**12
"""Largest count of a worker's jobs that is believed."""

_WORKER_FIELDS = (
    "last_heartbeat", "current_job", "successful_job_count", "failed_job_count", "total_working_time", "birth",
)  # fmt: skip
DUTIES_FIELD = "vcam_keeper"
"""Of a worker's hash: when it last completed lease, heartbeat and maintenance, seconds since the epoch."""


@dataclass(frozen=True)
class WorkerFigures:
    """A worker that serves the queue.

    Attributes:
        name: unique; begins with its host's name.
        job_id: what it works on; None while it waits.
        seen: its last heartbeat, seconds since the epoch.
        done, failed: jobs since it started.
        job_s: mean duration of its jobs, seconds; None before the first.
    """

    name: str
    job_id: str | None
    seen: float
    done: int
    failed: int
    job_s: float | None


@dataclass(frozen=True)
class QueueFigures:
    """The queue, now.

    Attributes:
        new: clips that wait for their first analysis.
        further: further runs that wait.
        running, to_retry, failed, done: jobs in work, waiting to be tried again, failed for good, done.
        new_job_s, further_job_s: mean duration of the latest jobs of either kind, seconds; None before the first.
        workers: those with a recent heartbeat.
    """

    new: int
    further: int
    running: int
    to_retry: int
    failed: int
    done: int
    new_job_s: float | None
    further_job_s: float | None
    workers: tuple[WorkerFigures, ...]

    @property
    def waiting(self) -> int:
        """Jobs that wait, of both kinds."""
        return self.new + self.further

    @property
    def backlog_s(self) -> float | None:
        """Seconds until all waiting jobs are done; None without a worker, or before the first finished job."""
        return self._duration_s(self.new, self.further)

    @property
    def new_backlog_s(self) -> float | None:
        """Seconds until all new clips are done, which come first."""
        return self._duration_s(self.new, 0)

    def _duration_s(self, new: int, further: int) -> float | None:
        if not new + further:
            return 0.0
        one_new = self.new_job_s if self.new_job_s is not None else self.further_job_s
        one_further = self.further_job_s if self.further_job_s is not None else self.new_job_s
        if not self.workers or one_new is None or one_further is None:
            return None
        return (new * one_new + further * one_further) / len(self.workers)


def read_figures(queue: Queue, now: float | None = None) -> QueueFigures:
    """Read the figures of `queue` from Redis.

    Keys of a wrong type count as empty: workers quarantine them.

    Args:
        queue: see :func:`shared_utils.queue.connection.clip_queue`.
        now: seconds since the epoch.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    now = time.time() if now is None else now
    keys = QueueKeys(queue.name)
    with queue.connection.pipeline(transaction=False) as pipeline:
        pipeline.llen(keys.waiting)
        for key in (keys.started, keys.scheduled, keys.failed, keys.finished):
            pipeline.zcard(key)
        pipeline.eval(*count_new(keys.waiting))
        waiting, running, to_retry, failed, done, new = map(_number, pipeline.execute(raise_on_error=False))
    new_job_s, further_job_s = _mean_durations_s(queue)
    return QueueFigures(
        new=new,
        further=max(0, waiting - new),
        running=running,
        to_retry=to_retry,
        failed=failed,
        done=done,
        new_job_s=new_job_s,
        further_job_s=further_job_s,
        workers=tuple(read_workers(queue, now)),
    )


def read_workers(queue: Queue, now: float) -> list[WorkerFigures]:
    """Return the workers of `queue` with a recent heartbeat, by name."""
    prefix = WORKER_PREFIX.encode()
    connection: Any = queue.connection
    try:
        keys = [key for key in connection.smembers(QueueKeys(queue.name).workers) if key.startswith(prefix)]
    except redis.ResponseError:  # no set: a worker quarantines it
        return []
    keys = sorted(keys)[:MAX_WORKERS]
    with connection.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, _WORKER_FIELDS)
        answers = pipeline.execute(raise_on_error=False)
    found = []
    for key, answer in zip(keys, answers, strict=True):
        if not isinstance(answer, list):
            continue
        heartbeat, job, done, failed, worked, _ = answer
        seen = _moment(heartbeat)
        if seen is None or now - seen > WORKER_GONE_S:
            continue
        jobs = _count(done) + _count(failed)
        seconds = _real(worked)
        found.append(
            WorkerFigures(
                name=_text(key.removeprefix(prefix)),
                job_id=_text(job) if job else None,
                seen=seen,
                done=_count(done),
                failed=_count(failed),
                job_s=seconds / jobs if jobs and seconds is not None else None,
            )
        )
    return found


def _mean_durations_s(queue: Queue) -> tuple[float | None, float | None]:
    """Return the mean durations of the latest successful first jobs and further runs, seconds."""
    connection: Any = queue.connection
    # the score is the expiry, so the latest come first; foreign entries may have any score
    try:
        last = connection.zrevrangebyscore(QueueKeys(queue.name).finished, "(inf", 0, start=0, num=RECENT_JOBS)
    except redis.ResponseError:
        return None, None
    with connection.pipeline(transaction=False) as pipeline:
        for job_id in last:
            pipeline.hmget(JOB_PREFIX.encode() + job_id, "started_at", "ended_at")
        answers = pipeline.execute(raise_on_error=False)
    spans: dict[bool, list[float]] = {True: [], False: []}
    for job_id, answer in zip(last, answers, strict=True):
        began, ended = map(_moment, answer) if isinstance(answer, list) else (None, None)
        if began is not None and ended is not None:
            spans[job_id.startswith(FIRST_JOB.encode())].append(max(0.0, ended - began))
    new, further = (sum(found) / len(found) if found else None for found in (spans[True], spans[False]))
    return new, further


def _number(answer: object) -> int:
    return answer if isinstance(answer, int) else 0


def _text(value: bytes) -> str:
    return value[:200].decode("utf-8", "replace")


def _count(value: bytes | None) -> int:
    try:
        return min(max(0, int(value or 0)), MAX_COUNT)
    except ValueError:
        return 0


def _real(value: bytes | None) -> float | None:
    try:
        number = float(value or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _moment(value: bytes | None) -> float | None:
    """Return a time as RQ writes it, seconds since the epoch."""
    moment = read_time(value)
    return moment.timestamp() if moment else None


class Growth:
    """Decides when to log that a backlog builds up, and that it is gone: once each.

    Args:
        from_jobs: number of waiting new clips that counts as a backlog.
    """

    def __init__(self, from_jobs: int = 10) -> None:
        self._from_jobs = from_jobs
        self._checks_above = 0
        self.growing = False

    def check(self, figures: QueueFigures) -> LogMessage | None:
        """Return the message to log about the backlog, which is its argument; None for nothing new."""
        if self.growing:
            if figures.new > self._from_jobs // 3:
                return None
            self.growing, self._checks_above = False, 0
            return messages.QUEUE_SHORT_AGAIN
        # several clips at once are done soon; what still waits at the second check is a backlog
        self._checks_above = self._checks_above + 1 if figures.new >= self._from_jobs else 0
        if self._checks_above < 2:
            return None
        self.growing = True
        return messages.QUEUE_GROWS


def describe_backlog(figures: QueueFigures) -> str:
    """Return such as ``30 new clips (53 s) and 5,000 further runs wait, about 2.4 h for 2 workers``."""
    parts = []
    if figures.new or not figures.further:
        first = figures.new_backlog_s if figures.further else None
        duration = "" if first is None else f" ({_duration(first)})"
        parts.append(f"{figures.new:,} new clip{'s' * (figures.new != 1)}{duration}")
    if figures.further:
        parts.append(f"{figures.further:,} further run{'s' * (figures.further != 1)}")
    text = f"{' and '.join(parts)} wait{'s' * (figures.waiting == 1)}"
    count = len(figures.workers)
    if not count:
        return f"{text}, no worker is running"
    if not figures.waiting:
        return text
    seconds = figures.backlog_s
    duration = "unknown time" if seconds is None else f"about {_duration(seconds)}"
    return f"{text}, {duration} for {count} worker{'s' * (count != 1)}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
