"""A job as this worker reads it from Redis: one function, checked arguments, everything else ignored.

RQ lets a job's hash in Redis name functions to import and call (the job's own, its callbacks), addresses to send
requests to (webhooks) and objects to unpickle. Whoever reaches the queue could have this worker do any of it; so only
known keys of the hash are read, each checked, and only ``process_clip`` is ever called.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from shared_utils.contracts.clips import name_fault
from shared_utils.contracts.job_options import JobArguments
from shared_utils.errors import JobRefused
from shared_utils.queue.connection import JOB_TIMEOUT_S
from shared_utils.queue.jobs import FAILURE_TTL_S, PROCESS_CLIP, RESULT_TTL_S
from shared_utils.queue.rq_adapter.jobs import StoredJob, is_state, is_time

MAX_DATA_BYTES = 64 * 1024
"""Of a job's call, unpacked. Ours take some hundred; a compressed bomb takes any number."""
MAX_META_BYTES = 64 * 1024
MAX_TEXT_BYTES = 1024
RETRIES = 3
"""Retries after a failure that may be temporary, or after the death of the worker."""
RETRY_AFTER_S = (2, 10, 30)
"""Seconds before each retry."""
ARGUMENTS = JobArguments.__required_keys__

_NUMBER = re.compile(rb"\d{1,9}")

Runner = Callable[..., Any]


def _matches(pattern: re.Pattern[bytes]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, bytes) and pattern.fullmatch(value) is not None


def _is_text(value: Any) -> bool:
    if not isinstance(value, bytes) or len(value) > MAX_TEXT_BYTES:
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_meta(value: Any) -> bool:
    if not isinstance(value, bytes) or len(value) > MAX_META_BYTES:
        return False
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


class ClipJob(StoredJob):
    """A job that can only analyse a clip."""

    sound: ClassVar[Mapping[str, Callable[[Any], bool]]] = {
        "created_at": is_time,
        "enqueued_at": is_time,
        "started_at": is_time,
        "ended_at": is_time,
        "last_heartbeat": is_time,
        "origin": _is_text,
        "description": _is_text,
        "worker_name": _is_text,
        "status": is_state,
        "timeout": _matches(_NUMBER),
        "result_ttl": _matches(_NUMBER),
        "failure_ttl": _matches(_NUMBER),
        "retries_left": _matches(_NUMBER),
        "meta": _is_meta,
    }
    """Not among them, so never acted upon: callbacks, webhooks, repeats, dependencies, groups, results."""

    def clean_data(self, data: Any) -> bytes:
        """Return a job's call as JSON text; nothing of it where it is none, or too large."""
        if not isinstance(data, bytes) or len(data) > MAX_DATA_BYTES:
            return b""
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(data, MAX_DATA_BYTES)
            whole = not unpacker.unconsumed_tail
        except zlib.error:  # not packed
            text, whole = data, True
        # RQ would unpack once more what looks packed; a call in JSON begins with a bracket
        return text if whole and text[:1] == b"[" else b""

    def settle(self) -> None:
        """Bound times and retries."""
        self.timeout = min(int(self.timeout or JOB_TIMEOUT_S), JOB_TIMEOUT_S) or JOB_TIMEOUT_S
        # 0 would have RQ delete the job before anybody reads what became of it
        self.result_ttl = self.result_ttl or RESULT_TTL_S
        self.failure_ttl = self.failure_ttl or FAILURE_TTL_S
        self.retries_left = RETRIES if self.retries_left is None else min(self.retries_left, RETRIES)
        self.retry_intervals = list(RETRY_AFTER_S)

    def retry_later(self, seconds: int) -> None:
        """Retry in so many seconds, without using up a retry."""
        self.retries_left = (self.retries_left or 0) + 1
        self.retry_intervals = [seconds]

    @property
    def func(self) -> Runner:
        """The worker's function, if the job asks for ``process_clip``.

        Raises:
            JobRefused: it asks for anything else.
        """
        if self.func_name != PROCESS_CLIP or self.instance is not None:
            raise JobRefused(f"refused: it asks for {str(self.func_name)[:80]!r}; this worker runs {PROCESS_CLIP} only")
        if not isinstance(self.kwargs, dict) or self.args or not set(self.kwargs) <= ARGUMENTS:
            raise JobRefused(f"refused: {PROCESS_CLIP} takes the keyword arguments {', '.join(sorted(ARGUMENTS))} only")
        if self.runner is None:
            raise JobRefused("refused: this job was not given to a worker of ours")
        return self.runner

    @property
    def filename(self) -> str:
        """The clip's name in the job, for people; the job's id where there is none."""
        try:
            name = self.kwargs["filename"]
        except Exception:  # noqa: BLE001  # whatever the data may be
            name = None
        return name if isinstance(name, str) and name and name_fault(name) is None else self.id
