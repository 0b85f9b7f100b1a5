"""Pictures as arrays: resize them, fit them into a size, encode them as JPEG. By OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.bitstream.jpeg_header import jpeg_size

# programs assign their cores to decoding and inference; a resize takes a third of a millisecond in one thread
cv2.setNumThreads(1)

Picture = NDArray[np.uint8]
"""Height×width×3, uint8, blue green red."""


MAX_PIXELS = 8192 * 4320
"""Of a JPEG that is decoded: 8K. Its header may announce thousands of millions in a few bytes."""


def fitted_into(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return `picture` scaled to fit into width and height of `size`, centred, with black bars around it."""
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


def fitted_size(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """Return a size of these proportions whose sides are even, as video encoders want them, and at most `max_side_px`.

    A size that is small enough already is only made even.
    """
    share = min(1.0, max_side_px / max(width, height))
    return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return `picture` scaled to width and height of `size`, whatever its proportions were."""
    smaller = size[0] < picture.shape[1]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC), np.uint8)


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """Return `picture` (height×width×3, blue green red, or height×width) as JPEG of a quality of 1 to 100.

    Raises:
        ValueError: it cannot be encoded, such as a picture of no size, or of more than 65,535 pixels on a side.
    """
    try:
        ok, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        ok = False
    if not ok:
        raise ValueError(f"a picture of shape {picture.shape} cannot be encoded")
    return bytes(encoded)


def decode_jpeg(jpeg: bytes) -> Picture:
    """Return the picture of a JPEG, height×width×3, blue green red.

    Raises:
        ValueError: it cannot be decoded, or is larger than 8K.
    """
    size = jpeg_size(jpeg) if jpeg.startswith(b"\xff\xd8") else None
    if size is None:
        raise ValueError("it is no JPEG")
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"it has {size[0]}×{size[1]} pixels, more than 8K")
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise ValueError("it is damaged")
    return np.asarray(picture, np.uint8)
