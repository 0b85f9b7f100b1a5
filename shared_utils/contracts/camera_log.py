"""When each camera was watched: ``cameras_log.jsonl``, which capture appends to.

A night without detections and a night without a camera look alike in the detections log. This log tells them apart.
One line when a camera's state changes, and a sign of life every few minutes, so that a crash or a power cut shows as
a gap::

    {"camera": "door", "event": "up", "at": "2026-02-23T14:48:19.581+02:00"}
    {"camera": "door", "event": "alive", "at": "2026-02-23T14:53:19.600+02:00"}
    {"camera": "door", "event": "down", "at": "2026-02-23T14:55:02.117+02:00", "reason": "no connection"}

``up``: packets arrive and motion is analysed. ``down``: at the last packet, where one is known. A ``down`` that is the
first line of a new capture process holds ``"first": true``: how the process before it ended is not known. Lines
without ``schema`` are of schema 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from shared_utils.contracts.json_lines import append_line, read_objects
from shared_utils.contracts.sidecars import check_schema
from shared_utils.errors import SettingError

CAMERA_LOG_NAME = "cameras_log.jsonl"
SCHEMA = 1
ALIVE_S = 300.0
"""Between two signs of life: what a crash leaves unknown, against 288 lines (22 kB) per day and camera."""
MISSED_S = 1.5 * ALIVE_S
"""Silence after which a camera counts as away from its last sign of life on: the next one is well overdue."""
MAX_REASON = 200
"""Characters of a reason."""

CameraEvent = Literal["up", "alive", "down"]
EVENTS = ("up", "alive", "down")


def camera_log_path(video_dir: Path) -> Path:
    """Return the path of the log on the shared volume."""
    return video_dir / CAMERA_LOG_NAME


def camera_line(
    camera: str, event: CameraEvent, at: datetime, reason: str | None = None, *, first: bool = False
) -> dict[str, Any]:
    """Return a line of the log.

    Args:
        camera: its name.
        event: what happened.
        at: when; a time without its zone is local.
        reason: of a ``down``, without secrets.
        first: whether it is the first line of a new process, so that how the process before it ended is not known.
    """
    line: dict[str, Any] = {
        "camera": camera,
        "event": event,
        "at": at.astimezone().isoformat(timespec="milliseconds"),
    }
    if reason is not None:
        line["reason"] = reason[:MAX_REASON]
    if first:
        line["first"] = True
    return line


def append_camera_line(path: Path, line: Mapping[str, Any]) -> None:
    """Append a line of :func:`camera_line`, on disk when this returns.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    append_line(path, line)


@dataclass(frozen=True)
class Interval:
    """A time in which a camera was watched; `end` is the last moment known of."""

    camera: str
    start: datetime
    end: datetime


def read_intervals(path: Path) -> list[Interval]:
    """Return when which camera was watched, by camera and time; none overlap.

    Lines that are torn or hold something else are skipped. A missing log is an empty one.

    Raises:
        FormatError: it has lines of a later version.
        SettingError: it is not a file, or cannot be read.
    """
    open_since: dict[str, datetime] = {}
    last_sign: dict[str, datetime] = {}
    found: list[Interval] = []

    def close(camera: str, end: datetime) -> None:
        start = open_since.pop(camera, None)
        if start is not None and end > start:
            found.append(Interval(camera, start, end))

    try:
        for camera, event, at, first in _events(path):
            silent = camera in open_since and abs((at - last_sign[camera]).total_seconds()) > MISSED_S
            if event == "up" or silent or first:
                close(camera, last_sign.get(camera, at))
            if event == "down":
                close(camera, at)
            else:
                open_since.setdefault(camera, at)
            last_sign[camera] = at
    except OSError as error:
        raise SettingError(f"{path} cannot be read as a log: {error.strerror}") from None
    for camera in list(open_since):
        close(camera, last_sign[camera])
    return list(_merged(found))


def _events(path: Path) -> Iterator[tuple[str, str, datetime, bool]]:
    for entry in read_objects(path):
        check_schema(entry, path, SCHEMA)
        camera, event, at = entry.get("camera"), entry.get("event"), entry.get("at")
        if not isinstance(camera, str) or event not in EVENTS or not isinstance(at, str):
            continue
        try:
            moment = datetime.fromisoformat(at)
            # a time without its zone is local
            moment = moment if moment.tzinfo else moment.astimezone()
        except (ValueError, OverflowError):
            continue
        yield camera, str(event), moment, entry.get("first") is True


def _merged(intervals: Iterable[Interval]) -> Iterator[Interval]:
    last: Interval | None = None
    for one in sorted(intervals, key=lambda interval: (interval.camera, interval.start)):
        if last is not None and last.camera == one.camera and one.start <= last.end:
            last = Interval(last.camera, last.start, max(last.end, one.end))
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last
