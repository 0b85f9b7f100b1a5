"""What is wrong with a camera, judged from its status. Pure; times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass

from vcam_worker.runtime.status import CameraStatus, Snapshot

START_S = 30.0
"""Time a camera may take to its first picture before that counts as trouble: connecting and waiting for a keyframe."""
SILENT_S = 20.0
"""A camera that calls itself running, but had no packet for this long: its process hangs, or it would have reported a
stall, which it does after 15 s."""
PICTURE_S = 15.0
"""Age from which a picture is no longer a current one."""

_REASONS = {
    "starting": "no picture yet",
    "stalled": "connected, but no packets come",
    "offline": "no connection",
    "unauthorized": "the camera does not take the user name or password",
    "undecodable": "what the camera sends can not be decoded",
    "paused": "the disk is full: nothing is recorded",
    "stopped": "the file is at its end",
}


@dataclass(frozen=True)
class Trouble:
    """What is wrong.

    Attributes:
        what: a word or two.
        reason: a line.
        since: when it began; 0 where that is not known.
    """

    what: str
    reason: str
    since: float


def trouble(status: CameraStatus, now: float) -> Trouble | None:
    """Return what is wrong with the camera; None while all is well.

    A camera is given time to start, and one that stopped without a reason is a file at its end.
    """
    if status.state == "running":
        return _silence(status, now)
    if status.state == "starting" and (not status.since or now - status.since < START_S):
        return None
    if status.state == "stopped" and not status.reason:
        return None
    return _by_state(status)


def no_picture(status: CameraStatus, now: float) -> Trouble | None:
    """Return why the camera can have no current picture; None where it is worth asking it.

    While recording is paused, packets still come, so there is one.
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
    return Trouble(status.state, status.reason or _REASONS[status.state], status.since)
