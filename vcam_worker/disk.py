"""Room on the shared volume: the oldest analysed clips go first; a clip without a result is never deleted."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shared_utils.clips import BOXES_FOLDER, LOG_NAME, list_clips, parse_clip_name
from shared_utils.detections_log import LogFollower

SWEEP_SECONDS = 10.0
"""Between two looks: a 16 Mb/s camera writes 20 MB meanwhile, far below the smallest sensible MIN_FREE_GB."""
GB = 1_000_000_000


@dataclass(frozen=True)
class DiskRules:
    """What may be deleted, and when recording must make room.

    Attributes:
        retention_days: age from which analysed clips go; 0 keeps them.
        min_free_gb: free space below which analysed clips go, oldest first, and recording pauses if that is not
            enough; 0 never looks.
    """

    retention_days: float = 0.0
    min_free_gb: float = 1.0


class DiskGuard:
    """Watches the shared volume from a thread of its own.

    Args:
        video_dir: the volume.
        rules: what to do when.
        pause: takes the reason to stop recording, or None to go on; called on every sweep.
        now: local time.
        free: free bytes of the volume that holds a path.
    """

    def __init__(
        self,
        video_dir: Path,
        rules: DiskRules,
        pause: Callable[[str | None], None],
        *,
        now: Callable[[], datetime] = datetime.now,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._video_dir = video_dir
        self._rules = rules
        self._pause = pause
        self._now = now
        self._free = free
        self._log = logging.getLogger("disk")
        self._follower = LogFollower(video_dir / LOG_NAME)
        self._analysed: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="disk guard", daemon=True)
        self._stop = threading.Event()
        self._failed = False

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, within a sweep."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.sweep()
                self._failed = False
            except OSError as error:  # the volume has gone; the cameras' own writes say so as well
                if not self._failed:
                    self._log.warning("VIDEO_DIR can not be looked through: %s", error)
                self._failed = True
            self._stop.wait(SWEEP_SECONDS)

    def sweep(self) -> None:
        """Delete what is due, and pause or resume recording."""
        self._delete_old()
        short = self._make_room()
        if short is None:
            self._pause(None)
            return
        self._pause(
            f"{short / GB:.1f} GB free of MIN_FREE_GB={self._rules.min_free_gb:g}, and no clip left that has been "
            "analysed: make room, or let the worker catch up"
        )

    def _delete_old(self) -> None:
        if not self._rules.retention_days:
            return
        limit = self._now() - timedelta(days=self._rules.retention_days)
        old = [path for path in self._deletable() if _started_at(path) < limit]
        for path in old:
            self._delete(path)
        if old:
            self._log.info("%d clips older than RETENTION_DAYS=%g deleted", len(old), self._rules.retention_days)

    def _make_room(self) -> int | None:
        """Delete until there is room; return the free bytes if there still is none, else None."""
        wanted = self._rules.min_free_gb * GB
        free = self._free(self._video_dir)
        if free >= wanted:
            return None
        deleted = 0
        for path in self._deletable():
            self._delete(path)
            deleted += 1
            free = self._free(self._video_dir)
            if free >= wanted:
                break
        if deleted:
            self._log.info("%d oldest analysed clips deleted: %.1f GB are free now", deleted, free / GB)
        return None if free >= wanted else free

    def _deletable(self) -> list[Path]:
        """Return the clips that have a result, oldest first."""
        for record in self._follower.poll():
            # a failed analysis is no result: what could not be looked at is worth keeping
            if record.get("ok") is True:
                self._analysed.add(str(record["filename"]))
        clips = list_clips(self._video_dir)
        self._analysed &= {path.name for path in clips}
        return [path for path in clips if path.name in self._analysed]

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for boxes in (self._video_dir / BOXES_FOLDER).glob(f"{path.stem}.*.jsonl"):
            boxes.unlink(missing_ok=True)
        self._analysed.discard(path.name)


def _started_at(path: Path) -> datetime:
    name = parse_clip_name(path.name)
    return name.started_at if name else datetime.fromtimestamp(time.time())
