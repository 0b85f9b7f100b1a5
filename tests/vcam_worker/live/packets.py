"""Packets as a camera's loop has them, and what players read of the live video made of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import av

from shared_utils.media.bitstream.nal_units import Codec, is_parameter_set, join_units, unit_kind
from tests.support.footage.units import Frame, encode
from tests.support.footage.video import Picture, moving_box
from vcam_worker.live.video.fragments import at_time
from vcam_worker.live.video.parts import Fragment, Init
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.sets_reader import SetsReader

FPS = 10
GOP = 10
SIZE = (320, 180)
_FIRST_TIME_S = 1000.0


def stream_info(codec: str = "h264", size: tuple[int, int] = SIZE) -> StreamInfo:
    return StreamInfo(codec, *size, FPS, "tcp", None, (), None, None, None)


def packets(
    codec: Codec = "h264", draw: Callable[[float], Picture] | None = None, seconds: float = 3.0, params: str = ""
) -> list[Packet]:
    """Return the packets of a stream that was encoded now."""
    frames = encode(draw or moving_box(*SIZE, side=30), seconds=seconds, fps=FPS, gop=GOP, codec=codec, params=params)
    return placed(codec, frames)


def placed(codec: Codec, frames: Iterable[Frame], first_s: float = _FIRST_TIME_S) -> list[Packet]:
    """Return frames as packets in stream time; keyframes are those that bring parameter sets."""
    reader = SetsReader(codec, None)
    found = []
    for number, frame in enumerate(frames):
        is_keyframe = any(is_parameter_set(codec, unit_kind(codec, unit[0])) for unit in frame)
        packet = Packet("video", join_units(frame, 0), is_keyframe, None, time=first_s + number / FPS)
        assert reader.take(packet)
        found.append(packet)
    return found


def viewed(parts: Iterable[Init | Fragment], keyframe: int = 0) -> bytes:
    """Return the file of a viewer that joins at a keyframe, by its number."""
    parts = list(parts)
    [init] = [one for one in parts if isinstance(one, Init)]
    frames = [one for one in parts if isinstance(one, Fragment)]
    start = [at for at, one in enumerate(frames) if one.is_keyframe][keyframe]
    first = frames[start]
    return init.data + b"".join(
        at_time(one.data, one.time - first.time, one.offset - first.offset) for one in frames[start:]
    )


def decoded(file: bytes) -> list[tuple[float, int, int]]:
    """Return time (seconds, to the millisecond), width and height of each frame."""
    with av.open(io.BytesIO(file)) as container:
        return [(round(float(frame.time), 3), frame.width, frame.height) for frame in container.decode(video=0)]
