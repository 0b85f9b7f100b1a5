"""Logs of JSON lines: append only, whole lines only, safe with many writers on many hosts."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from shared_utils.durable import lock_where_possible, sync_file

BACKWARDS_BYTES = 64 * 1024
"""Bytes that are read at once from the end of a log."""


def to_line(entry: Mapping[str, Any]) -> str:
    """Return `entry` as one line of JSON, without its newline."""
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)


def append_line(path: Path, entry: Mapping[str, Any], unless: Callable[[int], bool] | None = None) -> bool:
    """Append `entry` as one line, on disk when this returns.

    An exclusive lock keeps writers apart, also those on other hosts where the file system passes locks on. A line
    that a crash left unfinished gets its newline first, so it spoils nothing but itself; a write that the disk
    cuts short is taken back.

    Args:
        path: the log; it is made where there is none.
        entry: a JSON object.
        unless: asked under the lock with the open file; nothing is written where it returns True.

    Returns:
        Whether it was written.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    line = (to_line(entry) + "\n").encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        lock_where_possible(descriptor, fcntl.LOCK_EX)
        if unless is not None and unless(descriptor):
            return False
        end = os.fstat(descriptor).st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            line = b"\n" + line
        # one write call: the least that a reader without our lock, such as tail, may see of a torn line
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, end)
            raise OSError(f"{path.name}: the disk took only part of a line, which was taken back")
        sync_file(descriptor)
    finally:
        os.close(descriptor)
    return True


def parse_object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line; None for a line that is torn, or holds something else."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def read_objects(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a log, oldest first. Lines that are torn, blank or no object are skipped.

    A missing file is an empty log. Lines that are appended meanwhile are left out.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        left = settled_size(file.fileno())
        for line in file:
            left -= len(line)
            if left < 0:
                return
            entry = parse_object(line)
            if entry is not None:
                yield entry


def read_objects_backwards(path: Path, max_bytes: int) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a log, newest first, out of its last `max_bytes`. Other lines are skipped.

    A missing file is an empty log.

    Raises:
        OSError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end = file.seek(0, os.SEEK_END)
        first = max(0, end - max_bytes)
        rest = b""  # the beginning of a line whose other half was read already
        while end > first:
            start = max(first, end - BACKWARDS_BYTES)
            file.seek(start)
            block = file.read(end - start) + rest
            end = start
            rest, *lines = block.split(b"\n")
            for line in reversed(lines):
                entry = parse_object(line) if line else None
                if entry is not None:
                    yield entry
        # with an earlier part left out, the first line may be the end of one
        entry = parse_object(rest) if first == 0 else None
        if entry is not None:
            yield entry


def settled_size(descriptor: int) -> int:
    """Return the size of the log when nobody is writing: a line longer than a page shows up page by page."""
    if not lock_where_possible(descriptor, fcntl.LOCK_SH):  # the last line may be torn, and is skipped then
        return os.fstat(descriptor).st_size
    size = os.fstat(descriptor).st_size
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return size
