"""Durable writes: fsync, locks and atomic replacement, also on file systems that refuse some of these calls.

CIFS before Linux 4.17, some FUSE file systems and overlays refuse ``fsync`` of a folder (EINVAL and the like), and
network shares may come without locks (ENOLCK). Neither means that a write failed: the
data is as safe as that file system makes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared_utils.errors import NotWritten

FSYNC_REFUSED = frozenset(
    {
        errno.EINVAL,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.ENOTTY,
        errno.EBADF,
        errno.EISDIR,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    }
)
"""Errors of a file system that does not support the call; EIO, ENOSPC and the like mean that data is lost."""
LOCKS_REFUSED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF})

Fsync = Callable[[int], None]


@contextmanager
def written(what: str) -> Iterator[None]:
    """Turn an error of writing a result into :class:`NotWritten`, apart from errors of reading a clip.

    Args:
        what: what cannot be done, for the message.

    Raises:
        NotWritten: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise NotWritten(f"{what}: {error}") from error


def sync_file(descriptor: int, fsync: Fsync = os.fsync) -> str | None:
    """Flush a file's data to disk.

    Returns:
        Why the file system does not do that on demand; None where it does.

    Raises:
        OSError: data is lost.
    """
    try:
        fsync(descriptor)
    except OSError as error:
        if error.errno not in FSYNC_REFUSED:
            raise
        return error.strerror or str(error)
    return None


def sync_folder(folder: Path, fsync: Fsync = os.fsync) -> str | None:
    """Flush a folder's entries to disk; see :func:`sync_file`.

    Raises:
        OSError: the folder is gone, or names are lost.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in FSYNC_REFUSED:
            raise
        return error.strerror or str(error)
    try:
        return sync_file(descriptor, fsync)
    finally:
        os.close(descriptor)


def lock_where_possible(descriptor: int, operation: int) -> bool:
    """Take or release a lock (``fcntl.flock``); return whether the file system has locks.

    Raises:
        BlockingIOError: with LOCK_NB, another process holds it.
    """
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in LOCKS_REFUSED:
            raise
        return False
    return True


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder, which keeps writers of its files apart; where there are no locks, none.

    Raises:
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lock_where_possible(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_file(path: Path, text: str) -> None:
    """Write a file as a whole: under another name, renamed when it is on disk. Readers see the old one or the new.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as target:
        target.write(text)
        target.flush()
        sync_file(target.fileno())
    partial.replace(path)
