"""Puts figures and sensor noise into pictures: what the scenes with figures have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.figures import FIGURES, Look, Part, Shape

Image = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Corners x0, y0, x1, y1 in pixels."""

HORIZON = 0.10
"""The vanishing line, as a share of the picture's height."""
PERSON_HEIGHT = 0.62
"""Height of a person, in distances of the feet from the vanishing line."""
HALF_LENGTHS = {"person": 0.3, "bicycle": 0.55, "car": 1.45, "cat": 0.75, "dog": 0.9}
"""Half of each figure's length in its own heights, with room for limbs: beyond it a figure is out of sight."""
NOISE_SIGMA = 1.8
"""Grey levels; a small sensor by daylight."""
_NOISE_TILES = 4
_NOISE_SLIDE = 32  # most pixels by which a tile is shifted, so that few tiles give many patterns
_SUBPIXEL = 4  # fractional bits of OpenCV's drawing coordinates


@dataclass(frozen=True)
class Drawn:
    """A part of a figure placed in the picture: shapes in pixels, and the box around them."""

    label: str
    shapes: tuple[Shape, ...]
    xyxy: Box


@dataclass(frozen=True)
class Stand:
    """Where a figure is, in pixels.

    Attributes:
        x, ground: of the middle of its feet.
        tall: its height.
        rightwards: whether it faces to the right.
        phase: distance that it has travelled, in its own heights, so that feet and wheels fit the ground.
    """

    x: float
    ground: float
    tall: float
    rightwards: bool
    phase: float


def place_figure(kind: str, look: Look, stand: Stand) -> list[Drawn]:
    """Return the parts of a figure."""
    origin, flip = np.array([stand.x, stand.ground]), np.array([1.0 if stand.rightwards else -1.0, -1.0])
    return [_to_pixels(part, origin, flip * stand.tall) for part in FIGURES[kind](stand.phase, look)]


def draw_figure(image: Image, parts: Sequence[Drawn], ground: float) -> None:
    """Draw a figure into a picture, and its shadow on the ground at `ground` pixels."""
    left, right = min(part.xyxy[0] for part in parts), max(part.xyxy[2] for part in parts)
    _shadow(image, (left + right) / 2, ground, (right - left) / 2)
    for part in parts:
        for shape in part.shapes:
            _draw_shape(image, shape)


class SensorNoise:
    """Noise of a camera's sensor.

    Args:
        rng: makes its patterns.
        size: of the pictures, (width, height) in pixels.
        sigma: grey levels; 0 for none.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int], sigma: float) -> None:
        self._tiles = _noise_tiles(rng, *size, sigma) if sigma > 0 else []

    def add(self, image: Image, rng: np.random.Generator) -> None:
        """Add noise to a picture; `rng` chooses the pattern."""
        if not self._tiles:
            return
        brighter, darker = self._tiles[int(rng.integers(len(self._tiles)))]
        dx, dy = (int(offset) for offset in rng.integers(0, _NOISE_SLIDE, 2))
        height, width = image.shape[:2]
        cv2.add(image, brighter[dy : dy + height, dx : dx + width], dst=image)
        cv2.subtract(image, darker[dy : dy + height, dx : dx + width], dst=image)


def clip_box(xyxy: Box, size: tuple[int, int]) -> tuple[Box, float]:
    """Return the box clipped to the picture, and the share of its area that is left (0 when it lies outside)."""
    width, height = size
    x0, y0, x1, y1 = xyxy
    box = (min(max(x0, 0.0), width), min(max(y0, 0.0), height), min(max(x1, 0.0), width), min(max(y1, 0.0), height))
    area = (x1 - x0) * (y1 - y0)
    return box, (box[2] - box[0]) * (box[3] - box[1]) / area if area > 0 else 0.0


def _to_pixels(part: Part, origin: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> Drawn:
    """Return the part's shapes in pixels, and the tight box around them."""
    shapes, lows, highs = [], [], []
    for shape in part.shapes:
        points = origin + shape.points * scale
        width = shape.width * float(abs(scale[1]))
        shapes.append(Shape(points, shape.colour, width, shape.closed))
        lows.append(points.min(axis=0) - width / 2)
        highs.append(points.max(axis=0) + width / 2)
    (x0, y0), (x1, y1) = np.min(lows, axis=0), np.max(highs, axis=0)
    return Drawn(part.label, tuple(shapes), (float(x0), float(y0), float(x1), float(y1)))


def _draw_shape(image: Image, shape: Shape) -> None:
    points = [np.rint(shape.points * (1 << _SUBPIXEL)).astype(np.int32)]
    if shape.width > 0:
        thickness = max(1, round(shape.width))
        cv2.polylines(image, points, shape.closed, shape.colour, thickness, cv2.LINE_AA, _SUBPIXEL)
    else:
        cv2.fillPoly(image, points, shape.colour, cv2.LINE_AA, _SUBPIXEL)


def _shadow(image: Image, x: float, y: float, half_length: float) -> None:
    """Darken an ellipse on the ground under a figure."""
    height, width = image.shape[:2]
    half_height = max(2.0, 0.10 * half_length + 0.006 * height)
    x0, x1 = max(0, int(x - half_length)), min(width, int(x + half_length) + 1)
    y0, y1 = max(0, int(y - half_height)), min(height, int(y + half_height) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    part = image[y0:y1, x0:x1]
    dark = (part >> 1) + (part >> 3)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.ellipse(mask, (round(x) - x0, round(y) - y0), (int(half_length), int(half_height)), 0, 0, 360, 255, cv2.FILLED)
    cv2.copyTo(dark, mask, part)


def _noise_tiles(rng: np.random.Generator, width: int, height: int, sigma: float) -> list[tuple[Image, Image]]:
    """Return pairs of noise to add and to subtract: new noise for each frame would cost ten times as much."""
    shape = (height + _NOISE_SLIDE, width + _NOISE_SLIDE)
    tiles = []
    for _ in range(_NOISE_TILES):
        # Sensor noise is mostly brightness, a little colour.
        grey = rng.normal(0.0, sigma, shape).astype(np.float32)
        colour = rng.normal(0.0, sigma / 3, (shape[0] // 2, shape[1] // 2, 3)).astype(np.float32)
        noise = grey[:, :, np.newaxis] + cv2.resize(colour, (shape[1], shape[0]))
        whole = np.rint(noise)
        tiles.append((np.maximum(whole, 0).astype(np.uint8), np.maximum(-whole, 0).astype(np.uint8)))
    return tiles
