"""fsync and locks on file systems that refuse them, as the kernel itself answers."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from shared_utils.durable import lock_where_possible, sync_file, sync_folder


def failing(number: int) -> None:
    raise OSError(number, os.strerror(number))


def test_a_folder_whose_file_system_refuses_fsync_is_reported_and_no_error() -> None:
    # procfs has no fsync, so the kernel itself answers EINVAL, as for CIFS before Linux 4.17
    assert sync_folder(Path("/proc/self")) == os.strerror(errno.EINVAL)


def test_a_pipe_takes_no_fsync() -> None:
    reading, writing = os.pipe()
    try:
        assert sync_file(writing) == os.strerror(errno.EINVAL)
    finally:
        os.close(reading)
        os.close(writing)


def test_what_takes_fsync_says_nothing(tmp_path: Path) -> None:
    assert sync_folder(tmp_path) is None


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS, errno.EACCES, errno.EBADF])
def test_a_refusal_is_no_error(tmp_path: Path, number: int) -> None:
    assert sync_folder(tmp_path, lambda _: failing(number)) == os.strerror(number)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE])
def test_lost_data_is_an_error(tmp_path: Path, number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        sync_folder(tmp_path, lambda _: failing(number))


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "gone")


def test_a_lock_that_another_holds(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as first, (tmp_path / "lock").open("w") as second:
        assert lock_where_possible(first.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            lock_where_possible(second.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_takes_no_locks_is_reported(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_PATH)  # a descriptor that the kernel locks nothing by
    try:
        assert not lock_where_possible(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
