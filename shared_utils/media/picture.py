"""Decoded pictures as arrays, and how one is fitted into a size. By OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV's own threads would come on top of those that are shared out; a resize takes a third of a millisecond
cv2.setNumThreads(1)

Picture = NDArray[np.uint8]
"""Height×width×3, blue green red."""


def fitted_into(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return `picture` scaled to fit into width and height of `size`, in the middle, with black bars beside it."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    ratio = min(size[0] / width, size[1] / height)
    scaled = min(max(round(width * ratio), 1), size[0]), min(max(round(height * ratio), 1), size[1])
    smaller = scaled[0] < width
    resized = cv2.resize(picture, scaled, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    left, top = (size[0] - scaled[0]) // 2, (size[1] - scaled[1]) // 2
    right, bottom = size[0] - scaled[0] - left, size[1] - scaled[1] - top
    return np.asarray(cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT), np.uint8)
