"""Prepares pictures for a model with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from shared_utils.media.picture import Picture
from video_worker.models.geometry import Letterbox

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
