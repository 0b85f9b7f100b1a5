"""When each camera was being watched: ``cameras_log.jsonl``, which capture appends to.

A night without detections and a night without a camera look alike in the detections log. This log tells them apart.
One line when a camera's state changes, and a sign of life every few minutes, so that a crash or a power cut shows as
a gap::

    {"camera": "door", "event": "up", "at": "2026-02-23T14:48:19.581+02:00"}
    {"camera": "door", "event": "alive", "at": "2026-02-23T14:53:19.600+02:00"}
    {"camera": "door", "event": "down", "at": "2026-02-23T14:55:02.117+02:00", "reason": "no connection"}

`up`: packets come and motion is looked at. `down` at the last packet, where one is known. A `down` that is the first
thing a new capture has to say holds ``"first": true``: how the one before ended is not known.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from shared_utils import messages
from shared_utils.contracts.detections_log import append_record, read_objects
from shared_utils.errors import SettingError
from shared_utils.redact import mask_url

CAMERA_LOG_NAME = "cameras_log.jsonl"
ALIVE_SECONDS = 300.0
"""Between two signs of life: what a crash leaves unknown, against 288 lines (22 kB) a day and camera."""
MISSED_SECONDS = 1.5 * ALIVE_SECONDS
"""Silence after which a camera counts as away from its last sign of life on: the next one is well overdue."""
LOOK_SECONDS = 1.0
"""Between two looks at the cameras, whose processes speak as often."""
MAX_PENDING = 1000
"""Lines kept for later while the disk takes none; the oldest go first."""
STOP_SECONDS = 2.0
"""Time for the last lines at the end; a disk that takes longer is not waited for."""
EVENTS = ("up", "alive", "down")
MAX_REASON = 200
REMOVED = "taken out of the settings"

logger = logging.getLogger(__name__)


class Seen(Protocol):
    """A camera's status, as far as this log needs it; capture's ``CameraStatus`` is one."""

    @property
    def name(self) -> str:
        """Slug."""

    @property
    def state(self) -> str:
        """``running`` when packets come and motion is looked at; ``starting`` when nothing is known yet."""

    @property
    def reason(self) -> str | None:
        """What is wrong, in a line."""

    @property
    def last_packet(self) -> float | None:
        """When the last packet came, seconds since the epoch."""


@dataclass
class _Camera:
    up: bool | None = None
    up_at: float = 0.0
    told: float = 0.0


class Changes:
    """Makes lines of what is seen of the cameras.

    Args:
        redact: takes secrets out of reasons.
        alive_seconds: between two signs of life.
    """

    def __init__(self, redact: Callable[[str], str] = mask_url, alive_seconds: float = ALIVE_SECONDS) -> None:
        self._redact = redact
        self._alive_seconds = alive_seconds
        self._cameras: dict[str, _Camera] = {}

    def look(self, statuses: Iterable[Seen], now: float, tick: float) -> Iterator[dict[str, Any]]:
        """Yield the lines that are due.

        Args:
            statuses: all cameras.
            now: seconds since the epoch.
            tick: seconds of a clock that nobody sets, for what is due when.
        """
        names = set()
        for status in statuses:
            names.add(status.name)
            camera = self._cameras.setdefault(status.name, _Camera())
            up = status.state == "running"
            if up and not camera.up:
                camera.up_at = now
                yield _line(status.name, "up", now)
            elif up and tick - camera.told >= self._alive_seconds:
                yield _line(status.name, "alive", now)
            elif not up and (camera.up or (camera.up is None and status.state != "starting")):
                yield self._down(status, camera, now)
            else:
                continue
            camera.up, camera.told = up, tick
        yield from self._removed(names, now)

    def _removed(self, names: Collection[str], now: float) -> Iterator[dict[str, Any]]:
        """Yield the last lines of cameras that are watched no more."""
        for name in [one for one in self._cameras if one not in names]:
            if self._cameras.pop(name).up:
                yield {**_line(name, "down", now), "reason": REMOVED}

    def end(self, reason: str, now: float) -> Iterator[dict[str, Any]]:
        """Yield the last lines: all cameras are down for `reason`."""
        for name, camera in self._cameras.items():
            if camera.up:
                camera.up = False
                yield {**_line(name, "down", now), "reason": reason}

    def _down(self, status: Seen, camera: _Camera, now: float) -> dict[str, Any]:
        last = status.last_packet
        at = last if camera.up and last is not None and camera.up_at <= last <= now else now
        reason = self._redact(status.reason or status.state)[:MAX_REASON]
        line = {**_line(status.name, "down", at), "reason": reason}
        return {**line, "first": True} if camera.up is None else line


def _line(camera: str, event: str, at: float) -> dict[str, Any]:
    return {
        "camera": camera,
        "event": event,
        "at": datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds"),
    }


class CameraLog:
    """Writes the log from a thread of its own: a disk that is full, slow or gone holds nobody up but this.

    Args:
        path: the log.
        statuses: returns all cameras' statuses; called from the thread.
        redact: takes secrets out of reasons.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        statuses: Callable[[], Iterable[Seen]],
        redact: Callable[[str], str] = mask_url,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._statuses = statuses
        self._now = now
        self._changes = Changes(redact)
        self._pending: deque[dict[str, Any]] = deque(maxlen=MAX_PENDING)
        self._failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera log", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Have the last lines written; does not wait for that."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the last lines, but not for long."""
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._write(self._changes.look(self._statuses(), self._now(), time.monotonic()))
        self._write(self._changes.look(self._statuses(), self._now(), time.monotonic()))
        self._write(self._changes.end("capture was stopped", self._now()))

    def _write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self._pending.extend(dict(line) for line in lines)
        try:
            while self._pending:
                append_record(self._path, self._pending[0])
                self._pending.popleft()
        except OSError as error:
            if not self._failed:
                logger.warning(messages.CAMERA_LOG_NOT_WRITTEN, self._path.name, error)
            self._failed = True
            return
        if self._failed and not self._stop.is_set():
            logger.info(messages.CAMERA_LOG_WRITTEN_AGAIN, self._path.name)
        self._failed = False


@dataclass(frozen=True)
class Interval:
    """A time in which a camera was being watched; `end` is the last moment known of."""

    camera: str
    start: datetime
    end: datetime


def read_intervals(path: Path) -> list[Interval]:
    """Return when which camera was being watched, by camera and time; none overlap.

    Lines that are torn or not of ours are passed over. A missing log is an empty one.

    Raises:
        SettingError: it is no file, or can not be read.
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
            silent = camera in open_since and abs((at - last_sign[camera]).total_seconds()) > MISSED_SECONDS
            if event == "up" or silent or first:
                close(camera, last_sign.get(camera, at))
            if event == "down":
                close(camera, at)
            else:
                open_since.setdefault(camera, at)
            last_sign[camera] = at
    except OSError as error:
        raise SettingError(f"{path} can not be read as a log: {error.strerror}") from None
    for camera in list(open_since):
        close(camera, last_sign[camera])
    return list(_merged(found))


def _events(path: Path) -> Iterator[tuple[str, str, datetime, bool]]:
    for entry in read_objects(path):
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
