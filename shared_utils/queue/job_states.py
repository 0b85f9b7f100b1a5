"""What the queue's Redis knows of a job, for people: read as JSON, and believed as far as it is sound."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from shared_utils.contracts.clips import name_fault

State = Literal["queued", "running", "done", "failed", "lost"]
"""lost: Redis does not know the job: it was deleted, has expired, or Redis was restarted without its data."""

FIELDS = ("status", "data", "meta", "enqueued_at", "started_at", "ended_at", "description")
"""Of a job's hash: what is read."""
MAX_CALL_BYTES = 64 * 1024
"""Of a job's call, unpacked: ours take some hundred, what else lies in the queue may take any number."""
MAX_REASON = 300
"""Characters of a reason that are shown."""

_STATES: dict[str, State] = {
    "started": "running",
    "finished": "done",
    "failed": "failed",
    "stopped": "failed",
    "canceled": "failed",
}
_ENDED_BY_HAND = {"stopped": "it was stopped", "canceled": "it was cancelled"}
_NOT_KNOWN = "Redis does not know this job any more: it was deleted, or Redis was restarted without its data"


@dataclass(frozen=True)
class JobState:
    """A job, now; once it is done or has failed, its outcome.

    Attributes:
        job_id: its id.
        filename: of the clip.
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
        """Whether nothing more will come of it by itself."""
        return self.state in ("done", "failed", "lost")


@dataclass(frozen=True)
class WorkerState:
    """A worker that serves the queue, now.

    Attributes:
        name: unique; begins with its host's name.
        job: what it analyses; None while it waits.
        seen_s: seconds since its last sign of life, which comes every two.
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
    """Return the state that a job's hash tells, without what its result adds.

    Args:
        job_id: the job's id.
        raw: :data:`FIELDS` of the hash; all None where there is no such job.
        now: the time, with its zone.
    """
    if raw.get("status") is None and raw.get("data") is None:
        return JobState(job_id, "", "lost", error=_NOT_KNOWN)
    status = _text(raw.get("status"))
    state = _STATES.get(status, "queued")
    started, ended = _time(raw.get("started_at")), _time(raw.get("ended_at"))
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
    payload: dict[bytes, bytes] = {}
    if isinstance(answer, list) and answer and isinstance(answer[0][1], dict):
        payload = answer[0][1]
    if state.state == "failed":
        return replace(state, error=reason_of(_packed(payload.get(b"exc_string"))))
    try:
        told = json.loads(base64.b64decode(payload.get(b"return_value", b"")))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return state
    run_id, detected = told.get("run_id"), told.get("detected")
    return replace(
        state,
        run_id=run_id if isinstance(run_id, str) else None,
        detected=tuple(map(str, detected)) if isinstance(detected, list) else (),
    )


def _packed(text: bytes | None) -> str | None:
    """Return an error's text as RQ packs it."""
    try:
        raw = base64.b64decode(text or b"")
        return zlib.decompressobj().decompress(raw, MAX_CALL_BYTES).decode("utf-8", "replace") if raw else None
    except (ValueError, zlib.error):
        return None


def filename_of(data: bytes | None) -> str | None:
    """Return the ``filename`` of a job's call, as it lies in Redis; None where that holds no such thing."""
    unpacker = zlib.decompressobj()
    try:
        call = json.loads(unpacker.decompress(data or b"", MAX_CALL_BYTES))
        name = call[3]["filename"]
    except (zlib.error, ValueError, RecursionError, LookupError, TypeError):
        return None
    return name if isinstance(name, str) and name_fault(name) is None else None


def reason_of(error_text: str | None) -> str:
    """Return why a job failed, in a line: the text that the worker left, or the end of a traceback."""
    lines = [line.strip() for line in (error_text or "").splitlines() if line.strip()]
    return lines[-1][:MAX_REASON] if lines else "no reason was left"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _time(value: bytes | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()
    except (ValueError, OverflowError):  # the year 9999 in one zone may be 10000 in another
        return None


def read_meta(value: object) -> dict[str, Any]:
    """Return what a job notes of itself, as it lies in Redis; nothing of it where it is no JSON object."""
    try:
        found = json.loads(value) if isinstance(value, bytes) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
