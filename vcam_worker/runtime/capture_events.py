"""Makes events of capture as a whole: cameras that come and go, starts, stops and trouble of the program.

Reasons in events are general ones: whoever reads the stream learns no URL, no host and no password from them. The log
and the pages have the particular ones.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from shared_utils.contracts.events import Event
from shared_utils.version import VERSION
from vcam_worker.runtime.health import REASONS
from vcam_worker.runtime.status import CameraStatus

PROGRAM = "capture"
DOWN_AFTER_S = 5.0
"""Time without frames after which a camera is down: many reconnect within a second, and some do so all day."""
CHECK_S = 1.0
"""Interval between checks; cameras report as often."""
REMOVED = "taken out of the settings"
ENDED = "its process ended; it is started again"

_WELL = ("running", "paused")


@dataclass
class _Camera:
    """What was reported of a camera.

    Attributes:
        up: None before the first event.
        well: when it was last well, monotonic seconds.
        last_packet: seconds since the epoch.
    """

    well: float
    up: bool | None = None
    last_packet: float | None = None


class CaptureEvents:
    """Events of the supervisor.

    Args:
        publish: takes each event; must neither block nor raise.
        now: seconds since the epoch.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._now = now
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}
        self._troubles: dict[str, str] = {}
        self._due = 0.0

    def forward(self, event: Event) -> None:
        """Publish an event of a camera's process."""
        self._publish(event)

    def service(self, value: str, **more: object) -> None:
        """Publish that capture has ``started``, ``stopped`` or is in ``trouble``."""
        about = {"program": PROGRAM, "version": VERSION, "host": socket.gethostname(), **more}
        self._publish(Event("service", self._at(), value=value, more=about))

    def check(self, statuses: Iterable[CameraStatus], *, pause_reason: str | None, volume_hangs: bool) -> None:
        """Publish what has changed since the last call, at most once per :data:`CHECK_S`.

        Args:
            statuses: all cameras.
            pause_reason: why all recording is paused.
            volume_hangs: some camera's process waits for the volume.
        """
        if self._clock() < self._due:
            return
        self._due = self._clock() + CHECK_S
        cameras = list(statuses)
        for status in cameras:
            self._camera(status)
        self._removed({status.name for status in cameras})
        paused = pause_reason or next((one.reason for one in cameras if one.state == "paused"), None)
        self._trouble("recording_paused", paused)
        self._trouble("volume_hangs", "the volume takes no data" if volume_hangs else None)

    def _camera(self, status: CameraStatus) -> None:
        known = self._cameras.setdefault(status.name, _Camera(self._clock()))
        known.last_packet = status.last_packet or known.last_packet
        if status.state in _WELL:
            known.well = self._clock()
            if not known.up:
                known.up = True
                self._publish(Event("camera", self._at(status.since), status.name, value="up"))
            return
        # one that never came up has its time to start
        is_down = self._clock() - known.well >= DOWN_AFTER_S and (known.up or status.state != "starting")
        if is_down and known.up is not False:
            at = known.last_packet if known.up else None
            known.up = False
            self._down(status.name, _reason(status), at, state=status.state)

    def _removed(self, names: set[str]) -> None:
        for name in [one for one in self._cameras if one not in names]:
            if self._cameras.pop(name).up:
                self._down(name, REMOVED, None)

    def _down(self, camera: str, reason: str, at: float | None, **more: str) -> None:
        self._publish(Event("camera", self._at(at), camera, value="down", more={"reason": reason, **more}))

    def _trouble(self, what: str, reason: str | None) -> None:
        """Publish that a trouble has begun, or is over."""
        before = self._troubles.get(what)
        if reason and before is None:
            self._troubles[what] = reason
            self.service("trouble", what=what, reason=reason, over=False)
        elif not reason and before is not None:
            del self._troubles[what]
            self.service("trouble", what=what, reason=before, over=True)

    def _at(self, at: float | None = None) -> datetime:
        now = self._now()
        return datetime.fromtimestamp(min(at or now, now)).astimezone()


def _reason(status: CameraStatus) -> str:
    if status.state == "stopped" and status.reason:  # without one, a file is at its end
        return ENDED
    return REASONS[status.state]
