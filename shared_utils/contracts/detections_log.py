"""The detections log, ``detections_log.jsonl``: one record per line (:mod:`shared_utils.contracts.record`).

Readers here take lines of every schema: they rely on ``ok``, ``filename`` and ``run_id`` alone, whose meaning stays.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from shared_utils.contracts.json_lines import append_line, parse_object, read_objects
from shared_utils.contracts.record import Record
from shared_utils.contracts.run_index import RunIndex
from shared_utils.durable import lock_where_possible

LOG_NAME = "detections_log.jsonl"


def log_path(video_dir: Path) -> Path:
    """Return the path of the log on the shared volume."""
    return video_dir / LOG_NAME


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append `record` as one line, on disk when this returns; see :mod:`shared_utils.contracts.json_lines`.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    append_line(path, record)


def append_once(path: Path, record: Mapping[str, Any], index: RunIndex | None = None) -> bool:
    """Append `record` unless its run has an ``ok`` line already; a failure also not after another failure.

    Search and append happen under one lock: two workers that do one run, because the first was taken for dead, leave
    one line. A run that failed and was requeued by hand leaves a second line when it succeeds.

    Args:
        path: the log.
        record: a line of it.
        index: of this log, for callers that append often; without one, the whole log is searched.

    Returns:
        Whether it was written.
    """

    def is_there(descriptor: int) -> bool:
        return _find_run(descriptor, record["run_id"], index, failed=not record["ok"]) is not None

    return append_line(path, record, unless=is_there)


def find_run(path: Path, run_id: str, index: RunIndex | None = None) -> Record | None:
    """Return the ``ok`` record of the run `run_id`, or None if there is none; `index` as in :func:`append_once`."""
    try:
        with path.open("rb") as file:
            lock_where_possible(file.fileno(), fcntl.LOCK_SH)
            return _find_run(file.fileno(), run_id, index)
    except FileNotFoundError:
        return None


def _find_run(descriptor: int, run_id: str, index: RunIndex | None, *, failed: bool = False) -> Record | None:
    """Return the newest ``ok`` record of a run, or with `failed` the newest of either kind."""
    size = os.fstat(descriptor).st_size
    if not size or (index is not None and not index.may_hold(descriptor, run_id)):
        return None
    needle = json.dumps(run_id).encode()
    # mapped, not read: 100,000 lines are searched in 20 ms
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as content:
        at = content.rfind(needle)
        while at >= 0:
            begin = content.rfind(b"\n", 0, at) + 1
            end = content.find(b"\n", at)
            try:
                record = json.loads(content[begin : end if end >= 0 else size])
            except ValueError:
                record = None
            if isinstance(record, dict) and record.get("run_id") == run_id and (failed or record.get("ok") is True):
                return cast("Record", record)
            at = content.rfind(needle, 0, begin)
    return None


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the log's records, oldest first. Lines that are torn, blank or not a record are skipped.

    A missing file is an empty log: nothing has been analysed yet. Lines appended meanwhile are left out.
    """
    return (entry for entry in read_objects(path) if "filename" in entry)


class LogFollower:
    """Reads a log that others append to, each record once.

    Args:
        path: the log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._inode: int | None = None

    def poll(self) -> Iterator[dict[str, Any]]:
        """Yield the records that were appended since the last call; an unfinished line is left for the next call.

        A log that was replaced or truncated is read from its start again.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            stat = os.fstat(file.fileno())
            if stat.st_ino != self._inode or stat.st_size < self._offset:
                self._inode, self._offset = stat.st_ino, 0
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                record = parse_object(line)
                if record is not None and "filename" in record:
                    yield record
