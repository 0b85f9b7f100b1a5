"""Videos drawn and encoded in code, so that a test knows every frame's time and content."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

CLIP_NAME = "20260223-144819-cam1.mp4"
Picture = NDArray[np.uint8]


def noise_background(width: int, height: int, seed: int = 1) -> Picture:
    """Return a still grey background with texture, height×width×3."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 140, (height // 16 + 1, width // 16 + 1), dtype=np.uint8)
    grey = np.kron(coarse, np.ones((16, 16), dtype=np.uint8))[:height, :width]
    return np.repeat(grey[..., None], 3, axis=2)


def moving_box(
    width: int = 640,
    height: int = 360,
    start_s: float = 4.0,
    end_s: float = 5.5,
    side: int = 60,
    top: int | None = None,
) -> Callable[[float], Picture]:
    """Return a function of time that draws a bright square crossing from left to right in `start_s..end_s`.

    `top`: of the square, pixels; half-way down where it is None.
    """
    background = noise_background(width, height)
    rng = np.random.default_rng(7)
    tiles = rng.normal(0, 2, (4, height, width, 1))

    def draw(seconds: float) -> Picture:
        picture = background.astype(np.float64)
        if start_s <= seconds <= end_s:
            x = int((width - side) * (seconds - start_s) / (end_s - start_s))
            y = height // 2 - side // 2 if top is None else top
            picture[y : y + side, x : x + side] = (40, 60, 230)
        picture += tiles[int(seconds * 100) % len(tiles)]
        return np.clip(picture, 0, 255).astype(np.uint8)

    return draw


def write_video(
    path: Path,
    draw: Callable[[float], Picture],
    *,
    seconds: float = 10.0,
    fps: float = 10.0,
    gop: int = 10,
    codec: str = "libx264",
    times: Iterable[float] | None = None,
    options: dict[str, str] | None = None,
    keyframes: Collection[float] = (),
) -> Path:
    """Encode `draw` into `path`; the suffix says the container. Returns `path`.

    Args:
        draw: picture (height×width×3, BGR) at a time in seconds.
        times: the frames' times where the rate is to vary; else `seconds` at `fps`.
        keyframes: times of frames that are to be keyframes, beside those of `gop`.
    """
    stamps = list(times) if times is not None else [i / fps for i in range(round(seconds * fps))]
    height, width = draw(0.0).shape[:2]
    defaults = {"bf": "0", "preset": "ultrafast"} if codec.startswith("libx26") else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1000), options=options or defaults)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, 90000)
        for seconds_in in stamps:
            frame = av.VideoFrame.from_ndarray(draw(seconds_in), format="bgr24")
            frame.pts = round(seconds_in * 90000)
            frame.time_base = Fraction(1, 90000)
            if seconds_in in keyframes:
                frame.pict_type = PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packet_times(path: Path) -> list[float]:
    """Return the video packets' presentation times, seconds, in file order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [float(p.pts * p.time_base) for p in container.demux(stream) if p.pts is not None and p.time_base]


def turn_first_picture(source: Path, target: Path) -> Path:
    """Copy an H.264 clip so that its first picture alone says, in an SEI message, that it is to be turned by 90°."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        video = given.streams.video[0]
        turn = av.BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=90", video)
        stream = made.add_stream_from_template(video)
        for number, packet in enumerate(given.demux(video)):
            for one in turn.filter(packet) if number == 0 else [packet]:
                if one.size:
                    one.stream = stream
                    made.mux(one)
    return target
