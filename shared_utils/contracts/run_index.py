"""An index of the runs in the detections log: a log of a million lines is a gigabyte, too much to read for each job.

The ids of all runs are read once, then only those that were appended since. They are kept as hashes of 8 bytes: a run
whose hash is missing is certainly not in the log; for any other, the log itself is searched.
"""

from __future__ import annotations

import mmap
import os
import re
import threading
from array import array
from bisect import bisect_left

_RUN_ID = re.compile(rb'"run_id"\s*:\s*"([^"\\]{1,200})"')
CHECK_BYTES = 4096
"""Bytes at the end of the known part that are compared to find out whether the log is still the same."""
MERGE_FROM = 20_000
"""New ids that are kept in a set until they are merged into the sorted array."""
MASK = 2**64 - 1


class RunIndex:
    """The ids of one log's runs. Safe with several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._old: array[int] = array("Q")
        self._new: set[int] = set()
        self._size = 0
        self._inode: tuple[int, int] | None = None
        self._tail = b""

    def may_hold(self, descriptor: int, run_id: str) -> bool:
        """Return whether the log may hold a line of the run; False is certain.

        Args:
            descriptor: of the log, open for reading; nobody may write to it meanwhile.
            run_id: of the run.
        """
        raw = run_id.encode("utf-8", "replace")
        if not _RUN_ID.fullmatch(b'"run_id":"' + raw + b'"'):
            return True  # not an id that the index holds
        number = hash(raw) & MASK
        with self._lock:
            self._catch_up(descriptor)
            at = bisect_left(self._old, number)
            return number in self._new or (at < len(self._old) and self._old[at] == number)

    def _catch_up(self, descriptor: int) -> None:
        stat = os.fstat(descriptor)
        if not self._is_same(descriptor, stat):
            self._old, self._new, self._size, self._tail = array("Q"), set(), 0, b""
        self._inode = stat.st_dev, stat.st_ino
        if stat.st_size > self._size:
            self._read(descriptor, stat.st_size)
            self._size = stat.st_size
            begin = max(0, self._size - CHECK_BYTES)
            self._tail = os.pread(descriptor, self._size - begin, begin)

    def _is_same(self, descriptor: int, stat: os.stat_result) -> bool:
        """Return whether the log is the one that was read, with nothing but new lines at its end."""
        if (stat.st_dev, stat.st_ino) != self._inode or stat.st_size < self._size:
            return False
        return os.pread(descriptor, len(self._tail), self._size - len(self._tail)) == self._tail

    def _read(self, descriptor: int, size: int) -> None:
        # from the start of the line in which the last read may have ended
        begin = self._size - len(self._tail) + self._tail.rfind(b"\n") + 1
        page = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        with mmap.mmap(descriptor, size - page, access=mmap.ACCESS_READ, offset=page) as content:
            found = (hash(match[1]) & MASK for match in _RUN_ID.finditer(content, begin - page))
            if size - begin < 1000 * MERGE_FROM:
                self._new.update(found)
            else:
                self._old.extend(found)
                self._old = array("Q", sorted(self._old))
        if len(self._new) >= MERGE_FROM:
            self._old = array("Q", sorted([*self._old, *self._new]))
            self._new.clear()
