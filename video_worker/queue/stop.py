"""Stop requests of a worker, by signals."""

from __future__ import annotations

import signal
import threading
import time


class StopWaiting(Exception):
    """Interrupts the wait for a job; raised by the signal handler."""


class Stop:
    """A stop request: after the first signal the current job may go on for a while, after the second it may not.

    Args:
        grace_s: seconds that the job may go on.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._event = threading.Event()
        self._deadline = float("inf")
        self.waiting = False
        """Whether the worker waits for a job, so that a signal may interrupt it."""

    @property
    def requested(self) -> bool:
        """Whether to stop after the current job."""
        return self._event.is_set()

    @property
    def overdue(self) -> bool:
        """Whether to stop in the middle of the job."""
        return self.requested and time.monotonic() >= self._deadline

    def request(self) -> None:
        """Request the stop; the second request does not wait for the current job."""
        grace_s = 0.0 if self.requested else self._grace_s
        self._deadline = time.monotonic() + grace_s
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Sleep until the time is over or a stop is requested."""
        self._event.wait(seconds)

    def install(self) -> None:
        """Handle SIGTERM and SIGINT as stop requests."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.request()
        if self.waiting:
            raise StopWaiting
