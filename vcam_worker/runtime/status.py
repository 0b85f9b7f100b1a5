"""The status that a camera's process reports, and the requests that the HTTP pages send to it.

Plain data, sent through a pipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["starting", "running", "stalled", "offline", "unauthorized", "undecodable", "paused", "stopped"]
"""starting: no frame yet. running: packets arrive. stalled: connected, but silent. offline: no connection.
unauthorized: wrong user name or password. undecodable: packets arrive that cannot be decoded. paused: packets arrive,
but the disk is full. stopped: a file is at its end, or the process is gone."""

QUALITY_LIMITS = (10, 95)
QUALITY_DEFAULT = 80
WIDTH_LIMITS_PX = (64, 3840)


@dataclass(frozen=True)
class CameraStatus:
    """The present status of one camera.

    Attributes:
        name: the camera's.
        display_url: its URL, masked.
        state: see :data:`State`.
        reason: what is wrong, in one line; None while it is well.
        since: when the state began, seconds since the epoch.
        last_packet: when the last packet arrived, seconds since the epoch; None before the first.
        codec, width, height, transport: of the stream; None before the first connection.
        fps: frames per second, measured over the last seconds.
        recording: a clip is open.
        packets, bytes: received since the process started.
        clips: published since then.
        reconnects: connections made after the first.
        live_subscriptions: to live frames and video; its clients share them.
        live_decoding: the main stream is decoded for live frames.
        live_frames: JPEGs made for them since the process started.
        late: packets that were not analysed, as the machine could not keep up.
        live_objects, classes: of the camera's settings, for the live worker; see
            :class:`shared_utils.config.cameras.Camera`.
    """

    name: str
    display_url: str
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
    live_subscriptions: int = 0
    live_decoding: bool = False
    live_frames: int = 0
    live_objects: str = "motion"
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class SnapshotRequest:
    """The properties of a requested picture; hashable, as the key of a cache.

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
    """A JPEG, and when its frame was received, seconds since the epoch."""

    jpeg: bytes
    taken: float


class Board(Protocol):
    """All cameras, as the HTTP pages see them; the supervisor implements it. Its methods may be called from any
    thread."""

    def statuses(self) -> list[CameraStatus]:
        """Return every camera's status, in the order of the settings."""

    def snapshot(self, name: str, request: SnapshotRequest) -> Snapshot | None:
        """Have the process of camera `name` encode its newest frame; None without one, or without a timely reply.

        Raises:
            KeyError: there is no such camera.
        """
