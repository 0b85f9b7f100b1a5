"""A file that reports whether anything opened it, by inotify of Linux (inotify(7))."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_OPEN = 0x20
_libc = ctypes.CDLL(None, use_errno=True)


class WatchedFile:
    """A file, and what became of it.

    Args:
        path: exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _libc.inotify_init1(os.O_NONBLOCK)
        if self._file < 0 or _libc.inotify_add_watch(self._file, bytes(path), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    @property
    def was_opened(self) -> bool:
        """Whether it was opened since the last call."""
        try:
            return bool(os.read(self._file, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def watched(path: Path, content: bytes) -> Iterator[WatchedFile]:
    """Write a file, and watch it until the block ends."""
    path.write_bytes(content)
    file = WatchedFile(path)
    try:
        yield file
    finally:
        file.close()
