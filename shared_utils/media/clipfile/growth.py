"""Whether a clip's file is still being written, as by a copy that takes a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared_utils.contracts.clips import parse_clip_name
from shared_utils.errors import ClipError, ClipGrowing
from shared_utils.media.clipfile.parts import is_whole

RECENT_S = 10.0
"""Seconds since its last change for which a file is watched; longer, and nobody writes it."""
QUIET_S = 2.0
"""Seconds without a change after which a file that was written just now is taken for complete."""


@dataclass(frozen=True)
class State:
    """What changes when a file is written."""

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
    """Watches one file for as long as it is analysed.

    Args:
        path: the file.
        clock: the time of day, seconds since the epoch.
        sleep: waits for so many seconds.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._path = path
        self._clock = clock
        self._sleep = sleep
        self._before = State.of(path)

    def settle(self) -> None:
        """Wait a moment where the file was changed just now and does not tell by itself that it is complete.

        Capture's own clips are: they get their name when they are.

        Raises:
            ClipGrowing: it changes meanwhile.
        """
        if parse_clip_name(self._path.name) or not self._recent() or not self._path.is_file() or is_whole(self._path):
            return
        self._wait()

    def failed(self, error: ClipError) -> None:
        """Find out whether `error` is the fault of a file that is not complete yet.

        Raises:
            ClipGrowing: it is.
        """
        if self._recent():
            self._wait(f"{error}; ")

    def check(self) -> None:
        """Make sure that the file has not changed since this was made.

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
        # a time to come is that of another machine's clock
        return self._before is not None and self._before.modified_ns / 1e9 > self._clock() - RECENT_S


_TEXT = "the file is still being written: try again when it is complete"
