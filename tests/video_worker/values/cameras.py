"""Frames of a camera that somebody knocks against: shifted, turned, zoomed, in other light, with people in front."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture, decode_jpeg, encode_jpeg

Transform = NDArray[np.float64]


def moved(
    picture: Picture, shift: tuple[float, float] = (0.0, 0.0), turn_deg: float = 0.0, zoom: float = 1.0
) -> tuple[Picture, Transform]:
    """Return what a camera sees after a nudge, and what maps pixels before it to those after it.

    Args:
        picture: what it saw before.
        shift: in widths and heights of the picture.
        turn_deg: around its middle.
        zoom: factor of size.
    """
    height, width = picture.shape[:2]
    middle = (width - 1) / 2, (height - 1) / 2
    matrix = np.vstack([cv2.getRotationMatrix2D(middle, -turn_deg, zoom), (0, 0, 1)])
    matrix[:2, 2] += shift[0] * width, shift[1] * height
    seen = cv2.warpAffine(picture, matrix[:2], (width, height), borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(seen, np.uint8), np.asarray(matrix, np.float64)


def coded(picture: Picture, light: float = 1.0, noise: float = 2.0, seed: int = 0) -> Picture:
    """Return a picture in other light, with noise, as a camera's JPEG."""
    noisy = picture * light + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return decode_jpeg(encode_jpeg(np.asarray(np.clip(noisy, 0, 255), np.uint8), 75))
