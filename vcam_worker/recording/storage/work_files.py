"""One camera's clips in work: their names, and what becomes of them when their folder is deleted or the disk full."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared_utils.contracts.clips import CAMERA_PATTERN
from shared_utils.durable import sync_file
from vcam_worker import messages
from vcam_worker.recording.mp4 import FRONT_SUFFIX
from vcam_worker.recording.storage.volume import Volume

PART_SUFFIX = ".part"
ROOM_BYTES = 2_000_000
"""Free space from which writing is tried again: a second of a 16 Mb/s camera."""

_STAMP = "%Y%m%d-%H%M%S.%f%z"
_COPY_BYTES = 1 << 20
_NOT_RESERVED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV})
"""Answers of file systems that reserve no space."""

Log = logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class PartName:
    """What the name of a file in work says: ``<camera>.YYYYMMDD-HHMMSS.ffffff+zzzz.part``."""

    camera: str
    started_at: datetime

    def __str__(self) -> str:
        return f"{self.camera}.{self.started_at.strftime(_STAMP)}{PART_SUFFIX}"


def parse_part_name(filename: str) -> PartName | None:
    """Return what `filename` says, or None when it is no file in work of ours."""
    camera, _, stamp = filename.removesuffix(PART_SUFFIX).partition(".")
    if not filename.endswith(PART_SUFFIX) or not re.fullmatch(CAMERA_PATTERN, camera):
        return None
    try:
        return PartName(camera, datetime.strptime(stamp, _STAMP))
    except ValueError:
        return None


class WorkFiles:
    """The files in work of one camera.

    A descriptor of each is kept open until it is published, so that a file whose folder is deleted in mid-clip is
    still there to be copied back.

    Args:
        volume: the shared volume.
        camera: slug; files of other cameras are left alone.
        log: for what happens to clips.
    """

    def __init__(self, volume: Volume, camera: str, log: Log) -> None:
        self._volume = volume
        self._camera = camera
        self._log = log
        self._held: dict[Path, int] = {}

    def path(self, started_at: datetime) -> Path:
        """Return the file to record into; its name keeps the start for whoever finds it after a crash."""
        return self._volume.work / str(PartName(self._camera, started_at))

    def open(self, started_at: datetime) -> Path:
        """Make the file to record into, and keep hold of it.

        Raises:
            OSError: the volume does not take it.
        """
        path = self.path(started_at)
        self._held[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return path

    def restore(self, path: Path) -> None:
        """Write a file in work again that was deleted while it was held.

        Raises:
            OSError: the volume does not take it; it stays held.
        """
        descriptor = self._held.get(path)
        if descriptor is None or path.exists():
            return
        fresh = path.with_suffix(".restored")
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            with open(descriptor, "rb", closefd=False) as source, fresh.open("wb") as target:
                shutil.copyfileobj(source, target, _COPY_BYTES)
                target.flush()
                sync_file(target.fileno())
            fresh.rename(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
        self._log.warning(messages.FILE_WRITTEN_AGAIN, path.name)

    def release(self, path: Path) -> None:
        """Let go of a file that is in its place."""
        descriptor = self._held.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def salvage(self) -> None:
        """Write again what was deleted of files that nobody records into any more, and let go of all.

        Raises:
            OSError: the volume does not take one; it stays held, as those after it do.
        """
        for path in list(self._held):
            self.restore(path)
            self.release(path)

    def sweep(self) -> None:
        """Remove copies that were not finished; what they were made of is still there."""
        for path in self._volume.work.glob(f"{self._camera}.*{PART_SUFFIX}{FRONT_SUFFIX}"):
            path.unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[Path, datetime]]:
        """Yield the files that an earlier run left, with their start, oldest first."""
        for path in sorted(self._volume.work.glob(f"{self._camera}.*{PART_SUFFIX}")):
            name = parse_part_name(path.name)
            if name is not None and path not in self._held:
                yield path, name.started_at

    def check_room(self) -> None:
        """Find out whether the volume takes data again.

        Raises:
            OSError: it does not.
        """
        probe = self._volume.work / f"{self._camera}.room"
        try:
            with probe.open("wb") as file:
                # really taken, not asked for: a quota shows in no file system's count of free blocks
                try:
                    os.posix_fallocate(file.fileno(), 0, ROOM_BYTES)
                except OSError as error:
                    if error.errno not in _NOT_RESERVED:
                        raise
                    file.write(bytes(ROOM_BYTES))
        finally:
            probe.unlink(missing_ok=True)
