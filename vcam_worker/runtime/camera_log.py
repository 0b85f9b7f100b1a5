"""Writes ``cameras_log.jsonl`` (:mod:`shared_utils.contracts.camera_log`): when each camera was watched."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared_utils.contracts.camera_log import ALIVE_S, CameraEvent, append_camera_line, camera_line
from shared_utils.redact import mask_url
from vcam_worker import messages
from vcam_worker.runtime.status import CameraStatus

POLL_S = 1.0
"""Between two checks of the cameras, whose processes report as often."""
MAX_PENDING = 1000
"""Lines kept for later while the disk takes none; the oldest go first."""
STOP_TIMEOUT_S = 2.0
"""For the last lines at the end; a disk that takes longer is not waited for."""
REMOVED = "taken out of the settings"

logger = logging.getLogger(__name__)


@dataclass
class _Reported:
    """What the log has of a camera: whether it is up (None: nothing yet), since when, and when its last line came."""

    up: bool | None = None
    up_at: float = 0.0
    tick: float = 0.0


class Changes:
    """Turns changes of the cameras' states into lines of the log.

    Args:
        redact: takes secrets out of reasons.
        alive_s: between two signs of life.
    """

    def __init__(self, redact: Callable[[str], str] = mask_url, alive_s: float = ALIVE_S) -> None:
        self._redact = redact
        self._alive_s = alive_s
        self._cameras: dict[str, _Reported] = {}

    def lines(self, statuses: Iterable[CameraStatus], now: float, tick: float) -> Iterator[dict[str, Any]]:
        """Yield the lines that are due.

        Args:
            statuses: all cameras.
            now: seconds since the epoch.
            tick: seconds of a monotonic clock.
        """
        names = set()
        for status in statuses:
            names.add(status.name)
            camera = self._cameras.setdefault(status.name, _Reported())
            up = status.state == "running"
            if up and not camera.up:
                camera.up_at = now
                yield _line(status.name, "up", now)
            elif up and tick - camera.tick >= self._alive_s:
                yield _line(status.name, "alive", now)
            elif not up and (camera.up or (camera.up is None and status.state != "starting")):
                yield self._down(status, camera, now)
            else:
                continue
            camera.up, camera.tick = up, tick
        yield from self._removed(names, now)

    def _removed(self, names: Collection[str], now: float) -> Iterator[dict[str, Any]]:
        """Yield the last lines of cameras that are no longer watched."""
        for name in [one for one in self._cameras if one not in names]:
            if self._cameras.pop(name).up:
                yield _line(name, "down", now, REMOVED)

    def end(self, reason: str, now: float) -> Iterator[dict[str, Any]]:
        """Yield the last lines: all cameras are down for `reason`."""
        for name, camera in self._cameras.items():
            if camera.up:
                camera.up = False
                yield _line(name, "down", now, reason)

    def _down(self, status: CameraStatus, camera: _Reported, now: float) -> dict[str, Any]:
        last = status.last_packet
        at = last if camera.up and last is not None and camera.up_at <= last <= now else now
        reason = self._redact(status.reason or status.state)
        return _line(status.name, "down", at, reason, first=camera.up is None)


def _line(
    camera: str, event: CameraEvent, at: float, reason: str | None = None, *, first: bool = False
) -> dict[str, Any]:
    return camera_line(camera, event, datetime.fromtimestamp(at), reason, first=first)


class CameraLogWriter:
    """Writes the log from a thread of its own: a disk that is full, slow or gone delays nothing else.

    Args:
        path: the log.
        statuses: returns all cameras' statuses; called from the thread.
        redact: takes secrets out of reasons.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        statuses: Callable[[], Iterable[CameraStatus]],
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
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the last lines to be written, without waiting for it."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the last lines, at most :data:`STOP_TIMEOUT_S`."""
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            self._write(self._changes.lines(self._statuses(), self._now(), time.monotonic()))
        self._write(self._changes.lines(self._statuses(), self._now(), time.monotonic()))
        self._write(self._changes.end("capture was stopped", self._now()))

    def _write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self._pending.extend(dict(line) for line in lines)
        try:
            while self._pending:
                append_camera_line(self._path, self._pending[0])
                self._pending.popleft()
        except OSError as error:
            if not self._failed:
                logger.warning(messages.CAMERA_LOG_NOT_WRITTEN, self._path.name, error)
            self._failed = True
            return
        if self._failed and not self._stop.is_set():
            logger.info(messages.CAMERA_LOG_WRITTEN_AGAIN, self._path.name)
        self._failed = False
