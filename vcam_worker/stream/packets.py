"""Encoded packets as our own type, so that pure modules need no video library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared_utils.media.bitstream.parameter_sets import ParameterSets, PictureFormat

Kind = Literal["video", "audio"]


@dataclass(slots=True)
class Packet:
    """One encoded frame (or block of sound), as received.

    Attributes:
        kind: video or audio.
        data: the payload, unchanged.
        is_keyframe: decoding can start here.
        dts: decoding time by the camera's clock, seconds; None where the stream has no timestamps.
        delay: presentation time minus decoding time, seconds; 0 without B-frames.
        arrived: when it was received, monotonic seconds (for files: equal to `time`).
        ready: when it could first be processed, monotonic seconds, where that was after `arrived`; else 0.
        wall: when it was received, seconds since the epoch.
        time: stream time, seconds, of our own steady clock; set by
        :class:`vcam_worker.stream.timing.timeline.Timeline`.
        is_late: it waited too long to be analysed, and is only recorded; set by the camera's loop.
        description: the stream's new parameter sets (avcC, hvcC), where the container announces a change.
        sets: parameter sets that decoding from this keyframe on needs; set by
        :class:`vcam_worker.stream.sets_reader.SetsReader`.
        picture: size and format of this keyframe, where it states them; likewise.
    """

    kind: Kind
    data: bytes
    is_keyframe: bool
    dts: float | None
    delay: float = 0.0
    arrived: float = 0.0
    ready: float = 0.0
    wall: float = 0.0
    time: float = 0.0
    is_late: bool = False
    description: bytes | None = None
    sets: ParameterSets | None = None
    picture: PictureFormat | None = None
