"""The shared volume: capture's own folders, recreated when they are deleted, and whether it is mounted."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from shared_utils.contracts.clips import WORK_FOLDER

OUTBOX_FOLDER = ".outbox"


@dataclass(frozen=True)
class Volume:
    """The shared volume.

    Attributes:
        path: the folder of ``VIDEO_DIR``.
        mount: the mount point it was on when capture started; None where that was the root file system. Once it is no
            mount point any more, the share is gone, and writes would fill the disk below it, unnoticed.
    """

    path: Path
    mount: Path | None = None

    @classmethod
    def at(cls, path: Path) -> Volume:
        """Return the volume of a folder, with the mount point that it is on now."""
        return cls(path, mount_point(path))

    @property
    def work(self) -> Path:
        """The folder of unfinished clips."""
        return self.path / WORK_FOLDER

    @property
    def notes(self) -> Path:
        """The folder of notes of clips that have no job yet."""
        return self.path / OUTBOX_FOLDER

    def prepare(self) -> list[Path]:
        """Create the missing folders.

        Returns:
            Those that were.

        Raises:
            OSError: the volume is not mounted any more, or cannot be written to.
        """
        if self.mount and not self.mount.is_mount():
            raise OSError(errno.ENODEV, f"{self.mount} was a mounted volume at the start and is none now: mount it")
        made = []
        for folder in (self.path, self.work, self.notes):
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if not folder.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
            else:
                made.append(folder)
        return made


def mount_point(path: Path) -> Path | None:
    """Return the mount point that `path` is on; None for the root file system."""
    whole = path.resolve()
    for folder in (whole, *whole.parents):
        if folder.is_mount():
            return folder if folder != Path(folder.anchor) else None
    return None
