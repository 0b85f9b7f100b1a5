"""What light, lens and coding make of a drawn display."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]
Mask = NDArray[np.uint8]

FEW_LEVELS = 10.0
"""Contrast, of 255, below which glare hides a segment."""
_NOISE = np.random.default_rng(7).standard_normal(1 << 18, dtype=np.float32)
"""Noise to take pieces of: drawing it anew for each picture would cost more than all the rest."""


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    size = int(np.prod(shape))
    start = int(rng.integers(len(_NOISE) - size))
    return _NOISE[start : start + size].reshape(shape)


def _axes(shape: tuple[int, ...]) -> tuple[Plane, Plane]:
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, np.newaxis]
    return np.linspace(-1, 1, shape[1], dtype=np.float32)[np.newaxis], y


def _light(rng: np.random.Generator, image: Plane) -> Plane:
    """Uneven light, and the edge of a shadow."""
    x, y = _axes(image.shape)
    if rng.random() < 0.6:
        image = image * (1 + float(rng.uniform(-0.35, 0.35)) * x + float(rng.uniform(-0.3, 0.3)) * y)
    if rng.random() < 0.2:
        slope, place = float(rng.uniform(-1.5, 1.5)), float(rng.uniform(-0.8, 0.8))
        edge = np.clip((x - place + slope * y) * float(rng.uniform(4, 40)) + 0.5, 0, 1)
        image = image * (1 - float(rng.uniform(0.15, 0.55)) * edge)
    return image


def _reflections(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """What a pane before the display mirrors: soft spots, and the edges of windows and lamps."""
    added = np.zeros(shape, np.float32)
    if rng.random() < 0.5:
        coarse = np.maximum(_noise(rng, (3, max(3, shape[1] // 24))), 0) * float(rng.uniform(5, 35))
        added += cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        spot = np.zeros(shape, np.uint8)
        corners = rng.uniform(-0.2, 1.2, (4, 2)) * shape[::-1]
        cv2.fillConvexPoly(spot, cv2.convexHull(corners.astype(np.int32)), 255)
        added += cv2.GaussianBlur(spot, (0, 0), float(rng.uniform(0.5, 3))).astype(np.float32) * float(
            rng.uniform(0.03, 0.2)
        )
    return added


def _glare(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """A lamp's spot, round or drawn out to a streak."""
    x, y = _axes(shape)
    x = x * shape[1] / shape[0]
    reach = shape[1] / shape[0]
    dx, dy = x - float(rng.uniform(-reach, reach)), y - float(rng.uniform(-1.1, 1.1))
    angle = float(rng.uniform(0, np.pi))
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    size, other = float(rng.uniform(0.1, 0.7)), float(rng.uniform(0.1, 2.5))
    fall = (along / other) ** 2 + (across / size) ** 2
    return np.asarray(float(rng.uniform(40, 300)) * np.exp(-fall), np.float32)


def _lens(rng: np.random.Generator, image: Plane, height: float) -> Plane:
    """Focus and movement, and few pixels per digit."""
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.3 + height * float(rng.uniform(0, 0.042))), image.dtype)
    if rng.random() < 0.15:
        length = max(2, round(height * float(rng.uniform(0.04, 0.14))))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0)
        kernel = kernel if rng.random() < 0.6 else np.ascontiguousarray(kernel.T)
        image = np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), image.dtype)
    return np.asarray(image, np.float32)


def disturb(
    rng: np.random.Generator, image: Plane, height: float, contrast: float, darker: float
) -> tuple[Mask, Plane | None]:
    """Return a crop as it comes out of a coded video, and where glare hid something.

    Args:
        rng: decides on everything.
        image: in clear light, 0..255.
        height: of a digit, in pixels.
        contrast: between lit and dark.
        darker: the lower brightness of these two.

    Returns:
        The crop, and 1 where a lit segment or what is around it cannot be told from the other, 0 elsewhere; None where
        there was no glare.
    """
    image = _light(rng, image)
    loss = None
    added: Plane | None = None
    if rng.random() < 0.25:
        added = _reflections(rng, image.shape)
    if rng.random() < 0.22:
        glare = _glare(rng, image.shape)
        added = glare if added is None else added + glare
    if added is not None:
        image = image + added
        # driven to white, lit and dark are the same
        loss = (added > 255 - FEW_LEVELS - darker).astype(np.float32)
    image = _lens(rng, image, height)
    if rng.random() < 0.3:
        image = np.clip(image, 0, 255) ** float(rng.uniform(0.6, 1.5))
        image *= 255 / max(float(image.max()), 1.0)
    sigma = float(rng.choice([0, rng.uniform(0.5, 4), rng.uniform(4, 14)], p=[0.15, 0.6, 0.25]))
    shrink = max(float(rng.uniform(0.35, 1.0)), 13 / height) if rng.random() < 0.35 else 1.0
    size = image.shape[1], image.shape[0]
    if shrink < 1:
        small = max(8, round(size[0] * shrink)), max(8, round(size[1] * shrink))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.float32)
    image = image + _noise(rng, image.shape) * min(sigma, contrast * 0.14)
    if rng.random() < 0.15:
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 1.6)))
        image = image + (image - soft) * float(rng.uniform(0.3, 1.2))
    seen = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(25, 95))
        coded = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        seen = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    if shrink < 1:
        way = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        seen = np.asarray(cv2.resize(seen, size, interpolation=way), np.uint8)
    return seen, loss
