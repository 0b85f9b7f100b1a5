"""Boxes on pictures, by Pillow: readable on dark and light, one colour a track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from notebooks.lab.media.clip import Box
from notebooks.lab.plots.style import BLACK, GREY, SERIES
from shared_utils.media.picture import Picture

WHITE = "#FFFFFF"
LINE_SHARE = 1 / 260
"""Thickness of a box's line, of the picture's shorter side; 2 pixels at least."""
TEXT_SHARE = 1 / 34
"""Height of its text, likewise; 11 pixels at least."""
DASH = 4
"""Length of a dash, in thicknesses of the line."""
BRIGHT = 150
"""Luma of a colour from which text on it is black."""


def track_colour(track: int | None) -> str:
    """Return the colour of an object's box, always the same one; grey for boxes that belong to no object."""
    return GREY if track is None else SERIES[(track - 1) % len(SERIES)]


def text_colour(background: str) -> str:
    """Return black or white, whichever is readable on `background`."""
    red, green, blue = ImageColor.getrgb(background)[:3]
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue >= BRIGHT else WHITE


def caption_of(box: Box) -> str:
    """Return what stands at a box: label, score, and its object's number."""
    track = "" if box.track is None else f" #{box.track}"
    return f"{box.label}{track} {box.score:.2f}"


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return a size of these proportions and of even sides, as videos want them, of which none is above `side`."""
    share = min(1.0, side / max(width, height))
    return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)


def annotate(
    picture: Picture,
    boxes: Iterable[Box],
    note: str = "",
    *,
    size: tuple[int, int] | None = None,
    enlarge: float = 1.0,
) -> Image.Image:
    """Return a copy of `picture` (height×width×3, blue green red) with its boxes drawn.

    A box that was not seen in this very frame (see :class:`Box`) is dashed.

    Args:
        boxes: in pixels of `picture`.
        note: text for the lower left corner, such as the time.
        size: width and height to scale the picture to before anything is drawn.
        enlarge: factor for texts and lines, for pictures that will be shown small.
    """
    image = Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))
    scale = 1.0, 1.0
    if size and size != image.size:
        scale = size[0] / image.width, size[1] / image.height
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    draw = ImageDraw.Draw(image)
    side = min(image.size) * enlarge
    line = max(2, round(side * LINE_SHARE))
    font = _font(max(11, round(side * TEXT_SHARE)))
    # the best ones on top
    drawn = sorted((_scaled(box, scale) for box in boxes), key=lambda box: box.score)
    for box in drawn:
        _outline(draw, box, line)
    for box in drawn:
        colour = track_colour(box.track)
        _label(draw, (box.xyxy[0], box.xyxy[1]), caption_of(box), font, colour, image.size)
    if note:
        _label(draw, (0, image.size[1] + 10 * side), note, font, BLACK, image.size)
    return image


def _scaled(box: Box, scale: tuple[float, float]) -> Box:
    x1, y1, x2, y2 = box.xyxy
    return replace(box, xyxy=(x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1]))


def _outline(draw: ImageDraw.ImageDraw, box: Box, line: int) -> None:
    corners = [round(value) for value in box.xyxy]
    x1, y1, x2, y2 = corners[0], corners[1], max(corners[0], corners[2]), max(corners[1], corners[3])
    colour = track_colour(box.track)
    # a dark rim outside and a light one inside: one of both stands out from whatever is behind
    halo = max(1, line // 2)
    if not box.between:
        draw.rectangle((x1 - halo, y1 - halo, x2 + halo, y2 + halo), outline=BLACK, width=halo)
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=line)
        if min(x2 - x1, y2 - y1) > 4 * line:
            inner = (x1 + line, y1 + line, x2 - line, y2 - line)
            draw.rectangle(inner, outline=WHITE, width=halo)
        return
    # gaps of the shade that the colour itself is not, for the same reason
    draw.rectangle((x1, y1, x2, y2), outline=text_colour(colour), width=line)
    for dash in _dashes((x1, y1, x2, y2), DASH * line):
        draw.line(dash, fill=colour, width=line)


def _dashes(corners: tuple[int, int, int, int], length: int) -> Iterator[tuple[int, int, int, int]]:
    x1, y1, x2, y2 = corners
    for start in range(x1, x2, 2 * length):
        end = min(start + length, x2)
        yield from ((start, y1, end, y1), (start, y2, end, y2))
    for start in range(y1, y2, 2 * length):
        end = min(start + length, y2)
        yield from ((x1, start, x1, end), (x2, start, x2, end))


def _label(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    colour: str,
    size: tuple[int, int],
) -> None:
    """Write `text` on a plate that stands on `corner`, moved where it would leave the picture."""
    left, _, right, _ = draw.textbbox((0, 0), text, font=font, anchor="la")
    pad = max(2, round(font.size / 5))
    width, height = right - left + 2 * pad, round(font.size * 1.1) + 2 * pad
    x = min(max(0, round(corner[0])), max(0, size[0] - width))
    y = round(corner[1]) - height
    y = min(max(0, y), max(0, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=colour, outline=WHITE if colour == BLACK else BLACK)
    draw.text((x + pad - left, y + height / 2), text, font=font, fill=text_colour(colour), anchor="lm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # matplotlib's own copy of DejaVu: letters of most languages, wherever this runs
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf", size)
