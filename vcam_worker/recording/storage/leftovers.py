"""Publishes and queues clips of cameras that are no longer configured: open clips, and notes in the outbox.

A camera that was renamed, removed or disabled has no process that would do so. Its clips keep the name they were
recorded under.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from shared_utils.contracts.clips import parse_clip_name
from shared_utils.log import camera_logger
from vcam_worker import messages
from vcam_worker.recording.storage.notes import waiting_clips
from vcam_worker.recording.storage.outbox import Announce, Enqueue, Outbox
from vcam_worker.recording.storage.volume import Volume
from vcam_worker.recording.storage.work_files import PART_SUFFIX, parse_part_name

POLL_S = 5.0
"""Interval between scans: a camera may be removed while capture runs, and Redis may be away."""
SETTLE_S = 60.0
"""Time without growth after which a file is no longer being recorded into."""

log = logging.getLogger(__name__)


class Leftovers:
    """Scans for such files from a thread of its own, at the start and from then on.

    Args:
        volume: the shared volume.
        active: returns the names of the cameras whose files must not be touched: those configured, and those whose
            process has not ended yet.
        enqueue: queues a clip.
        poll_s: seconds between scans.
        settle_s: seconds for which an unfinished file must not have grown; more than 0 where no lock keeps another
            capture away, which may be writing these files.
        announce: called with each clip that was saved.
    """

    def __init__(
        self,
        volume: Volume,
        active: Callable[[], Iterable[str]],
        enqueue: Enqueue,
        poll_s: float = POLL_S,
        settle_s: float = 0.0,
        announce: Announce = lambda _: None,
    ) -> None:
        self._volume = volume
        self._active = active
        self._enqueue = enqueue
        self._poll_s = poll_s
        self._settle_s = settle_s
        self._announce = announce
        self._sizes: dict[Path, tuple[int, float]] = {}  # of unfinished files, and since when they have it
        self._foreign_files: set[Path] = set()
        self._outboxes: dict[str, Outbox] = {}
        self._busy: str | None = None
        self._busy_lock = threading.Lock()
        self._stop = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="leftovers", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Scan once more, and stop; what is left is taken over at the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def is_busy_with(self, camera: str) -> bool:
        """Whether files of `camera`, which has just become active again, are being processed."""
        with self._busy_lock:
            return self._busy == camera

    def _run(self) -> None:
        while True:
            ending = self._stop.is_set()
            try:
                self.scan()
                self._failed = False
            except OSError as error:
                if not self._failed:
                    log.warning(messages.LEFTOVERS_NOT_TAKEN, error)
                self._failed = True
            except Exception:
                log.exception(messages.UNEXPECTED_ERROR)
            if ending:
                return
            self._stop.wait(self._poll_s)

    def scan(self) -> None:
        """Publish and queue what is found.

        Raises:
            OSError: the volume cannot be read or written to.
        """
        found = self._found()
        for camera in list(self._outboxes):
            if camera not in found:
                del self._outboxes[camera]
        failed: OSError | None = None
        for camera, (clips, notes) in sorted(found.items()):
            with self._busy_lock:
                if camera in set(self._active()):
                    continue
                self._busy = camera
            try:
                self._take_over(camera, clips, notes)
            except OSError as error:  # perhaps of this camera's files alone: continue with the others
                failed = failed or error
            finally:
                with self._busy_lock:
                    self._busy = None
        if failed is not None:
            raise failed

    def _take_over(self, camera: str, clips: int, notes: int) -> None:
        outbox = self._outboxes.get(camera)
        if outbox is None:
            log.warning(
                messages.LEFTOVERS_FOUND,
                camera,
                clips,
                notes,
            )
            logger = camera_logger(__name__, camera)
            outbox = self._outboxes[camera] = Outbox(
                self._volume.path, camera, logger, self._enqueue, self._volume.mount, self._announce
            )
        outbox.recover()
        outbox.send()

    def _found(self) -> dict[str, tuple[int, int]]:
        """Return the numbers of unfinished files and of notes of each camera that is not active."""
        active = set(self._active())
        found: dict[str, tuple[int, int]] = {}
        growing: set[str] = set()
        for path in self._volume.work.glob(f"*{PART_SUFFIX}"):
            part = parse_part_name(path.name)
            if part is None:
                self._leave_alone(path)
            elif part.camera not in active:
                if not self._is_settled(path):
                    growing.add(part.camera)
                    continue
                clips, notes = found.get(part.camera, (0, 0))
                found[part.camera] = (clips + 1, notes)
        for name in waiting_clips(self._volume):
            clip = parse_clip_name(name)
            if clip is not None and clip.camera not in active:
                clips, notes = found.get(clip.camera, (0, 0))
                found[clip.camera] = (clips, notes + 1)
        return {camera: numbers for camera, numbers in found.items() if camera not in growing}

    def _leave_alone(self, path: Path) -> None:
        if path not in self._foreign_files:
            self._foreign_files.add(path)
            log.warning(messages.FOREIGN_FILE, path)

    def _is_settled(self, path: Path) -> bool:
        if not self._settle_s:
            return True
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return False
        now = time.monotonic()
        known, since = self._sizes.get(path, (-1, now))
        if known != size:
            self._sizes[path] = (size, now)
            return False
        return now - since >= self._settle_s
