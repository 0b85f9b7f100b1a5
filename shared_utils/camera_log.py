"""When each camera was being watched: ``cameras_log.jsonl``, which capture appends to.

A night without detections and a night without a camera look alike in the detections log. This log tells them apart.
One line when a camera's state changes, and a sign of life every few minutes, so that a crash or a power cut shows as
a gap::

    {"camera": "door", "event": "up", "at": "2026-02-23T14:48:19.581+02:00"}
    {"camera": "door", "event": "alive", "at": "2026-02-23T14:53:19.600+02:00"}
    {"camera": "door", "event": "down", "at": "2026-02-23T14:55:02.117+02:00", "reason": "no connection"}

`up`: packets come and motion is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_utils.detections_log import read_objects

CAMERA_LOG_NAME = "cameras_log.jsonl"
ALIVE_SECONDS = 300.0
"""Between two signs of life: what a crash leaves unknown, against 288 lines (23 kB) a day and camera."""
MISSED_SECONDS = 1.5 * ALIVE_SECONDS
"""Silence after which a camera counts as away from its last sign of life on: the next one is well overdue."""
EVENTS = ("up", "alive", "down")


@dataclass(frozen=True)
class Interval:
    """A time in which a camera was being watched; `end` is the last moment known of."""

    camera: str
    start: datetime
    end: datetime


def read_intervals(path: Path) -> list[Interval]:
    """Return when which camera was being watched, by camera and time; none overlap.

    Lines that are torn or not of ours are passed over.
    """
    open_since: dict[str, datetime] = {}
    last_sign: dict[str, datetime] = {}
    found: list[Interval] = []

    def close(camera: str, end: datetime) -> None:
        start = open_since.pop(camera, None)
        if start is not None and end > start:
            found.append(Interval(camera, start, end))

    for camera, event, at in _events(path):
        silent = camera in open_since and abs((at - last_sign[camera]).total_seconds()) > MISSED_SECONDS
        if event == "up" or silent:
            close(camera, last_sign.get(camera, at))
        if event == "down":
            close(camera, at)
        else:
            open_since.setdefault(camera, at)
        last_sign[camera] = at
    for camera in list(open_since):
        close(camera, last_sign[camera])
    return list(_merged(found))


def _events(path: Path) -> Iterator[tuple[str, str, datetime]]:
    for entry in read_objects(path):
        camera, event, at = entry.get("camera"), entry.get("event"), entry.get("at")
        if not isinstance(camera, str) or event not in EVENTS or not isinstance(at, str):
            continue
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            continue
        # a time without its zone is local
        yield camera, str(event), moment if moment.tzinfo else moment.astimezone()


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
