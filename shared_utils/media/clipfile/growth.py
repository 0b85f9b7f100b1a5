"""Detect that a clip's file is still being written, such as by a copy in progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared_utils.contracts.clips import parse_clip_name
from shared_utils.errors import ClipError, ClipGrowing
from shared_utils.media.clipfile.parts import is_whole

RECENT_S = 10.0
"""A file whose last change is older than this is taken for complete, in seconds."""
QUIET_S = 2.0
"""A recently changed file is taken for complete after this many seconds without a change."""


@dataclass(frozen=True)
class State:
    """Size and modification time of a file, which change when it is written."""

    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> State | None:
        """Return the state of the file at `path`; None where there is none."""
        try:
            about = path.stat()
        except OSError:
            return None
        return cls(about.st_size, about.st_mtime_ns)


class Growth:
    """Detects changes of one file while it is analysed.

    Args:
        path: the file.
        clock: the time of day, seconds since the epoch.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._path = path
        self._clock = clock
        self._sleep = sleep
        self._before = State.of(path)

    def settle(self) -> None:
        """Wait :data:`QUIET_S` if the file changed recently and its structure does not show that it is complete.

        Capture's own clips are complete: they get their name by a rename at the end.

        Raises:
            ClipGrowing: it changed in that time.
        """
        if parse_clip_name(self._path.name) or not self._recent() or not self._path.is_file() or is_whole(self._path):
            return
        self._wait()

    def failed(self, error: ClipError) -> None:
        """Check whether `error` was caused by a file that is still being written.

        Raises:
            ClipGrowing: it was.
        """
        if self._recent():
            self._wait(f"{error}; ")

    def check(self) -> None:
        """Check that the file has not changed since this object was made.

        Raises:
            ClipGrowing: it has.
        """
        if State.of(self._path) != self._before:
            raise ClipGrowing(_TEXT)

    def _wait(self, reason: str = "") -> None:
        self._sleep(QUIET_S)
        if State.of(self._path) != self._before:
            raise ClipGrowing(f"{reason}{_TEXT}")

    def _recent(self) -> bool:
        # a modification time in the future comes from another machine's clock
        return self._before is not None and self._before.modified_ns / 1e9 > self._clock() - RECENT_S


_TEXT = "the file is still being written: try again when it is complete"
