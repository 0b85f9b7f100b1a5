"""The state of a job, from its hash in Redis: parsed as JSON, and validated field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from shared_utils.contracts.clips import name_fault
from shared_utils.queue.rq_adapter.values import (
    CANCELED,
    FAILED,
    FINISHED,
    STARTED,
    STOPPED,
    last_result,
    read_call,
    read_error,
    read_return_value,
    read_time,
)

State = Literal["queued", "running", "done", "failed", "lost"]
"""lost: Redis does not know the job: it was deleted, has expired, or Redis was restarted without its data."""

FIELDS = ("status", "data", "meta", "enqueued_at", "started_at", "ended_at", "description")
"""Fields of a job's hash that are read."""
MAX_REASON = 300
"""Most characters of a reason."""

_STATES: dict[str, State] = {
    STARTED: "running",
    FINISHED: "done",
    FAILED: "failed",
    STOPPED: "failed",
    CANCELED: "failed",
}
_ENDED_BY_HAND = {STOPPED: "it was stopped", CANCELED: "it was cancelled"}
_NOT_KNOWN = "Redis does not know this job any more: it was deleted, or Redis was restarted without its data"


@dataclass(frozen=True)
class JobState:
    """A job, now; once it is done or has failed, its outcome.

    Attributes:
        job_id: its id.
        filename: the clip's name.
        state: see :data:`State`.
        run_id, detected: what it found, once it is done; `run_id` is that of its line in the log.
        error: why it failed, in a line; None otherwise.
        seconds: it took, or takes so far; None before it began.
        frames_done, frames_total: sampled frames; None before it began.
        ended_at: local time; None before its end.
    """

    job_id: str
    filename: str
    state: State
    run_id: str | None = None
    detected: tuple[str, ...] = ()
    error: str | None = None
    seconds: float | None = None
    frames_done: int | None = None
    frames_total: int | None = None
    ended_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self.state in ("done", "failed", "lost")


@dataclass(frozen=True)
class WorkerState:
    """A worker of the queue, now.

    Attributes:
        name: unique; begins with its host's name.
        job: what it analyses; None while it waits.
        seen_s: seconds since its last heartbeat, which comes every two.
        done, failed: jobs since it started.
    """

    name: str
    job: JobState | None
    seen_s: float
    done: int
    failed: int


@dataclass(frozen=True)
class QueueCounts:
    """Jobs by what they do: waiting, in work, waiting to be tried again after a failure, failed for good, done."""

    queued: int
    running: int
    to_retry: int
    failed: int
    done: int


def read_state(job_id: str, raw: Mapping[str, bytes | None], now: datetime) -> JobState:
    """Return the state in a job's hash, without what its result adds.

    Args:
        job_id: the job's id.
        raw: :data:`FIELDS` of the hash; all None where there is no such job.
        now: the time, with its zone.
    """
    if raw.get("status") is None and raw.get("data") is None:
        return JobState(job_id, "", "lost", error=_NOT_KNOWN)
    status = _text(raw.get("status"))
    state = _STATES.get(status, "queued")
    started, ended = read_time(raw.get("started_at")), read_time(raw.get("ended_at"))
    seconds = None
    if started is not None and state != "queued":
        until = now if state == "running" or ended is None else ended
        seconds = max(0.0, (until - started).total_seconds())
    meta = read_meta(raw.get("meta")) if state != "queued" else {}
    return JobState(
        job_id=job_id,
        filename=filename_of(raw.get("data")) or _text(raw.get("description")) or job_id,
        state=state,
        error=_ENDED_BY_HAND.get(status),
        seconds=seconds,
        frames_done=_count(meta.get("frames_done")),
        frames_total=_count(meta.get("frames_total")),
        ended_at=ended if ended and state in ("done", "failed") else None,
    )


def read_result(state: JobState, answer: object) -> JobState:
    """Return `state` with what the job's last result adds.

    Args:
        state: of a job that is done or has failed.
        answer: the newest entry of its results, as Redis gives it.
    """
    result = last_result(answer)
    if state.state == "failed":
        return replace(state, error=reason_of(read_error(result)))
    returned = read_return_value(result)
    if not isinstance(returned, dict):
        return state
    run_id, detected = returned.get("run_id"), returned.get("detected")
    return replace(
        state,
        run_id=run_id if isinstance(run_id, str) else None,
        detected=tuple(map(str, detected)) if isinstance(detected, list) else (),
    )


def filename_of(data: bytes | None) -> str | None:
    """Return the ``filename`` argument of a job's call in Redis; None where there is none."""
    try:
        name = read_call(data)[3]["filename"]
    except (LookupError, TypeError):
        return None
    return name if isinstance(name, str) and name_fault(name) is None else None


def reason_of(error_text: str | None) -> str:
    """Return the reason of a failure in one line: the worker's text, or the last line of a traceback."""
    lines = [line.strip() for line in (error_text or "").splitlines() if line.strip()]
    return lines[-1][:MAX_REASON] if lines else "no reason was left"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def read_meta(value: object) -> dict[str, Any]:
    """Return a job's meta data from Redis; an empty dictionary where it is no JSON object."""
    try:
        found = json.loads(value) if isinstance(value, bytes) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
