"""From a closed file to a queued job, so that neither a crash nor an absent Redis loses a clip or queues it twice.

Each finished clip gets a note in ``video/.outbox`` first, then its place (one rename), then its job; the note goes
last. Whatever step a crash falls into, the next start finds the note and goes on from there. The job's id is the
clip's, so announcing it again is no second job.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import redis
from rq import Queue

from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.clips import CLIP_SUFFIX, LOG_NAME, ClipName, parse_clip_name
from shared_utils.durable import sync_file, sync_folder
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.jobs import clip_queue, enqueue_new_clip, redis_errors
from vcam_worker import messages
from vcam_worker.recording.mp4 import moov_first
from vcam_worker.recording.recorder import repair
from vcam_worker.recording.storage.used_names import UsedNames
from vcam_worker.recording.storage.volume import Volume
from vcam_worker.recording.storage.work_files import WorkFiles

NOTE_SUFFIX = ".json"
RETRY_FIRST, RETRY_MAX = 1.0, 15.0
"""Seconds between attempts while Redis is away."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

Log = logging.LoggerAdapter[logging.Logger]
Enqueue = Callable[[str, str | None], bool]
"""Queues a clip by name, with the id of its recording. False where its job was there already; raises
QueueUnavailable, to be tried again."""


class Outbox:
    """Publishes one camera's clips.

    Its methods are for one thread, but for :meth:`send` and :meth:`waiting`, which another one may call.

    Args:
        video_dir: the shared volume.
        camera: slug; notes and files of other cameras are left alone.
        log: for what happens to clips.
        enqueue: queues a clip.
        mount: the mount point of the volume, which must be one; see
        :class:`vcam_worker.recording.storage.volume.Volume`.
    """

    def __init__(self, video_dir: Path, camera: str, log: Log, enqueue: Enqueue, mount: Path | None = None) -> None:
        self._volume = Volume(video_dir, mount)
        self._camera = camera
        self.log = self._log = log
        self._enqueue = enqueue
        self._files = WorkFiles(self._volume, camera, log)
        self._names = UsedNames(video_dir / LOG_NAME, camera)
        self._left_alone: set[Path] = set()
        self._away_since: float | None = None
        self._mutex = threading.Lock()
        self._in_place: dict[str, str] = {}  # clips published and not queued yet, with their recordings' ids
        self._moving: set[str] = set()  # those with a note that are not in their place yet
        self._queued: set[str] = set()  # those whose note could not be removed
        # what fails here fails again where it can be told and waited for
        with suppress(OSError):
            self._volume.prepare()

    def work_path(self, started_at: datetime) -> Path:
        """Return the file to record into; its name keeps the start for whoever finds it after a crash."""
        return self._files.path(started_at)

    def open_work(self, started_at: datetime) -> Path:
        """Make the file to record into.

        Raises:
            OSError: the volume does not take it.
        """
        self.prepare()
        return self._files.open(started_at)

    def prepare(self) -> None:
        """Make again what was deleted of capture's folders.

        Raises:
            OSError: the volume is not there, or can not be written to.
        """
        for folder in self._volume.prepare():
            self._log.warning(messages.FOLDER_MADE_AGAIN, folder)

    def publish(self, work: Path, started_at: datetime) -> str:
        """Put a closed file in its place; :meth:`send` queues it.

        Returns:
            The clip's name.

        Raises:
            OSError: the volume does not take it; :meth:`recover` tries again.
        """
        self.prepare()
        self._files.restore(work)
        moov_first(work)  # done already, unless it was just written again
        recording = uuid.uuid4().hex
        name = self._reserve(started_at, work, recording)
        try:
            self._place(work, name)
            with self._mutex:
                self._in_place[name] = recording
        finally:
            self._moving.discard(name)
        self._files.release(work)
        return name

    def path_of(self, name: str) -> Path:
        """Return the place of a clip."""
        return self._volume.path / name

    def _reserve(self, started_at: datetime, work: Path, recording: str) -> str:
        """Write the note of a clip under a name that no recording had before."""
        # the same second twice: a very short clip before, the hour that the end of summer time repeats, a clock that
        # was set back
        name = ClipName(started_at.replace(tzinfo=None, microsecond=0), self._camera)
        while True:
            note = self._note(str(name))
            if not (self.path_of(str(name)).exists() or note.exists() or self._names.has(name)):
                self._moving.add(str(name))
                entry = {"filename": str(name), "work": work.name, "recording": recording}
                try:
                    _write_new(note, json.dumps(entry))
                except FileExistsError:  # on a volume that takes Door and door for one name
                    self._moving.discard(str(name))
                except OSError:
                    self._moving.discard(str(name))
                    raise
                else:
                    self._names.add(name)
                    return str(name)
            name = name.later(1)

    def _place(self, work: Path, name: str) -> None:
        with work.open("rb") as file:
            sync_file(file.fileno())
        work.rename(self.path_of(name))
        sync_folder(self._volume.path)

    def _note(self, name: str) -> Path:
        return self._volume.notes / f"{name}{NOTE_SUFFIX}"

    def _read_note(self, name: str) -> dict[str, object]:
        try:
            entry = json.loads(self._note(name).read_text())
        except (FileNotFoundError, IsADirectoryError, PermissionError, ValueError, RecursionError):
            return {}
        return entry if isinstance(entry, dict) else {}

    def waiting(self) -> list[str]:
        """Return the names of clips that have no job yet, oldest first."""
        found = {name for name in waiting_clips(self._volume) if _camera_of(name) == self._camera}
        with self._mutex:
            found |= self._in_place.keys()  # the notes may have been deleted meanwhile
        return sorted(found)

    def send(self) -> bool:
        """Queue what is waiting, in order.

        Returns:
            Whether nothing is left that could be queued; False when Redis is away, which is said once.

        Raises:
            OSError: the notes can not be read.
        """
        for name in self.waiting():
            if name in self._moving or name in self._queued:
                continue
            with self._mutex:
                recording = self._in_place.get(name)
            if recording is None:
                if not self.path_of(name).exists():
                    continue  # its rename is still to be done: by recover()
                noted = self._read_note(name).get("recording")
                recording = noted if isinstance(noted, str) else None
            try:
                fresh = self._enqueue(name, recording)
            except (QueueUnavailable, SettingError) as error:
                if self._away_since is None:
                    self._away_since = time.monotonic()
                    self._log.warning(messages.REDIS_UNREACHABLE, error)
                return False
            if self._away_since is not None:
                away = time.monotonic() - self._away_since
                self._log.info(messages.REDIS_BACK, away)
                self._away_since = None
            self._log.info(messages.JOB_QUEUED, name, "" if fresh else " (it was queued before)")
            self._queued.add(name)
            with self._mutex:
                self._in_place.pop(name, None)
        self._remove_notes()
        return True

    def _remove_notes(self) -> None:
        for name in list(self._queued):
            self._note(name).unlink(missing_ok=True)
            self._queued.discard(name)

    def check_room(self) -> None:
        """Find out whether the volume takes data again.

        Raises:
            OSError: it does not.
        """
        self.prepare()
        self._files.check_room()

    def salvage(self) -> None:
        """Write again what was deleted of files that are recorded into no more, for the next start to recover.

        Raises:
            OSError: the volume does not take it.
        """
        self.prepare()
        self._files.salvage()

    def recover(self) -> None:
        """Bring to an end what an earlier run left: notes without their rename, and files in work.

        No clip may be open.

        Raises:
            OSError: the volume can not be written to; what is left is as it was.
        """
        self.salvage()
        self._files.sweep()
        for name in self.waiting():
            self._tried(self._note(name), partial(self._finish_note, name))
        for work, started_at in self._files.left():
            self._tried(work, partial(self._recover_file, work, started_at))

    def _tried(self, path: Path, recover: Callable[[], None]) -> None:
        """Recover one file; one that cannot be keeps no other from it, unless the volume is at fault (OSError)."""
        if path in self._left_alone:
            return
        try:
            recover()
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            self.check_room()  # raises where it is the volume's fault; else it is this file's
            self._left_alone.add(path)
            self._log.error(messages.RECOVERY_FAILED, path.name, error)

    def _finish_note(self, name: str) -> None:
        if self.path_of(name).exists():
            return
        noted = self._read_note(name).get("work")
        work = self._volume.work / Path(noted).name if isinstance(noted, str) and noted else None
        if work is not None and work.is_file():
            self._place(work, name)
            self._log.info(messages.CLIP_PUBLISHED_LATE, name)
            return
        if work is not None:
            self._log.warning(messages.CLIP_GONE, name, self._volume.path)
        # a note without content is one that a power cut left: its clip is recovered from its file in work
        self._note(name).unlink(missing_ok=True)
        with self._mutex:
            self._in_place.pop(name, None)

    def _recover_file(self, work: Path, started_at: datetime) -> None:
        size = work.stat().st_size
        if not size:
            work.unlink()
            return
        whole = work.with_suffix(".repaired")
        try:
            summary = repair(work, whole)
            frames = summary.frames
        except OSError:
            whole.unlink(missing_ok=True)
            raise
        except ValueError:  # the video library refuses what it holds
            whole.unlink(missing_ok=True)
            frames = 0
        if not frames:
            kept = work.with_suffix(".unreadable")
            work.rename(kept)
            self._log.warning(messages.CLIP_WITHOUT_GOP, size, kept)
            return
        whole.replace(work)  # one step: a crash right here finds the whole file under its old name, and no second copy
        name = self.publish(work, started_at)
        self._log.warning(messages.CLIP_RECOVERED, name, summary.seconds)


