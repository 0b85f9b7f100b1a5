"""Draw boxes, zones and labels on pictures, by OpenCV: readable on dark and light, one colour per track.

OpenCV 5 brings its own fonts (Latin, Cyrillic, Greek, Hebrew, Arabic, Chinese, Japanese, Korean), so that no further
library or font file is needed: Pillow, which knows no more scripts, would add 22 MB to each image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from shared_utils.media.palette import BLACK, BLUE, WHITE, bgr, text_colour
from shared_utils.media.picture import Picture, resized

LINE_SHARE = 1 / 260
"""Thickness of a line, as a share of the picture's shorter side; at least :data:`MIN_LINE_PX`."""
MIN_LINE_PX = 2
TEXT_SHARE = 1 / 34
"""Height of a text, likewise; at least :data:`MIN_TEXT_PX`."""
MIN_TEXT_PX = 11
DASH_LINES = 4
"""Length of a dash, as a multiple of the line's thickness."""
MAX_TEXT_CHARS = 120
"""Longer texts are cut: no picture is that wide."""
FONT, FONT_WEIGHT = "sans", 600
"""Name of OpenCV's own font; 400 is regular, 800 bold."""


@dataclass(frozen=True)
class BoxMark:
    """A box to draw.

    Attributes:
        xyxy: corners x1, y1, x2, y2 in pixels of the picture that it is drawn on.
        text: written on a plate on its upper left corner, or below it where there is no room; empty for none.
        colour: ``#RRGGBB``.
        dashed: for a box that was not detected in this very frame.
    """

    xyxy: tuple[float, float, float, float]
    text: str = ""
    colour: str = BLUE
    dashed: bool = False


@dataclass(frozen=True)
class ShapeMark:
    """A polygon or line to draw, such as a zone.

    Attributes:
        points: (x, y) in pixels of the picture that it is drawn on.
        text: written on a plate at its first point; empty for none.
        colour: ``#RRGGBB``.
        closed: whether the last point is joined to the first one.
    """

    points: Sequence[tuple[float, float]]
    text: str = ""
    colour: str = BLUE
    closed: bool = True


Mark = BoxMark | ShapeMark


