"""How full the shared volume is, and how many clips wait for a job: for the page, ``/metrics`` and the log."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from vcam_worker import messages
from vcam_worker.recording.storage.notes import waiting_clips
from vcam_worker.recording.storage.volume import Volume

MIN_BACKLOG = 10
"""Clips in the outbox from which its growth is logged, and then at each doubling."""


@dataclass(frozen=True)
class VolumeState:
    """The shared volume at the last sweep.

    Attributes:
        free, total: bytes of its file system.
        clips, clip_bytes: finished clips.
        waiting: clips in the outbox: recorded, and without a job.
        deleted: clips that were deleted to make room or for their age, since capture started.
        kept: clips that are older than ``RETENTION_DAYS`` by the host's clock alone, which leapt.
        retention_days, min_free_bytes: the rules; 0 for none.
        looked_at: seconds since the epoch.
    """

    free: int
    total: int
    clips: int
    clip_bytes: int
    waiting: int
    deleted: int
    kept: int
    retention_days: float
    min_free_bytes: int
    looked_at: float


class ClipSizes:
    """The sizes of clips, each asked for once: a clip does not change any more."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def total(self, clips: list[Path]) -> int:
        """Return the bytes of `clips`."""
        sizes: dict[str, int] = {}
        for path in clips:
            size = self._sizes.get(path.name)
            if size is None:
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue
            sizes[path.name] = size
        self._sizes = sizes
        return sum(sizes.values())


class OutboxGrowth:
    """Logs when the outbox grows, and when it is empty again.

    Args:
        log: takes the lines.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._next = MIN_BACKLOG

    def note(self, waiting: int) -> None:
        """Take the number of clips in the outbox."""
        if waiting >= self._next:
            self._log.warning(
                messages.OUTBOX_GROWS,
                waiting,
            )
            while self._next <= waiting:
                self._next *= 2
        elif not waiting and self._next > MIN_BACKLOG:
            self._log.info(messages.OUTBOX_EMPTY_AGAIN)
            self._next = MIN_BACKLOG


def measure(volume: Volume) -> tuple[int, int]:
    """Return the total bytes of the volume's file system, and how many clips wait in the outbox.

    Raises:
        OSError: the volume is gone.
    """
    return shutil.disk_usage(volume.path).total, len(waiting_clips(volume))
