"""Which clip names a camera has had already, whether or not the clips are still there.

A clock that was set back gives names again. A clip under the name of one that was analysed and deleted would be taken
for that one: by the queue, by the results of notebooks, by whoever makes room on the disk.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from shared_utils.contracts.clips import ClipName, parse_clip_name

LOOK_BACK = timedelta(days=1)
"""Time before a name from which the log is searched: the next ones of a clock that is set back again."""
WAIT_S = 5.0
"""Longest wait for the search: a log of a million lines on a local disk takes half of that. What is not known by then
is told apart by the job."""
_BLOCK_BYTES = 1 << 20
_MAX_MATCH_BYTES = 128
"""Bytes; more than a name with its key has in a line."""


class UsedNames:
    """The names of one camera that the detections log and this run know of.

    Args:
        log: ``detections_log.jsonl``; it may not exist yet.
        camera: slug.
    """

    def __init__(self, log: Path, camera: str) -> None:
        self._log = log
        self._camera = camera
        self._known: set[ClipName] = set()
        self._since: datetime | None = None  # names from here on have been searched for
        self._search: threading.Thread | None = None

    def has(self, name: ClipName) -> bool:
        """Tell whether a recording had this name before.

        The log is searched, in another thread, at the first name and at each one from before what was searched.
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
        """Note a name as used."""
        self._known.add(name)

    def _search_log(self, since: datetime) -> None:
        found = {name for name in _names_in(self._log, self._camera) if name.started_at >= since}
        self._known |= found


def _names_in(log: Path, camera: str) -> Iterator[ClipName]:
    # in blocks, so that other threads have their turn
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
