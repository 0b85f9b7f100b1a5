"""Clip names that a camera has used already, whether or not the clips still exist.

A clock that was set back repeats names. A clip under the name of one that was analysed and deleted would be taken for
that one by the queue, by notebooks, and by the disk guard.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from shared_utils.contracts.clips import ClipName, parse_clip_name

LOOK_BACK = timedelta(days=1)
"""The log is searched from this long before a name, for a clock that is set back again."""
WAIT_S = 5.0
"""Longest wait for the search: a log of a million lines on a local disk takes half of that. A name that is missed is
told apart by its job."""
_BLOCK_BYTES = 1 << 20
_MAX_MATCH_BYTES = 128
"""More than a name and its key take in a line."""


class UsedNames:
    """The names of one camera in the detections log and in this run.

    Args:
        log: ``detections_log.jsonl``; it may not exist yet.
        camera: slug.
    """

    def __init__(self, log: Path, camera: str) -> None:
        self._log = log
        self._camera = camera
        self._known: set[ClipName] = set()
        self._since: datetime | None = None  # the log was searched for names from here on
        self._search: threading.Thread | None = None

    def has(self, name: ClipName) -> bool:
        """Whether a recording had this name before.

        The log is searched in another thread, for the first name, and for each one earlier than what was searched.
        """
        if self._since is None or name.started_at < self._since:
            try:
                self._since = name.started_at - LOOK_BACK
            except OverflowError:
                self._since = datetime.min
            self._search = threading.Thread(target=self._search_log, args=(self._since,), name="names", daemon=True)
            self._search.start()
            self._search.join(WAIT_S)
        return name in self._known

    def add(self, name: ClipName) -> None:
        """Mark a name as used."""
        self._known.add(name)

    def _search_log(self, since: datetime) -> None:
        found = {name for name in _names_in(self._log, self._camera) if name.started_at >= since}
        self._known |= found


def _names_in(log: Path, camera: str) -> Iterator[ClipName]:
    # in blocks, so that other threads can run
    pattern = re.compile(rb'"filename": ?"(\d{8}-\d{6}-' + re.escape(camera.encode()) + rb'\.mp4)"')
    rest = b""
    try:
        with log.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                text = rest + block
                for match in pattern.finditer(text):
                    name = parse_clip_name(match[1].decode())
                    if name is not None:
                        yield name
                rest = text[-_MAX_MATCH_BYTES:]
    except OSError:
        return
