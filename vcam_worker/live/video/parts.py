"""The parts of live video, and how they pass from the camera's process to the HTTP server's."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

INIT, FRAMES, END = 1, 2, 3
"""Kinds of the messages of a subscription: a file begins; frames of it; it ends, for the reason that is the payload."""

JPEG_TYPE = "image/jpeg"

_FRAME = struct.Struct(">QiBI")
_KEYFRAME, _LEADING_FOLLOW = 1, 2
_TYPE = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class Init:
    """The beginning of a file.

    Attributes:
        media_type: of the file, with its ``codecs`` parameter; of MJPEG :data:`JPEG_TYPE`.
        data: ``ftyp`` and ``moov``; empty of MJPEG.
    """

    media_type: str
    data: bytes

    def pack(self) -> bytes:
        """Return the payload of the message."""
        media_type = self.media_type.encode()
        return _TYPE.pack(len(media_type)) + media_type + self.data

    @classmethod
    def unpack(cls, payload: bytes) -> Init:
        """Return what :meth:`pack` was called on."""
        (length,) = _TYPE.unpack_from(payload)
        end = _TYPE.size + length
        return cls(payload[_TYPE.size : end].decode(), payload[end:])


@dataclass(frozen=True, slots=True)
class Fragment:
    """One frame.

    Attributes:
        time: when it is decoded, ticks of :data:`vcam_worker.live.video.fragments.TIMESCALE`, 0 or more.
        is_keyframe: a viewer can begin here.
        data: ``moof`` and ``mdat``; of MJPEG the picture.
        offset: from decoding to presentation, ticks.
        leading_follow: of a keyframe: frames that are shown before it come after it (an open GOP).
    """

    time: int
    is_keyframe: bool
    data: bytes
    offset: int = 0
    leading_follow: bool = False

    @property
    def shown(self) -> int:
        """When it is presented, ticks."""
        return self.time + self.offset


def pack_frames(frames: Iterable[Fragment]) -> bytes:
    """Return the payload of a message with these frames."""
    parts: list[bytes] = []
    for one in frames:
        flags = _KEYFRAME * one.is_keyframe | _LEADING_FOLLOW * one.leading_follow
        parts += (_FRAME.pack(one.time, one.offset, flags, len(one.data)), one.data)
    return b"".join(parts)


def unpack_frames(payload: bytes) -> Iterator[Fragment]:
    """Yield the frames of a message."""
    at = 0
    while at < len(payload):
        time, offset, flags, length = _FRAME.unpack_from(payload, at)
        at += _FRAME.size
        data = payload[at : at + length]
        yield Fragment(time, bool(flags & _KEYFRAME), data, offset, bool(flags & _LEADING_FOLLOW))
        at += length
