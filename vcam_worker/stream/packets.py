"""Our own type for what a camera sends, so that the pure modules need no video library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared_utils.media.bitstream.parameter_sets import ParameterSets, PictureFormat

Kind = Literal["video", "audio"]


@dataclass(slots=True)
class Packet:
    """One encoded frame (or audio block), as received.

    Attributes:
        kind: which of the two streams it belongs to.
        data: the payload, bit for bit.
        is_keyframe: decoding can start here.
        dts: decoding time by the camera's clock, seconds; None where the stream has no timestamps.
        delay: presentation time minus decoding time, seconds; 0 without B-frames.
        arrived: when it was received, seconds of the monotonic clock (for files: equal to `time`).
        wall: when it was received, seconds since the epoch.
        time: its place in the stream by our own steady clock, seconds; set by
        :class:`vcam_worker.stream.timeline.Timeline`.
        description: the stream's new parameter sets (avcC, hvcC), where the container announces a change.
        sets: of a keyframe: what decoding from here on needs;
            set by :class:`vcam_worker.stream.sets_reader.SetsReader`.
        picture: of a keyframe, where it says so: the picture's size and format; likewise.
    """

    kind: Kind
    data: bytes
    is_keyframe: bool
    dts: float | None
    delay: float = 0.0
    arrived: float = 0.0
    wall: float = 0.0
    time: float = 0.0
    description: bytes | None = None
    sets: ParameterSets | None = None
    picture: PictureFormat | None = None
