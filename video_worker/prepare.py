"""Pictures made ready for a model, by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from video_worker.engines import Picture
from video_worker.geometry import Letterbox

# OpenCV's own threads would come on top of those that are shared out; a resize takes a third of a millisecond
cv2.setNumThreads(1)

GREY = 114
"""The padding's value in all of ultralytics' training and prediction."""


def letterbox(picture: Picture, fit: Letterbox) -> Picture:
    """Return `picture` scaled and padded as `fit` says."""
    if fit.scaled_wh != fit.source_wh:
        picture = np.asarray(cv2.resize(picture, fit.scaled_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    if fit.scaled_wh != fit.padded_wh:
        bordered = cv2.copyMakeBorder(picture, *fit.margins, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY))
        picture = np.asarray(bordered, np.uint8)
    return np.ascontiguousarray(picture)


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


def mean_luma(picture: Picture) -> float:
    """Return how bright `picture` (blue green red) is on the whole, 0..255."""
    blue, green, red = cv2.mean(picture)[:3]
    return 0.114 * blue + 0.587 * green + 0.299 * red
