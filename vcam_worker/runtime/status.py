"""What a camera's process tells the supervisor, and what the HTTP pages ask for. Plain data, sent through a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["starting", "running", "stalled", "offline", "unauthorized", "undecodable", "paused", "stopped"]
"""starting: no picture yet. running: packets come. stalled: connected, but silent. offline: no connection.
unauthorized: wrong user name or password. undecodable: packets come, and no picture can be made of them.
paused: packets come, but the disk is full. stopped: a file at its end, or
the process is gone."""

QUALITY_LIMITS = (10, 95)
QUALITY_DEFAULT = 80
WIDTH_LIMITS_PX = (64, 3840)


@dataclass(frozen=True)
class CameraStatus:
    """One camera, now.

    Attributes:
        name: slug.
        shown: its address, masked.
        state: see :data:`State`.
        reason: what is wrong, in a line; None while all is well.
        since: when the state began, seconds since the epoch.
        last_packet: when the last packet came, seconds since the epoch; None before the first.
        codec, width, height, transport: of the stream; None before the first connection.
        fps: frames a second, measured over the last seconds.
        recording: a clip is open.
        packets, bytes: received since the process started.
        clips: published since then.
        reconnects: connections made after the first.
        late: frames not looked at, since the machine could not keep up.
    """

    name: str
    shown: str
    state: State = "starting"
    reason: str | None = None
    since: float = 0.0
    last_packet: float | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    transport: str | None = None
    fps: float = 0.0
    recording: bool = False
    packets: int = 0
    bytes: int = 0
    clips: int = 0
    reconnects: int = 0
    late: int = 0


@dataclass(frozen=True)
class SnapshotRequest:
    """A picture that is wanted; hashable, so that answers can be kept by it.

    Attributes:
        width: pixels, within :data:`WIDTH_LIMITS_PX`; None keeps the camera's own.
        quality: of the JPEG, within :data:`QUALITY_LIMITS`.
        timestamp: draw date, time and the camera's name into it.
    """

    width: int | None = None
    quality: int = QUALITY_DEFAULT
    timestamp: bool = False


@dataclass(frozen=True)
class Snapshot:
    """A picture: JPEG, and when its frame was received, seconds since the epoch."""

    jpeg: bytes
    taken: float


class Board(Protocol):
    """All cameras as the HTTP pages see them; the supervisor is one. Its methods may be called from any thread."""

    def statuses(self) -> list[CameraStatus]:
        """Return every camera's status, in the order of the settings."""

    def snapshot(self, name: str, request: SnapshotRequest) -> Snapshot | None:
        """Have camera `name`'s process encode its newest frame; None when it has none, or does not answer in time.

        Raises:
            KeyError: there is no such camera.
        """
