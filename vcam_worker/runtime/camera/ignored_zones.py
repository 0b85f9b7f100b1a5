"""Follows the zones of a camera in which motion is ignored, in a thread: the volume may hang, recording does not."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from shared_utils.config.zones.files import ZonesFiles
from shared_utils.config.zones.model import Zones
from shared_utils.contracts.zones import ZONES_SUFFIX
from vcam_worker import messages
from vcam_worker.motion.ignored import Polygons, ignored_polygons, watched_share

POLL_S = 1.5
"""Interval at which the file is looked at; the camera's loop takes the outcome within a second of it."""

Log = logging.LoggerAdapter[logging.Logger]


class IgnoredZones:
    """Knows where a camera's motion is ignored, by the newest right revision of its zones.

    Args:
        video_dir: the shared volume.
        camera: its name.
        min_area: moving share of the picture from which a clip starts.
        log: adds the camera's name to lines.
        poll_s: interval of the looks.
    """

    def __init__(self, video_dir: Path, camera: str, min_area: float, log: Log, poll_s: float = POLL_S) -> None:
        self._files = ZonesFiles(video_dir, self._report)
        self._camera = camera
        self._min_area = min_area
        self._log = log
        self._poll_s = poll_s
        self._polygons: Polygons = ()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zones", daemon=True)

    @property
    def polygons(self) -> Polygons:
        """Where motion is ignored; another object only when that has changed."""
        return self._polygons

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a look that is under way is not waited for, as the volume may hang."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except Exception:  # noqa: BLE001  # no change would be taken over without this thread
                self._log.exception(messages.UNEXPECTED_ERROR)
            self._stopped.wait(self._poll_s)

    def _look(self) -> None:
        loaded = self._files.get(self._camera)
        zones = None if loaded is None else loaded.zones
        polygons = ignored_polygons(zones)
        if polygons == self._polygons:
            return
        self._polygons = polygons
        self._log.info(messages.MOTION_IGNORED, _names(zones) or "no zone any more")
        share = watched_share(polygons)
        if share < self._min_area:
            self._log.warning(messages.MOTION_IGNORED_EVERYWHERE, 100 * share, self._min_area)

    def _report(self, camera: str, problem: str | None) -> None:
        if problem is None:
            self._log.info(messages.CAPTURE_ZONES_RIGHT_AGAIN, f"{camera}{ZONES_SUFFIX}")
        else:
            self._log.error(messages.CAPTURE_ZONES_WRONG, problem)


def _names(zones: Zones | None) -> str:
    return ", ".join(zone.name for zone in zones.zones if zone.ignore_motion) if zones else ""
