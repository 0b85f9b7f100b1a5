"""What light, weather and sensors do to a fixed camera's picture, drawn in code: luma only, values 0..255."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 360
Picture = NDArray[np.floating[Any]]
Draw = Callable[[float], Picture]

_rng = np.random.default_rng(0)
_coarse = np.kron(_rng.integers(40, 170, (23, 40)), np.ones((16, 16)))[:HEIGHT, :WIDTH].astype(np.float32)
_fine = cv2.GaussianBlur(_rng.normal(0, 40, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.5)
BACKGROUND: Picture = cv2.GaussianBlur(_coarse, (0, 0), 2) + _fine / 2
_x = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :]
_y = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]


def _ramp(time: float, start: float, end: float) -> float:
    return float(np.clip((time - start) / (end - start), 0, 1))


def still(_: float) -> Picture:
    """Nothing happens."""
    return BACKGROUND.copy()


def rain(time: float) -> Picture:
    """Streaks of rain in front of the lens."""
    picture = BACKGROUND.copy()
    rng = np.random.default_rng(round(time * 1000))
    for _ in range(120):
        y, x = rng.integers(0, HEIGHT - 14), rng.integers(0, WIDTH - 2)
        picture[y : y + 12, x] += 60
    return picture


def light_on(time: float) -> Picture:
    """At 20 s a light goes on; the camera's exposure follows for two seconds."""
    return BACKGROUND * (1 + 0.4 * _ramp(time, 20, 20.1)) * (1 - 0.2 * _ramp(time, 20.3, 22.5))


def light_off(time: float) -> Picture:
    """At 20 s the light goes off; the camera's gain follows."""
    return BACKGROUND * (1 - 0.6 * _ramp(time, 20, 20.1)) * (1 + 0.5 * _ramp(time, 20.3, 23))


def lamp(time: float) -> Picture:
    """At 20 s a lamp lights a part of the room, and burns some of it out."""
    spot = np.exp(-(np.square((_x - 0.25) / 0.25) + np.square((_y - 0.4) / 0.4)))
    return BACKGROUND * (1 + (0.9 * spot if time > 20 else 0))


def infrared(time: float) -> Picture:
    """From 19 s it gets dark; at 20.4 s the filter moves, and materials change their brightness each in its own way."""
    if time < 19:
        return BACKGROUND.copy()
    dark = BACKGROUND * (1 - 0.85 * _ramp(time, 19, 20))
    by_infrared = (255 - BACKGROUND) * 0.25 + BACKGROUND * 0.6
    if time < 21.6:
        over = _ramp(time, 20.4, 21.5)
        return dark * (1 - over) + by_infrared * over
    return by_infrared * (1 + 0.1 * (1 - _ramp(time, 21.6, 24)))


def cloud(time: float) -> Picture:
    """A cloud's shadow comes over the scene from 10 s on, and leaves it from 30 s on."""
    shade = np.ones_like(_x)
    if time > 10:
        shade = shade - 0.45 / (1 + np.exp(-((time - 15) / 6 - 0.5 - _x) * 12))
    if time > 30:
        shade = shade + 0.45 / (1 + np.exp(-((time - 35) / 6 - 0.5 - _x) * 12))
    return BACKGROUND * np.clip(shade, 0.5, 1)


def with_person(scene: Draw, enters: float, speed: float) -> Draw:
    """Add an opaque figure of 1 % of the picture to `scene`, `speed` picture widths per second from the left."""
    height, width = 61, 38

    def draw(time: float) -> Picture:
        picture = scene(time).copy()
        x = int((time - enters) * speed * WIDTH) - width
        if time >= enters and -width < x < WIDTH:
            left, right, top = max(0, x), x + width, HEIGHT // 2
            picture[top : top + height // 2, left:right] = 60
            picture[top + height // 2 : top + height, left:right] = 150
        return picture

    return draw


def encode(
    path: Path, draw: Draw, seconds: float, *, fps: int = 10, noise: float = 3.0, bit_rate: int = 300_000
) -> Path:
    """Write `draw` as H.264 as a cheap camera does: a GOP of 2 s, few bits, so that each keyframe pulses."""
    rng = np.random.default_rng(1)
    chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 2 * fps
        stream.bit_rate = bit_rate
        tiles = rng.normal(0, noise, (5, HEIGHT, WIDTH)).astype(np.float32)
        for number in range(round(seconds * fps)):
            tile = np.roll(tiles[number % 5], (int(rng.integers(HEIGHT)), int(rng.integers(WIDTH))), (0, 1))
            luma = np.clip(draw(number / fps) + tile, 0, 255).astype(np.uint8)
            planes = np.concatenate([luma.ravel(), chroma]).reshape(HEIGHT * 3 // 2, WIDTH)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
