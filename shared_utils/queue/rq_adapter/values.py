"""Values that RQ writes into Redis: times, calls, results. Read without RQ, and believed as far as they are sound."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any

QUEUED, STARTED, SCHEDULED = "queued", "started", "scheduled"
FINISHED, FAILED, STOPPED, CANCELED = "finished", "failed", "stopped", "canceled"
"""States of a job: the field ``status`` of its hash."""

MAX_BYTES = 64 * 1024
"""Of a call or an error's text, unpacked: ours take some hundred; a compressed bomb takes any number."""


def read_time(value: bytes | None) -> datetime | None:
    """Return a time in local time; None where it is none."""
    try:
        moment = datetime.fromisoformat((value or b"").decode())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()
    except (ValueError, OverflowError):  # the year 9999 in one zone may be 10000 in another
        return None


def read_call(data: bytes | None) -> Any:
    """Return a job's call, ``[function, instance, args, kwargs]``: compressed JSON; None where it is none."""
    try:
        return json.loads(zlib.decompressobj().decompress(data or b"", MAX_BYTES))
    except (zlib.error, ValueError, RecursionError):
        return None


def last_result(answer: object) -> dict[bytes, bytes]:
    """Return the fields of the newest entry of a job's results; none where there is no such thing.

    Args:
        answer: what ``XREVRANGE key + - COUNT 1`` gives.
    """
    if isinstance(answer, list) and answer and isinstance(answer[0][1], dict):
        fields: dict[bytes, bytes] = answer[0][1]
        return fields
    return {}


def read_return_value(result: dict[bytes, bytes]) -> Any:
    """Return what a job returned, by the fields of its result; None where that is no JSON."""
    try:
        return json.loads(base64.b64decode(result.get(b"return_value", b"")))
    except (ValueError, RecursionError):
        return None


def read_error(result: dict[bytes, bytes]) -> str | None:
    """Return the text of the error that a job failed by, by the fields of its result."""
    try:
        raw = base64.b64decode(result.get(b"exc_string", b""))
        return zlib.decompressobj().decompress(raw, MAX_BYTES).decode("utf-8", "replace") if raw else None
    except (ValueError, zlib.error):
        return None
