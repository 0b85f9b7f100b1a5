"""Commands to a camera's process: what its live clients want. Plain data, sent through the pipe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FramesWanted:
    """Frames as JPEG, at the highest rates that clients of this size and quality want.

    Attributes:
        width: pixels; None keeps the camera's own. Frames are never enlarged.
        quality: of the JPEG; None for the default, which also allows a camera's own JPEG to be passed on.
        fps: frames per second at any time; 0: none.
        motion_fps: frames per second while there is motion; 0: none.
        asked: rises with each client that wants a frame at once, before the next one is due.
    """

    width: int | None
    quality: int | None
    fps: float
    motion_fps: float = 0.0
    asked: int = 0


@dataclass(frozen=True)
class VideoWanted:
    """Live video, by packet copy."""


Wanted = FramesWanted | VideoWanted
"""What can be subscribed to; a union of one class per kind."""


@dataclass(frozen=True)
class Subscribe:
    """Command to begin a subscription, or to change one.

    Attributes:
        number: of the subscription, in all messages of it.
        wanted: what it is about.
    """

    number: int
    wanted: Wanted


@dataclass(frozen=True)
class Unsubscribe:
    """Command to end a subscription; one that is unknown is ignored."""

    number: int


LiveCommand = Subscribe | Unsubscribe
