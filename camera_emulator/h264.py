"""Encodes H.264 as network cameras do: no B-frames, one keyframe per second, parameter sets before each keyframe."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from shared_utils.errors import VcamError

Image = npt.NDArray[np.uint8]

CLOCK_HZ = 90_000  # the RTP clock of H.264 (RFC 6184, 8.2.1), and the encoder's time base
_BITS_PER_PIXEL = 0.12  # a rate typical of cameras: 1.7 Mb/s at 1280x720, 15 frames per second
_RATE_BUFFER_S = 0.5  # how far the rate may run ahead; a keyframe must fit in
# A keyframe goes out in one burst of UDP packets. Linux gives a viewer 208 KiB to receive in by default, of which
# each packet of 1.4 kB takes 2.3: more than this, and a viewer that is a moment late loses a part of the picture.
_MAX_BURST_BITS = 800_000


def default_bitrate(size: tuple[int, int], fps: float) -> int:
    """Return a suitable bit rate, bits per second, for a frame size (width, height) and frame rate."""
    width, height = size
    return round(width * height * fps * _BITS_PER_PIXEL)


class H264Encoder:
    """Encodes BGR frames of one size into Annex B access units, one per frame.

    ``size`` is (width, height), both even; ``bitrate`` is in bits per second. The keyframe interval is one second.
    """

    def __init__(self, size: tuple[int, int], fps: float, bitrate: int) -> None:
        width, height = size
        interval = max(1, round(fps))
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, CLOCK_HZ)
        context.framerate = Fraction(fps).limit_denominator(1001)
        context.bit_rate = bitrate
        context.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "maxrate": str(bitrate),
            "bufsize": str(min(round(bitrate * _RATE_BUFFER_S), _MAX_BURST_BITS)),
            # One thread: the emulator shares its machine with the programs under test. No scene cuts: cameras keep to
            # their interval. repeat-headers: a viewer may join at any keyframe.
            "x264-params": f"threads=1:keyint={interval}:min-keyint={interval}:scenecut=0:bframes=0:repeat-headers=1",
        }
        self._context = context
        self._shape = (height, width, 3)

    def encode(self, image: Image, pts: int, keyframe: bool = False) -> bytes:
        """Return one frame (height, width, 3) as Annex B bytes; ``pts`` in ticks of :data:`CLOCK_HZ`, rising.

        ``keyframe`` asks for one now, ahead of the interval.
        """
        if image.shape != self._shape:
            raise VcamError(f"the source changed its picture size from {self._shape[:2]} to {image.shape[:2]}")
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = pts
        frame.time_base = Fraction(1, CLOCK_HZ)
        if keyframe:
            frame.pict_type = PictureType.I
        return b"".join(bytes(packet) for packet in self._context.encode(frame))
