"""Pictures in files: read them, and write them in the format that the file's name says. By OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from shared_utils.media.picture import Picture

FORMATS = (".png", ".jpg", ".jpeg")
"""Of pictures that are written."""


def read_picture(path: Path) -> Picture:
    """Return the picture in a file, height×width×3, blue green red, turned as its EXIF data says.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no picture, or a damaged one.
    """
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file, or one that announces a size beyond all bounds
        picture = None
    if picture is None:
        raise ValueError("it is no picture that can be read")
    return np.asarray(picture, np.uint8)


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture (height×width×3, blue green red), as PNG or JPEG by the ending of the file's name.

    Raises:
        OSError: the file cannot be written.
        ValueError: the ending is none of :data:`FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"a name that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]} was expected")
    ok, encoded = cv2.imencode(path.suffix.lower(), picture)
    if not ok:
        raise ValueError(f"a picture of shape {picture.shape} cannot be encoded")
    path.write_bytes(bytes(encoded))
