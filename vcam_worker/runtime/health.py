"""Judges from a camera's status what is wrong with it. Pure; times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

from vcam_worker.runtime.status import CameraStatus, Snapshot

START_S = 30.0
"""Time to a camera's first frame, for connecting and for a keyframe, beyond which it counts as trouble."""
SILENT_S = 20.0
"""Time without a packet beyond which a camera that is "running" has a process that hangs: it would have reported a
stall after 15 s."""
PICTURE_S = 15.0
"""Age from which a picture is no longer current."""

REASONS = {
    "starting": "no picture yet",
    "stalled": "connected, but no packets come",
    "offline": "no connection",
    "unauthorized": "the camera does not take the user name or password",
    "undecodable": "what the camera sends cannot be decoded",
    "paused": "the disk is full: nothing is recorded",
    "stopped": "the file is at its end",
}
"""What is wrong in general, by state."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong.

    Attributes:
        what: one or two words.
        reason: one line.
        since: when it began; 0 where unknown.
    """

    what: str
    reason: str
    since: float


def trouble(status: CameraStatus, now: float) -> Trouble | None:
    """Return what is wrong with the camera; None while it is well.

    A camera has time to start, and one that stopped without a reason is a file at its end.
    """
    if status.state == "running":
        return _silence(status, now)
    if status.state == "starting" and (not status.since or now - status.since < START_S):
        return None
    if status.state == "stopped" and not status.reason:
        return None
    return _by_state(status)


def no_picture(status: CameraStatus, now: float) -> Trouble | None:
    """Return why the camera has no current picture; None where it may have one.

    While recording is paused, packets still arrive, so there is one.
    """
    if status.state in ("running", "paused"):
        return _silence(status, now)
    return _by_state(status)


def old_picture(snapshot: Snapshot, now: float) -> Trouble | None:
    """Return what is wrong with a picture that is too old; None for a current one."""
    if now - snapshot.taken <= PICTURE_S:
        return None
    return Trouble("no picture", "no frame could be decoded since then", snapshot.taken)


def _silence(status: CameraStatus, now: float) -> Trouble | None:
    if status.last_packet is None or now - status.last_packet <= SILENT_S:
        return None
    return Trouble("stalled", "no packet has come since then", status.last_packet)


def _by_state(status: CameraStatus) -> Trouble:
    return Trouble(status.state, status.reason or REASONS[status.state], status.since)
