"""Streams as network cameras send them: drawn and encoded once, kept in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

LENGTH_S = 30
GOP_S = 2
NOISE = 3.0
"""Grey levels, standard deviation: a camera's sensor indoors."""
TILES = 7
"""Different pictures of noise; each is shown shifted by a random distance."""


@dataclass(frozen=True)
class Spec:
    """A stream.

    Attributes:
        name: of its file.
        width, height: pixels.
        fps: frames per second.
        bitrate: bits per second.
        moving: something crosses the picture all the time; else only the noise changes.
    """

    name: str
    width: int
    height: int
    fps: int
    bitrate: int
    moving: bool


MOVING = Spec("moving-1080p20", 1920, 1080, 20, 4_000_000, moving=True)
STILL = Spec("still-1080p20", 1920, 1080, 20, 4_000_000, moving=False)
SUB = Spec("moving-360p20", 640, 360, 20, 500_000, moving=True)
SMALL = Spec("moving-720p15", 1280, 720, 15, 1_700_000, moving=True)


def ensure(spec: Spec, folder: Path) -> Path:
    """Return the stream's file in `folder`; drawn and encoded if it is not there yet."""
    path = folder / f"{spec.name}.mp4"
    if not path.exists():
        print(f"drawing {path.name} (the first time only) ...", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        _encode(spec, draft)
        draft.replace(path)
    return path


def _encode(spec: Spec, path: Path) -> None:
    frames = (av.VideoFrame.from_ndarray(planes, format="yuv420p") for planes in _pictures(spec))
    encode_as_camera(path, (spec.width, spec.height), spec.fps, spec.bitrate, frames)


def encode_as_camera(
    path: Path, size: tuple[int, int], fps: int, bitrate: int, frames: Iterable[av.VideoFrame], gop_s: int = GOP_S
) -> None:
    """Encode frames as H.264 of a network camera: even keyframes, no lookahead, no B-frames."""
    # a camera's encoder has no lookahead: with x264's, keyframes grow to ten times the size of other frames
    interval = fps * gop_s
    options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "x264-params": f"sliced-threads=0:bframes=0:scenecut=0:keyint={interval}:min-keyint={interval}",
    }
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *size, "yuv420p", bitrate
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _pictures(spec: Spec) -> Iterator[np.ndarray]:
    """Yield the pictures as FFmpeg lays planes out: 1.5 × height rows of width bytes."""
    width, height = spec.width, spec.height
    rng = np.random.default_rng(1)
    coarse = rng.integers(50, 190, (34, 60)).astype(np.float32)
    background = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    colours = cv2.resize(rng.integers(100, 156, (20, 15)).astype(np.float32), (width, height // 2)).astype(np.int16)
    # a small picture is made of a large one, which takes noise away
    sigma = NOISE * min(1.0, height / 720)
    margin = 64
    tiles = [rng.normal(0, sigma, (height + margin, width + margin)).round().astype(np.int16) for _ in range(TILES)]
    box_height, box_width = height // 4, width // 16
    for number in range(LENGTH_S * spec.fps):
        top, left = (int(one) for one in rng.integers(0, margin, 2))
        noise = tiles[number % TILES][top : top + height, left : left + width]
        luma = background.copy()
        if spec.moving:  # there and back in 20 s, so that nothing jumps but once per round
            way = 2 * (number / spec.fps / 20 % 1)
            x = round((width - box_width) * (way if way < 1 else 2 - way))
            y = height // 2
            luma[y : y + box_height, x : x + box_width] = 230 - luma[y : y + box_height, x : x + box_width] // 2
        chroma = colours + noise[: height // 2] // 2
        yield np.clip(np.concatenate([luma + noise, chroma]), 0, 255).astype(np.uint8)