def waiting_clips(volume: Volume) -> list[str]:
    """Return the names of all cameras' clips that have a note, and no job yet."""
    names = (note.name.removesuffix(NOTE_SUFFIX) for note in volume.notes.glob(f"*{CLIP_SUFFIX}{NOTE_SUFFIX}"))
    return sorted(name for name in names if parse_clip_name(name))


def _camera_of(name: str) -> str | None:
    clip = parse_clip_name(name)
    return clip.camera if clip else None


class QueueSender:
    """Sends the outbox from a thread of its own: a Redis that hangs never holds up recording.

    Args:
        outbox: what to send.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._log = outbox.log
        self._failed = False
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
            if self._send():
                delay, wait = RETRY_FIRST, None
            else:
                wait = delay
                delay = min(delay * 2, RETRY_MAX)
        self._send()  # what was published while the last round was under way

    def _send(self) -> bool:
        try:
            done = self._outbox.send()
        except OSError as error:
            if not self._failed:
                self._log.warning(messages.OUTBOX_UNUSABLE, error)
            self._failed = True
            return False
        if self._failed:
            self._log.info(messages.OUTBOX_USABLE_AGAIN)
        self._failed = False
        return done


def redis_enqueue(
    settings: RedisSettings, connection: redis.Redis, options: Mapping[str, Any] | None = None
) -> Enqueue:
    """Return the function that queues a clip in Redis; False where its job was there already.

    Args:
        options: those of the camera that its jobs carry, such as ``{"classes": ["person"]}``.
    """
    queue: Queue = clip_queue(settings, connection)

    def enqueue(name: str, recording: str | None) -> bool:
        with redis_errors(settings):
            return enqueue_new_clip(queue, name, recording, options)

    return enqueue


def _write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet, durably; nothing of it is left where that fails."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
            sync_file(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)
