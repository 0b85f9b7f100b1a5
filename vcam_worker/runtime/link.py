"""The pipe between a camera's process and the supervisor: status up, wishes down. Both ends."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest

STATUS_INTERVAL_S = 1.0
"""Seconds between two messages from a camera's process; they are its sign of life as well."""


@dataclass(frozen=True)
class SnapshotCommand:
    """A picture is wanted; the answer carries the number."""

    number: int
    request: SnapshotRequest


@dataclass(frozen=True)
class SnapshotReply:
    """The picture, or None where there is no frame yet."""

    number: int
    snapshot: Snapshot | None


@dataclass(frozen=True)
class PauseCommand:
    """Recording is to pause (the disk is full), or to go on (no reason)."""

    reason: str | None


class SupervisorGoneError(Exception):
    """The other end is closed: nobody would ever stop us."""


class ChildLink:
    """A camera process's end.

    Args:
        pipe: duplex.
        snapshot: encodes the newest frame.
        pause: takes a reason to pause, or None to go on.
    """

    def __init__(
        self,
        pipe: Connection,
        snapshot: Callable[[SnapshotRequest], Snapshot | None],
        pause: Callable[[str | None], None],
    ) -> None:
        self._pipe = pipe
        self._snapshot = snapshot
        self._pause = pause
        self._last = 0.0
        # the pipe's own poll() makes a selector anew each time, which costs as much as a packet
        self._commands = select.poll()
        self._commands.register(pipe.fileno(), select.POLLIN)

    def exchange(self, status: Callable[[], CameraStatus]) -> None:
        """Send the status when it is time, and do what the supervisor asks for. Returns at once.

        Raises:
            SupervisorGoneError: the supervisor has ended, however it did.
        """
        now = time.monotonic()
        try:
            if now - self._last >= STATUS_INTERVAL_S:
                self._last = now
                self._pipe.send(status())
            while self._commands.poll(0):
                message = self._pipe.recv()
                if isinstance(message, SnapshotCommand):
                    self._pipe.send(SnapshotReply(message.number, self._snapshot(message.request)))
                elif isinstance(message, PauseCommand):
                    self._pause(message.reason)
        except (EOFError, OSError) as error:
            raise SupervisorGoneError from error
