"""Publishes finished clips and queues their jobs: no crash, and no absence of Redis, loses a clip or queues it twice.

Each finished clip first gets a note in ``video/.outbox``, then its place (one rename), then its job; the note is
removed last. After a crash in any step, the next start finds the note and continues from there. The job's id is derived
from the clip, so queuing it again makes no second job.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from shared_utils.contracts.clips import ClipName, parse_clip_name
from shared_utils.contracts.detections_log import log_path
from shared_utils.durable import sync_file, sync_folder
from shared_utils.errors import QueueUnavailable, SettingError
from vcam_worker import messages
from vcam_worker.recording.clip_writer import repair
from vcam_worker.recording.mp4 import moov_first
from vcam_worker.recording.storage.notes import note_path, read_note, waiting_clips, write_note
from vcam_worker.recording.storage.used_names import UsedNames
from vcam_worker.recording.storage.volume import Volume
from vcam_worker.recording.storage.work_files import WorkFiles

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

Log = logging.LoggerAdapter[logging.Logger]
Enqueue = Callable[[str, str | None], bool]
"""Queues a clip by name, with the id of its recording. False where its job existed already; raises QueueUnavailable,
to be tried again."""


@dataclass(frozen=True)
class SavedClip:
    """A clip that has got its place on the volume.

    Attributes:
        name: its file.
        started_at: local time of its first frame.
        seconds: its duration; None where it is not known.
        size: bytes.
    """

    name: str
    started_at: datetime
    seconds: float | None
    size: int


Announce = Callable[[SavedClip], None]
"""Called with each clip that was saved; must neither block nor raise."""


class Outbox:
    """Publishes one camera's clips.

    Its methods are for one thread, except :meth:`send` and :meth:`waiting`, which another one may call.

    Args:
        video_dir: the shared volume.
        camera: slug; notes and files of other cameras are left alone.
        log: takes what happens to clips.
        enqueue: queues a clip.
        mount: the mount point of the volume, which must be one; see
        :class:`vcam_worker.recording.storage.volume.Volume`.
        announce: called with each clip that was saved.
    """

    def __init__(
        self,
        video_dir: Path,
        camera: str,
        log: Log,
        enqueue: Enqueue,
        mount: Path | None = None,
        announce: Announce = lambda _: None,
    ) -> None:
        self._volume = Volume(video_dir, mount)
        self._camera = camera
        self._log = log
        self._enqueue = enqueue
        self._announce = announce
        self._files = WorkFiles(self._volume, camera, log)
        self._names = UsedNames(log_path(video_dir), camera)
        self._left_alone: set[Path] = set()
        self._away_since: float | None = None
        self._mutex = threading.Lock()
        self._in_place: dict[str, str] = {}  # clips published and not queued yet, with their recordings' ids
        self._moving: set[str] = set()  # clips with a note that are not in their place yet
        self._queued: set[str] = set()  # clips whose note could not be removed
        # a failure here is repeated, and reported, by the first write
        with suppress(OSError):
            self._volume.prepare()

    def work_path(self, started_at: datetime) -> Path:
        """Return the file to record into; its name holds the start, for recovery after a crash."""
        return self._files.path(started_at)

    def open_work(self, started_at: datetime) -> Path:
        """Create the file to record into.

        Raises:
            OSError: the volume does not take it.
        """
        self.prepare()
        return self._files.open(started_at)

    def prepare(self) -> None:
        """Recreate deleted folders of capture.

        Raises:
            OSError: the volume is not mounted, or cannot be written to.
        """
        for folder in self._volume.prepare():
            self._log.warning(messages.FOLDER_MADE_AGAIN, folder)

    def publish(self, work: Path, started_at: datetime, seconds: float | None = None) -> str:
        """Move a closed file to its place; :meth:`send` queues it.

        Args:
            work: the file.
            started_at: local time of its first frame.
            seconds: its duration.

        Returns:
            The clip's name.

        Raises:
            OSError: the volume does not take it; :meth:`recover` tries again.
        """
        self.prepare()
        self._files.restore(work)
        moov_first(work)  # done already, unless it was just restored
        recording = uuid.uuid4().hex
        name = self._reserve(started_at, work, recording)
        try:
            self._place(work, name)
            with self._mutex:
                self._in_place[name] = recording
        finally:
            self._moving.discard(name)
        self._files.release(work)
        self._saved(name, started_at, seconds)
        return name

    def _saved(self, name: str, started_at: datetime, seconds: float | None = None) -> None:
        try:
            size = self.path_of(name).stat().st_size
        except OSError:  # deleted already
            return
        self._announce(SavedClip(name, started_at, seconds, size))

    def path_of(self, name: str) -> Path:
        """Return the path of a clip."""
        return self._volume.path / name

    def _reserve(self, started_at: datetime, work: Path, recording: str) -> str:
        """Write the note of a clip under a name that no recording had before; return the name."""
        # the same second may come twice: after a very short clip, in the repeated hour at the end of summer time, or
        # when the clock was set back
        name = ClipName(started_at.replace(tzinfo=None, microsecond=0), self._camera)
        while True:
            note = note_path(self._volume, str(name))
            if not (self.path_of(str(name)).exists() or note.exists() or self._names.has(name)):
                self._moving.add(str(name))
                try:
                    write_note(self._volume, str(name), work.name, recording)
                except FileExistsError:  # on a case-insensitive volume, Door and door are one name
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

    def waiting(self) -> list[str]:
        """Return the names of clips that have no job yet, oldest first."""
        found = {name for name in waiting_clips(self._volume) if _camera_of(name) == self._camera}
        with self._mutex:
            found |= self._in_place.keys()  # their notes may have been deleted
        return sorted(found)

    def send(self) -> bool:
        """Queue the waiting clips, in order.

        Returns:
            Whether everything that can be queued was; False while Redis is away, which is logged once.

        Raises:
            OSError: the notes cannot be read.
        """
        for name in self.waiting():
            if name in self._moving or name in self._queued:
                continue
            with self._mutex:
                recording = self._in_place.get(name)
            if recording is None:
                if not self.path_of(name).exists():
                    continue  # recover() has yet to rename it
                noted = read_note(self._volume, name).get("recording")
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
            note_path(self._volume, name).unlink(missing_ok=True)
            self._queued.discard(name)

    def check_room(self) -> None:
        """Check that the volume takes data.

        Raises:
            OSError: it does not.
        """
        self.prepare()
        self._files.check_room()

    def salvage(self) -> None:
        """Restore deleted files that are no longer recorded into, for the next start to recover.

        Raises:
            OSError: the volume does not take it.
        """
        self.prepare()
        self._files.salvage()

    def recover(self) -> None:
        """Finish what an earlier run left: notes whose clips were not renamed, and unfinished files.

        No clip may be open.

        Raises:
            OSError: the volume cannot be written to; the rest is left as it is.
        """
        self.salvage()
        self._files.sweep()
        for name in self.waiting():
            self._tried(note_path(self._volume, name), partial(self._finish_note, name))
        for work, started_at in self._files.left():
            self._tried(work, partial(self._recover_file, work, started_at))

    def _tried(self, path: Path, recover: Callable[[], None]) -> None:
        """Recover one file; a failure does not stop others, unless the volume is at fault (OSError)."""
        if path in self._left_alone:
            return
        try:
            recover()
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            self.check_room()  # raises if the volume is at fault; otherwise it is this file
            self._left_alone.add(path)
            self._log.error(messages.RECOVERY_FAILED, path.name, error)

    def _finish_note(self, name: str) -> None:
        if self.path_of(name).exists():
            return
        noted = read_note(self._volume, name).get("work")
        work = self._volume.work / Path(noted).name if isinstance(noted, str) and noted else None
        if work is not None and work.is_file():
            self._place(work, name)
            self._log.info(messages.CLIP_PUBLISHED_LATE, name)
            clip = parse_clip_name(name)
            if clip:
                self._saved(name, clip.started_at.astimezone())
            return
        if work is not None:
            self._log.warning(messages.CLIP_GONE, name, self._volume.path)
        # an empty note is left by a power cut: its clip is recovered from the unfinished file
        note_path(self._volume, name).unlink(missing_ok=True)
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
        except ValueError:  # the video library refuses its content
            whole.unlink(missing_ok=True)
            frames = 0
        if not frames:
            kept = work.with_suffix(".unreadable")
            work.rename(kept)
            self._log.warning(messages.CLIP_WITHOUT_GOP, size, kept)
            return
        # one step: after a crash here, the complete file has its old name, and there is no second copy
        whole.replace(work)
        name = self.publish(work, started_at, summary.seconds)
        self._log.warning(messages.CLIP_RECOVERED, name, summary.seconds)


def _camera_of(name: str) -> str | None:
    clip = parse_clip_name(name)
    return clip.camera if clip else None
