"""Writing and reading ``detections_log.jsonl``: append only, whole lines only, safe with many writers."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared_utils.schemas import to_line


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append `record` as one line, on disk when this returns.

    An exclusive lock keeps writers apart, also those on other hosts where the file system passes locks on. A line
    that a crash left unfinished gets its newline first, so it spoils nothing but itself; a write that the disk
    cuts short is taken back.

    Raises:
        OSError: the disk is full, or the file can not be written.
    """
    line = (to_line(record) + "\n").encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = os.fstat(descriptor).st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            line = b"\n" + line
        # one write call: a reader that does not lock sees the whole line or nothing of it
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, end)
            raise OSError(f"{path.name}: the disk took only part of a line, which was taken back")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the log's records, oldest first. Lines that are torn, blank or no JSON object are passed over.

    A missing file is an empty log: nothing has been analysed yet.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "filename" in record:
                yield record
