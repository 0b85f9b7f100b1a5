"""From a closed file to a queued job, so that neither a crash nor an absent Redis loses a clip or queues it twice.

Each finished clip gets a note in ``video/.outbox`` first, then its place (one rename), then its job; the note goes
last. Whatever step a crash falls into, the next start finds the note and goes on from there. The job's id is the
clip's, so announcing it again is no second job.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import redis
from rq import Queue

from shared_utils.clips import CLIP_SUFFIX, WORK_FOLDER, ClipName
from shared_utils.config import RedisSettings
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.jobs import clip_queue, enqueue_new_clip, redis_errors
from vcam_worker.recorder import repair

OUTBOX_FOLDER = ".outbox"
NOTE_SUFFIX = ".json"
PART_SUFFIX = ".part"
ROOM_BYTES = 2_000_000
"""Free space from which writing is tried again: a second of a 16 Mb/s camera."""
RETRY_FIRST, RETRY_MAX = 1.0, 15.0
"""Seconds between attempts while Redis is away."""

_STAMP = "%Y%m%d-%H%M%S.%f%z"

Log = logging.LoggerAdapter[logging.Logger]


class Outbox:
    """Publishes one camera's clips.

    Args:
        video_dir: the shared volume.
        camera: slug; notes and files of other cameras are left alone.
        log: for what happens to clips.
        enqueue: queues a clip by name; raises QueueUnavailable, to be tried again.
    """

    def __init__(self, video_dir: Path, camera: str, log: Log, enqueue: Callable[[str], bool]) -> None:
        self._video_dir = video_dir
        self._camera = camera
        self._log = log
        self._enqueue = enqueue
        self._work = video_dir / WORK_FOLDER
        self._notes = video_dir / OUTBOX_FOLDER
        self._work.mkdir(exist_ok=True)
        self._notes.mkdir(exist_ok=True)
        self._away_since: float | None = None

    def work_path(self, started_at: datetime) -> Path:
        """Return the file to record into; its name keeps the start for whoever finds it after a crash."""
        return self._work / f"{self._camera}.{started_at.strftime(_STAMP)}{PART_SUFFIX}"

    def publish(self, work: Path, started_at: datetime) -> str:
        """Put a closed file in its place; :meth:`send` queues it.

        Returns:
            The clip's name.
        """
        name = self._free_name(started_at)
        note = self._notes / f"{name}{NOTE_SUFFIX}"
        _write_durably(note, json.dumps({"filename": str(name), "work": work.name}))
        self._place(work, str(name))
        return str(name)

    def _free_name(self, started_at: datetime) -> ClipName:
        # the same second twice: a very short clip before, or the hour that the end of summer time repeats
        name = ClipName(started_at.replace(tzinfo=None, microsecond=0), self._camera)
        while (self._video_dir / str(name)).exists() or (self._notes / f"{name}{NOTE_SUFFIX}").exists():
            name = name.later(1)
        return name

    def _place(self, work: Path, name: str) -> None:
        with work.open("rb") as file:
            os.fsync(file.fileno())
        work.rename(self._video_dir / name)
        _sync_folder(self._video_dir)

    def waiting(self) -> list[str]:
        """Return the names of clips that have no job yet, oldest first."""
        pattern = f"*-{self._camera}{CLIP_SUFFIX}{NOTE_SUFFIX}"
        found = (note.name.removesuffix(NOTE_SUFFIX) for note in self._notes.glob(pattern))
        # a camera "door" must not take the notes of "front-door"
        length = len("YYYYMMDD-HHMMSS-") + len(self._camera) + len(CLIP_SUFFIX)
        return sorted(name for name in found if len(name) == length)

    def send(self) -> bool:
        """Queue what is waiting, in order.

        Returns:
            Whether nothing is left; False when Redis is away, which is said once.
        """
        for name in self.waiting():
            try:
                fresh = self._enqueue(name)
            except (QueueUnavailable, SettingError) as error:
                if self._away_since is None:
                    self._away_since = time.monotonic()
                    self._log.warning("%s; recording goes on, clips wait in the outbox until it is back", error)
                return False
            if self._away_since is not None:
                away = time.monotonic() - self._away_since
                self._log.info("Redis is back after %.0f s", away)
                self._away_since = None
            self._log.info("job queued: %s%s", name, "" if fresh else " (it was queued before)")
            (self._notes / f"{name}{NOTE_SUFFIX}").unlink(missing_ok=True)
        return True

    def check_room(self) -> None:
        """Find out whether the volume takes data again.

        Raises:
            OSError: it does not.
        """
        probe = self._work / f"{self._camera}.room"
        try:
            with probe.open("wb") as file:
                # really taken, not asked for: a quota shows in no file system's count of free blocks
                os.posix_fallocate(file.fileno(), 0, ROOM_BYTES)
        finally:
            probe.unlink(missing_ok=True)

    def recover(self) -> None:
        """Bring to an end what an earlier run left: notes without their rename, and files in work.

        Raises:
            OSError: the volume can not be written to; what is left is as it was.
        """
        for name in self.waiting():
            self._finish_note(name)
        for work in sorted(self._work.glob(f"{self._camera}.*{PART_SUFFIX}")):
            self._recover_file(work)

    def _finish_note(self, name: str) -> None:
        note = self._notes / f"{name}{NOTE_SUFFIX}"
        try:
            work = self._work / str(json.loads(note.read_text())["work"])
        except (ValueError, KeyError, TypeError):
            work = None
        if (self._video_dir / name).exists():
            return
        if work is not None and work.is_file():
            self._place(work, name)
            self._log.info("clip published that the last run had closed: %s", name)
            return
        self._log.warning("the clip %s was to be queued, but it is gone from %s", name, self._video_dir)
        note.unlink(missing_ok=True)

    def _recover_file(self, work: Path) -> None:
        stamp = work.name.removeprefix(f"{self._camera}.").removesuffix(PART_SUFFIX)
        try:
            started_at = datetime.strptime(stamp, _STAMP)
        except ValueError:
            self._log.warning("left alone, the name is none of ours: %s", work)
            return
        size = work.stat().st_size
        if not size:
            work.unlink()
            return
        whole = work.with_suffix(".repaired")
        try:
            summary = repair(work, whole)
        except OSError:
            whole.unlink(missing_ok=True)
            raise
        if not summary.frames:
            kept = work.with_suffix(".unreadable")
            work.rename(kept)
            self._log.warning(
                "a clip that the last run left open holds no whole GOP (%d bytes), kept as %s", size, kept
            )
            return
        whole.replace(work)  # one step: a crash right here finds the whole file under its old name, and no second copy
        name = self.publish(work, started_at)
        self._log.warning("clip recovered that the last run left open: %s (%.1f s)", name, summary.seconds)


class QueueSender:
    """Sends the outbox from a thread of its own: a Redis that hangs never holds up recording.

    Args:
        outbox: what to send.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """A clip has been published."""
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Send what is there once more, and end; what then still waits is sent at the next start."""
        self._stop = True
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        delay = RETRY_FIRST
        wait: float | None = None
        while not self._stop:
            self._wake.wait(wait)
            self._wake.clear()
            if self._outbox.send():
                delay, wait = RETRY_FIRST, None
            else:
                wait = delay
                delay = min(delay * 2, RETRY_MAX)
        self._outbox.send()  # what was published while the last round was under way


def redis_enqueue(settings: RedisSettings, connection: redis.Redis) -> Callable[[str], bool]:
    """Return the function that queues a clip in Redis; False where its job was there already."""
    queue: Queue = clip_queue(settings, connection)

    def enqueue(name: str) -> bool:
        with redis_errors(settings):
            return enqueue_new_clip(queue, name)

    return enqueue


def _write_durably(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
