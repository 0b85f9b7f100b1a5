"""One camera's unfinished clips: their names, and their recovery when their folder is deleted or the disk is full."""

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
"""Free space from which writing is tried again: one second of a 16 Mb/s camera."""

_STAMP = "%Y%m%d-%H%M%S.%f%z"
_COPY_BYTES = 1 << 20
_NOT_RESERVED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV})
"""Errors of file systems that cannot reserve space (posix_fallocate(3))."""

Log = logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True)
class PartName:
    """The name of an unfinished file: ``<camera>.YYYYMMDD-HHMMSS.ffffff+zzzz.part``."""

    camera: str
    started_at: datetime

    def __str__(self) -> str:
        return f"{self.camera}.{self.started_at.strftime(_STAMP)}{PART_SUFFIX}"


def parse_part_name(filename: str) -> PartName | None:
    """Return the parts of `filename`; None when it is not the name of an unfinished file."""
    camera, _, stamp = filename.removesuffix(PART_SUFFIX).partition(".")
    if not filename.endswith(PART_SUFFIX) or not re.fullmatch(CAMERA_PATTERN, camera):
        return None
    try:
        return PartName(camera, datetime.strptime(stamp, _STAMP))
    except ValueError:
        return None


class WorkFiles:
    """The unfinished files of one camera.

    A descriptor of each is kept open until it is published, so that a file whose folder is deleted can be copied back.

    Args:
        volume: the shared volume.
        camera: slug; files of other cameras are left alone.
        log: takes what happens to clips.
    """

    def __init__(self, volume: Volume, camera: str, log: Log) -> None:
        self._volume = volume
        self._camera = camera
        self._log = log
        self._held: dict[Path, int] = {}

    def path(self, started_at: datetime) -> Path:
        """Return the file to record into; its name holds the start, for recovery after a crash."""
        return self._volume.work / str(PartName(self._camera, started_at))

    def open(self, started_at: datetime) -> Path:
        """Create the file to record into, and keep it open.

        Raises:
            OSError: the volume does not take it.
        """
        path = self.path(started_at)
        self._held[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return path

    def restore(self, path: Path) -> None:
        """Restore an unfinished file that was deleted while it was held open.

        Raises:
            OSError: the volume does not take it; it stays open.
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
        """Close a file that is in its place."""
        descriptor = self._held.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def salvage(self) -> None:
        """Restore deleted files that are no longer recorded into, and close all.

        Raises:
            OSError: the volume does not take one; it and those after it stay open.
        """
        for path in list(self._held):
            self.restore(path)
            self.release(path)

    def sweep(self) -> None:
        """Remove partial copies; their originals still exist."""
        for path in self._volume.work.glob(f"{self._camera}.*{PART_SUFFIX}{FRONT_SUFFIX}"):
            path.unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[Path, datetime]]:
        """Yield the files that an earlier run left, with their starts, oldest first."""
        for path in sorted(self._volume.work.glob(f"{self._camera}.*{PART_SUFFIX}")):
            name = parse_part_name(path.name)
            if name is not None and path not in self._held:
                yield path, name.started_at

    def check_room(self) -> None:
        """Check that the volume takes data.

        Raises:
            OSError: it does not.
        """
        probe = self._volume.work / f"{self._camera}.room"
        try:
            with probe.open("wb") as file:
                # really allocated: quotas do not show in the count of free blocks
                try:
                    os.posix_fallocate(file.fileno(), 0, ROOM_BYTES)
                except OSError as error:
                    if error.errno not in _NOT_RESERVED:
                        raise
                    file.write(bytes(ROOM_BYTES))
        finally:
            probe.unlink(missing_ok=True)
