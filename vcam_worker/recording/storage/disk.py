"""Keeps the shared volume from filling up: deletes the oldest analysed clips, never one without a result.

Pictures of live events go as clips do, by their age and for room; what is in the logs stays.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from shared_utils.config.setting import Setting
from shared_utils.contracts.clips import list_clips, parse_clip_name
from shared_utils.contracts.detections_log import LogFollower, log_path
from shared_utils.contracts.sidecars import delete_sidecars
from vcam_worker import messages
from vcam_worker.recording.storage.event_pictures import EventPicture, PictureAges, list_pictures
from vcam_worker.recording.storage.retention import SAVE_INTERVAL, STATE_NAME, RetentionClock, load_state, save_state
from vcam_worker.recording.storage.volume import Volume
from vcam_worker.recording.storage.volume_figures import ClipSizes, OutboxGrowth, VolumeState, measure
from vcam_worker.recording.storage.volume_lock import VolumeLock

SWEEP_S = 10.0
"""Interval between sweeps: a 16 Mb/s camera writes 20 MB meanwhile, far below any sensible MIN_FREE_GB."""
COUNT_S = 60.0
"""Interval between counts of clips: listing 100,000 takes a fifth of a second."""
GB = 1_000_000_000


@dataclass(frozen=True)
class DiskRules:
    """When clips are deleted, and when recording pauses.

    Attributes:
        retention_days: age from which analysed clips are deleted; 0 keeps them.
        min_free_gb: free space below which analysed clips are deleted, oldest first, and recording pauses if that is
            not enough; 0 disables both.
    """

    retention_days: Annotated[
        float, Setting("RETENTION_DAYS", "days that an analysed clip is kept; 0 keeps it", ge=0, le=36_500)
    ] = 0.0
    min_free_gb: Annotated[
        float, Setting("MIN_FREE_GB", "free space below which recording makes room, GB", ge=0, le=1_000_000)
    ] = 1.0


class DiskGuard:
    """Checks the shared volume from a thread of its own.

    Args:
        video_dir: the volume.
        rules: when to delete, and when to pause.
        pause: takes the reason to pause recording, or None to resume it; called on every sweep.
        now: local time.
        free: free bytes of the volume that holds a path.
        tick: seconds of a monotonic clock that also runs while the machine sleeps.
        mount: the mount point of the volume, which must be one; see
        :class:`vcam_worker.recording.storage.volume.Volume`.
        lock: of the volume, taken again if its file was deleted.
    """

    def __init__(
        self,
        video_dir: Path,
        rules: DiskRules,
        pause: Callable[[str | None], None],
        *,
        now: Callable[[], datetime] = datetime.now,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        tick: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        mount: Path | None = None,
        lock: VolumeLock | None = None,
    ) -> None:
        self._video_dir = video_dir
        self._volume = Volume(video_dir, mount)
        self._lock = lock
        self._rules = rules
        self._pause = pause
        self._now = now
        self._free = free
        self._tick = tick
        self._log = logging.getLogger(__name__)
        self._follower = LogFollower(log_path(video_dir))
        self._analysed: set[str] = set()
        self._clock: RetentionClock | None = None
        self._saved_at: datetime | None = None
        self._kept = self._deleted = 0
        self._undeletable: set[str] = set()
        self._sizes = ClipSizes()
        self._count = (0, 0)  # clips, and their bytes
        self._counted_at: float | None = None
        self._picture_ages = PictureAges(video_dir)
        self._growth = OutboxGrowth(self._log)
        self._state: VolumeState | None = None
        self._thread = threading.Thread(target=self._run, name="disk guard", daemon=True)
        self._stop = threading.Event()
        self._failed = False
        self._lost_lock = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present sweep."""
        self._stop.set()

    def state(self) -> VolumeState | None:
        """Return the state at the last sweep; None before the first, and while the volume is gone."""
        return self._state

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.sweep()
            except OSError as error:  # the volume is gone; the cameras' own writes report that as well
                self._state = None
                self._forget()
                if not self._failed:
                    self._log.warning(messages.VOLUME_UNREADABLE, error)
                self._failed = True
            else:
                if self._failed:
                    self._log.info(messages.VOLUME_READABLE_AGAIN)
                self._failed = False
            self._stop.wait(SWEEP_S)

    def _forget(self) -> None:
        """Read the log from its start once the volume is back: its absence says nothing about results."""
        self._follower = LogFollower(log_path(self._video_dir))
        self._analysed = set()

    def sweep(self) -> None:
        """Delete clips that are due, pause or resume recording, and measure.

        Raises:
            OSError: the volume is gone, or cannot be read.
        """
        self._prepare()
        self._delete_old()
        short = self._make_room()
        self._measure()
        if short is None:
            self._pause(None)
            return
        self._pause(
            f"{short / GB:.1f} GB free of MIN_FREE_GB={self._rules.min_free_gb:g}, and no clip left that has been "
            "analysed: make room, or let the worker catch up"
        )

    def _prepare(self) -> None:
        """Recreate deleted folders of the volume, and its lock."""
        try:
            for folder in self._volume.prepare():
                self._log.debug("made: %s", folder)
        except OSError as error:
            self._pause(f"VIDEO_DIR cannot be written to ({error.strerror or error})")
            raise
        if self._lock and self._lock.renew() is self._lost_lock:
            self._lost_lock = not self._lost_lock
            if self._lost_lock:
                self._log.error(messages.VOLUME_IN_USE)

    def _delete_old(self) -> None:
        if not self._rules.retention_days:
            return
        retention = timedelta(days=self._rules.retention_days)
        now = self._now()
        clips = list_clips(self._video_dir)
        times = {path.name: _started_at(path) for path in clips}
        pictures = self._picture_ages.search(now, self._tick())
        known = self._picture_ages.remembered if pictures is None else {one.path.name: one.taken for one in pictures}
        clock = self._updated_clock(retention, now, clips, {**times, **known})
        old, kept = [], 0
        for path in self._deletable():
            named_time = times.get(path.name, now)
            if clock.age(path.name, named_time, now) >= retention:
                old.append(path)
            elif now - named_time >= retention:
                kept += 1
        deleted = sum(self._delete(path) for path in old)
        if deleted:
            self._log.info(messages.OLD_CLIPS_DELETED, deleted, self._rules.retention_days)
        self._log_kept(kept, clock)
        self._delete_old_pictures(pictures or (), retention, now, clock)

    def _delete_old_pictures(
        self, pictures: Iterable[EventPicture], retention: timedelta, now: datetime, clock: RetentionClock
    ) -> None:
        old = [one.path for one in pictures if clock.age(one.path.name, one.taken, now) >= retention]
        deleted = sum(self._unlink(path) for path in old)
        if deleted:
            self._log.info(messages.EVENT_PICTURES_DELETED, deleted)

    def _updated_clock(
        self, retention: timedelta, now: datetime, clips: list[Path], times: dict[str, datetime]
    ) -> RetentionClock:
        path = self._video_dir / STATE_NAME
        if self._clock is None:
            self._clock = RetentionClock(retention, load_state(path))
        newest = None
        if clips:
            with suppress(OSError):
                newest = datetime.fromtimestamp(clips[-1].stat().st_mtime)
        before = self._clock.leap
        self._clock.update(now, self._tick(), times, newest)
        if self._saved_at is None or abs(now - self._saved_at) >= SAVE_INTERVAL or self._clock.leap != before:
            self._saved_at = now
            with suppress(OSError):  # full or read-only: the cameras' writes report that
                save_state(path, self._clock.state())
        return self._clock

    def _log_kept(self, kept: int, clock: RetentionClock) -> None:
        if kept and not self._kept and clock.leap:
            self._log.warning(
                messages.CLOCK_LEAPT,
                clock.leap.before.isoformat(" ", "minutes"),
                clock.leap.after.isoformat(" ", "minutes"),
                kept,
                self._rules.retention_days,
            )
        elif self._kept and not kept:
            self._log.info(messages.CLOCK_LEAP_PASSED)
        self._kept = kept

    def _make_room(self) -> int | None:
        """Delete the oldest clips and pictures until there is room; return the free bytes if that is not enough."""
        wanted = self._rules.min_free_gb * GB
        free = self._free(self._video_dir)
        if free >= wanted:
            return None
        clips = [(_started_at(path), path, True) for path in self._deletable()]
        pictures = [(one.taken, one.path, False) for one in list_pictures(self._video_dir)]
        clips_deleted = pictures_deleted = 0
        for _, path, is_clip in sorted([*clips, *pictures]):
            if not (self._delete(path) if is_clip else self._unlink(path)):
                continue
            clips_deleted += is_clip
            pictures_deleted += not is_clip
            free = self._free(self._video_dir)
            if free >= wanted:
                break
        if clips_deleted:
            self._log.info(messages.CLIPS_DELETED_FOR_ROOM, clips_deleted, free / GB)
        if pictures_deleted:
            self._log.info(messages.EVENT_PICTURES_DELETED, pictures_deleted)
        return None if free >= wanted else free

    def _measure(self) -> None:
        tick = self._tick()
        if self._counted_at is None or tick - self._counted_at >= COUNT_S:
            self._counted_at = tick
            clips = list_clips(self._video_dir)
            self._count = (len(clips), self._sizes.total(clips))
        total, waiting = measure(self._volume)
        self._growth.note(waiting)
        self._state = VolumeState(
            free=self._free(self._video_dir),
            total=total,
            clips=self._count[0],
            clip_bytes=self._count[1],
            waiting=waiting,
            deleted=self._deleted,
            kept=self._kept,
            retention_days=self._rules.retention_days,
            min_free_bytes=round(self._rules.min_free_gb * GB),
            looked_at=time.time(),
        )

    def _deletable(self) -> list[Path]:
        """Return the clips that have a result, oldest first."""
        for record in self._follower.poll():
            # a failed analysis is no result: a clip that was not analysed is kept
            if record.get("ok") is True:
                self._analysed.add(str(record["filename"]))
        clips = list_clips(self._video_dir)
        self._analysed &= {path.name for path in clips}
        return [path for path in clips if path.name in self._analysed]

    def _delete(self, path: Path) -> bool:
        """Delete a clip and its sidecars, and return whether that worked; a failure does not stop others."""
        if not self._unlink(path, lambda: delete_sidecars(self._video_dir, path.name)):
            return False
        self._analysed.discard(path.name)
        self._deleted += 1
        return True

    def _unlink(self, path: Path, finish: Callable[[], None] = lambda: None) -> bool:
        """Delete a file and `finish`, and return whether that worked."""
        try:
            path.unlink(missing_ok=True)
            finish()
        except OSError as error:
            if not self._undeletable:
                self._log.warning(messages.CLIP_NOT_DELETED, path.name, error.strerror)
            self._undeletable.add(path.name)
            return False
        self._undeletable.discard(path.name)
        return True


def _started_at(path: Path) -> datetime:
    name = parse_clip_name(path.name)
    return name.started_at if name else datetime.fromtimestamp(time.time())
