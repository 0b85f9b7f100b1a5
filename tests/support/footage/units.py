"""Encoded video as NAL units, for tests that change what a camera sends."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av

from shared_utils.media.bitstream.nal_units import split_units
from tests.support.footage.video import Picture

Frame = list[bytes]


def encode(
    draw: Callable[[float], Picture],
    *,
    seconds: float,
    fps: float = 10,
    gop: int = 10,
    codec: str = "h264",
    **more: str,
) -> list[Frame]:
    """Return each frame's NAL units; keyframes bring their parameter sets.

    Args:
        draw: picture (height×width×3, BGR) at a time in seconds.
        more: options of the encoder; ``params`` for x264 and x265, ``pix_fmt``.
    """
    params, pix_fmt = more.pop("params", ""), more.pop("pix_fmt", "yuv420p")
    common = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:repeat-headers=1"
    name = "libx264" if codec == "h264" else "libx265"
    extra = f"{common}:annexb=1" if codec == "h264" else f"{common}:log-level=none:info=0"
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = draw(0.0).shape[:2]
    context.pix_fmt, context.time_base = pix_fmt, Fraction(1, 90000)
    context.framerate = Fraction(fps).limit_denominator(1000)
    preset = {"preset": "ultrafast", "tune": "zerolatency"}
    context.options = {**preset, f"{name.removeprefix('lib')}-params": ":".join(filter(None, [extra, params])), **more}
    packets = []
    for number in range(round(seconds * fps)):
        frame = av.VideoFrame.from_ndarray(draw(number / fps), format="bgr24")
        frame.pts, frame.time_base = round(number / fps * 90000), Fraction(1, 90000)
        packets += context.encode(frame)
    packets += context.encode(None)
    return [list(split_units(bytes(packet), 0)) for packet in packets]
