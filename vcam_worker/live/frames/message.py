"""The message of one frame, from the camera's process to the HTTP server."""

from __future__ import annotations

import struct
from dataclasses import dataclass

FRAME = 1
"""Kind of the message."""

_HEADER = struct.Struct(">df?")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame as JPEG.

    Attributes:
        at: when it was received, seconds since the epoch.
        share: moving share of the picture, 0..1, by the newest verdict.
        is_moving: there is motion, or was a moment ago.
        jpeg: the picture.
    """

    at: float
    share: float
    is_moving: bool
    jpeg: bytes


def pack_frame(frame: Frame) -> bytes:
    """Return the payload of a frame's message."""
    return _HEADER.pack(frame.at, frame.share, frame.is_moving) + frame.jpeg


def unpack_frame(payload: bytes) -> Frame:
    """Return the frame of a message's payload.

    Raises:
        ValueError: it is none.
    """
    if len(payload) <= _HEADER.size:
        raise ValueError("no frame")
    at, share, is_moving = _HEADER.unpack_from(payload)
    return Frame(at, share, is_moving, payload[_HEADER.size :])