@dataclass(frozen=True)
class _Pen:
    """Sizes that suit a picture, in pixels."""

    line: int
    text: int

    @property
    def rim(self) -> int:
        return max(1, self.line // 2)


def draw(
    picture: Picture,
    marks: Iterable[Mark],
    note: str = "",
    *,
    size: tuple[int, int] | None = None,
    enlarge: float = 1.0,
) -> Picture:
    """Return a copy of `picture` with marks drawn on it, later ones on top, texts above all lines.

    Marks beyond the picture are cut off at its edges; those wholly outside, and those with a coordinate that is not
    finite, are left out. Plates of texts are moved into the picture.

    Args:
        picture: height×width×3, uint8, blue green red; it is left as it is.
        marks: in pixels of `picture`.
        note: text for the lower left corner, such as the time.
        size: width and height in pixels to scale the picture to before anything is drawn.
        enlarge: factor for texts and lines, for pictures that will be displayed small.

    Returns:
        height×width×3, uint8, blue green red, of `size` if given.
    """
    height, width = picture.shape[:2]
    scale = (size[0] / width, size[1] / height) if size else (1.0, 1.0)
    image = resized(picture, size) if size and size != (width, height) else picture.copy()
    height, width = image.shape[:2]
    side = min(width, height) * enlarge
    pen = _Pen(max(MIN_LINE_PX, round(side * LINE_SHARE)), max(MIN_TEXT_PX, round(side * TEXT_SHARE)))
    placed = [found for found in (_placed(mark, scale, (width, height), pen) for mark in marks) if found]
    for mark in placed:
        if isinstance(mark, BoxMark):
            _draw_box(image, mark, pen)
        else:
            _draw_shape(image, mark, pen)
    for mark in placed:
        if mark.text and isinstance(mark, BoxMark):
            _draw_text(image, mark.text, mark.xyxy[:2], mark.colour, pen, below=mark.xyxy[3] + pen.rim + 1)
        elif mark.text and isinstance(mark, ShapeMark):
            _draw_text(image, mark.text, mark.points[0], mark.colour, pen)
    if note:
        _draw_text(image, note, (0, 2 * height), BLACK, pen)
    return image


def _placed(mark: Mark, scale: tuple[float, float], size: tuple[int, int], pen: _Pen) -> Mark | None:
    """Return `mark` in pixels of the image; None where nothing of it is to be drawn."""
    points = [mark.xyxy[:2], mark.xyxy[2:]] if isinstance(mark, BoxMark) else list(mark.points)
    if not points or not all(math.isfinite(value) for point in points for value in point):
        return None
    points = [(x * scale[0], y * scale[1]) for x, y in points]
    for axis in (0, 1):
        values = [point[axis] for point in points]
        if max(values) < 0 or min(values) >= size[axis]:
            return None
    if isinstance(mark, ShapeMark):
        return ShapeMark(points, mark.text, mark.colour, mark.closed)
    # edges far outside are moved to just outside: drawing them costs time, and their numbers may not fit into OpenCV's
    (x1, y1), (x2, y2) = points
    outside = 4 * pen.line
    left, right = (_clamped(value, outside, size[0]) for value in (x1, max(x1, x2)))
    top, bottom = (_clamped(value, outside, size[1]) for value in (y1, max(y1, y2)))
    return BoxMark((left, top, right, bottom), mark.text, mark.colour, mark.dashed)


def _clamped(value: float, outside: int, limit: int) -> int:
    return round(min(max(value, -outside), limit + outside))


def _draw_box(image: Picture, mark: BoxMark, pen: _Pen) -> None:
    x1, y1, x2, y2 = (round(value) for value in mark.xyxy)
    line, rim = pen.line, pen.rim
    if mark.dashed:
        # gaps of the shade that the colour itself is not, so that one of both stands out from whatever is behind
        _frame(image, (x1, y1, x2, y2), line, text_colour(mark.colour))
        for area in _dashes((x1, y1, x2, y2), line):
            _fill(image, area, mark.colour)
        return
    # a dark rim outside and a light one inside, for the same reason
    _frame(image, (x1 - rim, y1 - rim, x2 + rim, y2 + rim), rim, BLACK)
    _frame(image, (x1, y1, x2, y2), line, mark.colour)
    if min(x2 - x1, y2 - y1) > 4 * line:
        _frame(image, (x1 + line, y1 + line, x2 - line, y2 - line), rim, WHITE)


def _frame(image: Picture, corners: tuple[int, int, int, int], thickness: int, colour: str) -> None:
    """Draw a rectangle whose outermost pixels are `corners`, with its thickness inwards."""
    x1, y1, x2, y2 = corners
    across, down = min(thickness, x2 - x1 + 1), min(thickness, y2 - y1 + 1)
    _fill(image, (x1, y1, x2, y1 + down - 1), colour)
    _fill(image, (x1, y2 - down + 1, x2, y2), colour)
    _fill(image, (x1, y1, x1 + across - 1, y2), colour)
    _fill(image, (x2 - across + 1, y1, x2, y2), colour)


def _dashes(corners: tuple[int, int, int, int], line: int) -> Iterator[tuple[int, int, int, int]]:
    x1, y1, x2, y2 = corners
    length = DASH_LINES * line
    for start in range(x1, x2 + 1, 2 * length):
        end = min(start + length - 1, x2)
        yield start, y1, end, min(y1 + line - 1, y2)
        yield start, max(y2 - line + 1, y1), end, y2
    for start in range(y1, y2 + 1, 2 * length):
        end = min(start + length - 1, y2)
        yield x1, start, min(x1 + line - 1, x2), end
        yield max(x2 - line + 1, x1), start, x2, end


def _fill(image: Picture, corners: tuple[int, int, int, int], colour: str) -> None:
    """Fill the pixels from (x1, y1) to (x2, y2), both included, as far as they lie within the image."""
    x1, y1, x2, y2 = (max(0, value) for value in (corners[0], corners[1], corners[2] + 1, corners[3] + 1))
    image[y1:y2, x1:x2] = bgr(colour)


def _draw_shape(image: Picture, mark: ShapeMark, pen: _Pen) -> None:
    height, width = image.shape[:2]
    # OpenCV clips lines itself, but its coordinates are 32-bit numbers
    far = 100 * max(width, height)
    points = np.array([[min(max(value, -far), far) for value in point] for point in mark.points])
    path = [np.rint(points).astype(np.int32)]
    cv2.polylines(image, path, mark.closed, bgr(text_colour(mark.colour)), pen.line + 2 * pen.rim, cv2.LINE_AA)
    cv2.polylines(image, path, mark.closed, bgr(mark.colour), pen.line, cv2.LINE_AA)


def _draw_text(
    image: Picture, text: str, corner: tuple[float, float], colour: str, pen: _Pen, below: float | None = None
) -> None:
    """Write `text` on a plate that stands on `corner`, moved to where it is within the image.

    Where there is no room above, it goes `below` if that is given and there is room: it would hide what is small, and
    the heads of people.
    """
    height, width = image.shape[:2]
    text = _printable(text)
    font = cv2.FontFace(FONT)  # one per call: OpenCV does not promise that threads may share one
    left, _, text_width, _ = cv2.getTextSize((0, 0), text, (0, 0), font, pen.text, FONT_WEIGHT)
    pad = max(2, round(pen.text / 5))
    plate_width, plate_height = text_width + 2 * pad, round(pen.text * 1.1) + 2 * pad
    x = round(min(max(0, corner[0]), max(0, width - plate_width)))
    top = corner[1] - plate_height
    if top < 0 and below is not None and below + plate_height <= height:
        top = below
    y = round(min(max(0, top), max(0, height - plate_height)))
    plate = x, y, x + plate_width - 1, y + plate_height - 1
    _fill(image, plate, colour)
    _frame(image, plate, 1, WHITE if colour == BLACK else BLACK)
    # capital letters are 0.7 of the font's size high
    baseline = y + round(plate_height / 2 + 0.35 * pen.text)
    cv2.putText(image, text, (x + pad - left, baseline), bgr(text_colour(colour)), font, pen.text, FONT_WEIGHT)


def _printable(text: str) -> str:
    """Return `text` on one line, of a sane length, without lone surrogates, which OpenCV refuses."""
    line = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    return line if len(line) <= MAX_TEXT_CHARS else f"{line[: MAX_TEXT_CHARS - 1]}…"
