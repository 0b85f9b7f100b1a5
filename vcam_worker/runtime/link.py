"""The pipe between a camera's process and the supervisor: status and events upstream, commands downstream."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from shared_utils.contracts.events import Event
from vcam_worker.live.commands import LiveCommand, Subscribe, Unsubscribe
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest

STATUS_INTERVAL_S = 1.0
"""Interval between status messages of a camera's process, which also show that it is alive."""
MAX_EVENTS = 100
"""Events that wait for the supervisor; it reads them within milliseconds, as a rule."""


@dataclass(frozen=True)
class SnapshotCommand:
    """Command to send a snapshot; the reply carries the number."""

    number: int
    request: SnapshotRequest


@dataclass(frozen=True)
class SnapshotReply:
    """The snapshot, or None where there is no frame yet."""

    number: int
    snapshot: Snapshot | None


@dataclass(frozen=True)
class PauseCommand:
    """Command to pause recording, as the disk is full, or to resume it, without a reason."""

    reason: str | None


Command = SnapshotCommand | PauseCommand | LiveCommand


class SupervisorGoneError(Exception):
    """The other end is closed: the supervisor is gone, and this process must end."""


def waiting_events() -> deque[Event]:
    """Return a queue for a link's events; when it is full, the oldest are dropped."""
    return deque(maxlen=MAX_EVENTS)


class ChildLink:
    """A camera process's end.

    Args:
        pipe: duplex.
        snapshot: encodes the newest frame.
        pause: takes a reason to pause recording, or None to resume it.
        live: takes commands about live frames and video, whose data goes through the data channel.
        events: those that wait to be sent.
    """

    def __init__(
        self,
        pipe: Connection,
        snapshot: Callable[[SnapshotRequest], Snapshot | None],
        pause: Callable[[str | None], None],
        live: Callable[[LiveCommand], None],
        events: deque[Event],
    ) -> None:
        self._pipe = pipe
        self._snapshot = snapshot
        self._pause = pause
        self._live = live
        self._events = events
        self._last = 0.0
        # Connection.poll() creates a selector at each call, which costs as much as a packet
        self._commands = select.poll()
        self._commands.register(pipe.fileno(), select.POLLIN)
        self._room = select.poll()
        self._room.register(pipe.fileno(), select.POLLOUT)

    def exchange(self, status: Callable[[], CameraStatus]) -> None:
        """Send the status when it is due, and execute the supervisor's commands. Does not block.

        Raises:
            SupervisorGoneError: the supervisor has ended.
        """
        now = time.monotonic()
        if now - self._last >= STATUS_INTERVAL_S:
            self._last = now
            self._send(status())
        while (message := self._received()) is not None:
            if isinstance(message, SnapshotCommand):
                self._send(SnapshotReply(message.number, self._snapshot(message.request)))
            elif isinstance(message, PauseCommand):
                self._pause(message.reason)
            elif isinstance(message, Subscribe | Unsubscribe):
                self._live(message)
        self._send_events()

    def send_events(self) -> None:
        """Send the last events, as far as the supervisor takes them at once."""
        with suppress(SupervisorGoneError):
            self._send_events()

    def _send_events(self) -> None:
        while self._events and self._room.poll(0):
            self._send(self._events.popleft())

    # only what the pipe raises tells that the supervisor is gone: an OSError of a command is a fault of ours

    def _send(self, message: object) -> None:
        try:
            self._pipe.send(message)
        except OSError as error:
            raise SupervisorGoneError from error

    def _received(self) -> object:
        try:
            return self._pipe.recv() if self._commands.poll(0) else None
        except (EOFError, OSError) as error:
            raise SupervisorGoneError from error
