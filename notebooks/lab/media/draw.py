"""A run's boxes drawn on a frame, for notebooks: label, track and score on each, in the track's colour."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
from PIL import Image

from notebooks.lab.media.clip import Box
from shared_utils.media.draw import BoxMark, draw
from shared_utils.media.palette import track_colour
from shared_utils.media.picture import Picture


def caption_of(box: Box) -> str:
    """Return the text on a box: label, number of its track, score."""
    track = "" if box.track is None else f" #{box.track}"
    return f"{box.label}{track} {box.score:.2f}"


def with_boxes(
    picture: Picture,
    boxes: Iterable[Box],
    note: str = "",
    *,
    size: tuple[int, int] | None = None,
    enlarge: float = 1.0,
) -> Picture:
    """Return a copy of `picture` with its boxes drawn, the best ones on top; boxes between sampled frames are dashed.

    Args:
        picture: height×width×3, uint8, blue green red.
        boxes: in pixels of `picture`.
        note: text for the lower left corner, such as the time.
        size: width and height in pixels to scale the picture to before anything is drawn.
        enlarge: factor for texts and lines, for pictures that will be displayed small.

    Returns:
        height×width×3, uint8, blue green red, of `size` if given.
    """
    marks = [
        BoxMark(box.xyxy, caption_of(box), track_colour(box.track), dashed=box.between)
        for box in sorted(boxes, key=lambda box: box.score)
    ]
    return draw(picture, marks, note, size=size, enlarge=enlarge)


def annotate(
    picture: Picture,
    boxes: Iterable[Box],
    note: str = "",
    *,
    size: tuple[int, int] | None = None,
    enlarge: float = 1.0,
) -> Image.Image:
    """Return what :func:`with_boxes` returns as a Pillow image, which a notebook's cell displays."""
    drawn = with_boxes(picture, boxes, note, size=size, enlarge=enlarge)
    return Image.fromarray(cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB))
