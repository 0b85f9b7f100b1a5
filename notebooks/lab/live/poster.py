"""The picture that is saved with a notebook where a live view was."""

from __future__ import annotations

import cv2
import numpy as np

from notebooks.lab.live.frames import LiveFrame
from notebooks.lab.live.overlay import FrameBoxes, is_own
from notebooks.lab.media.clip import Box
from notebooks.lab.media.draw import with_boxes
from shared_utils.media.picture import Picture, encode_jpeg, fitted_size

MAX_SIDE_PX = 960
JPEG_QUALITY = 82


def poster(frame: LiveFrame, found: FrameBoxes | None, note: str) -> bytes | None:
    """Return a picture with its boxes, as a JPEG; None where it cannot be decoded.

    Args:
        frame: the picture.
        found: its boxes.
        note: text for the lower left corner.
    """
    decoded = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        return None
    picture: Picture = np.asarray(decoded, np.uint8)
    height, width = picture.shape[:2]
    boxes = (
        [
            Box(label, score, (x1 * width, y1 * height, x2 * width, y2 * height), track, not is_own(found, frame.at))
            for label, score, x1, y1, x2, y2, track in found.boxes
        ]
        if found
        else []
    )
    return encode_jpeg(with_boxes(picture, boxes, note, size=fitted_size(width, height, MAX_SIDE_PX)), JPEG_QUALITY)
