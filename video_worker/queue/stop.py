"""How a worker is asked to stop, by signals."""

from __future__ import annotations

import signal
import threading
import time


class StopWaiting(Exception):
    """Breaks into the wait for a job; raised by the signal's handler."""


class Stop:
    """The wish to stop: the first signal lets the job at hand go on for a while, the second one does not.

    Args:
        grace_s: how long the job may go on.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._event = threading.Event()
        self._patience_ends = float("inf")
        self.waiting = False
        """Whether the worker waits for a job, so that a signal may break in."""

    @property
    def requested(self) -> bool:
        """Whether to stop after the job at hand."""
        return self._event.is_set()

    @property
    def overdue(self) -> bool:
        """Whether to stop in the middle of it."""
        return self.requested and time.monotonic() >= self._patience_ends

    def request(self) -> None:
        """Ask for the stop; asked a second time, do not wait for the job at hand."""
        patience = 0.0 if self.requested else self._grace_s
        self._patience_ends = time.monotonic() + patience
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Sleep, or less when a stop is requested."""
        self._event.wait(seconds)

    def install(self) -> None:
        """Have SIGTERM and SIGINT ask for the stop."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.request()
        if self.waiting:
            raise StopWaiting
