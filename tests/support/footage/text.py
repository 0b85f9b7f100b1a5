"""Pictures with text in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shared_utils.media.picture import Picture

MARGIN = 0.3
"""Around the text, in heights of it."""


def text_picture(lines: str | Sequence[str], height_px: int = 36, ink: int = 20, paper: int = 230) -> Picture:
    """Return a picture that one or several lines of text fill, height×width×3.

    Args:
        lines: from top to bottom.
        height_px: of the letters, with what hangs below them.
        ink, paper: grey values.
    """
    rows = [lines] if isinstance(lines, str) else list(lines)
    font = ImageFont.load_default(height_px)
    margin, step = round(MARGIN * height_px), round(1.5 * height_px)
    width = max(round(font.getlength(row)) for row in rows) + 2 * margin
    image = Image.new("L", (width, step * (len(rows) - 1) + round(1.2 * height_px) + 2 * margin), paper)
    draw = ImageDraw.Draw(image)
    for number, row in enumerate(rows):
        draw.text((margin, margin + number * step), row, font=font, fill=ink)
    return np.ascontiguousarray(np.repeat(np.asarray(image, np.uint8)[:, :, None], 3, axis=2))
