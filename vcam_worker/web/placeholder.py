"""Draws the placeholder for a camera without a picture: what is wrong, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np

from vcam_worker.runtime.health import Trouble

Colour = tuple[int, int, int]

# blue, green, red
_BACKGROUND: Colour = (36, 29, 26)
_BRIGHT: Colour = (245, 243, 242)
_DIM: Colour = (178, 166, 158)
_ALERT: Colour = (66, 139, 245)

_ELLIPSIS = "…"


@dataclass(frozen=True)
class Drawing:
    """What to draw; hashable, as the key of a cache.

    Attributes:
        camera: its name.
        display_url: its URL, masked.
        trouble: what is wrong.
        size: width and height, pixels.
        quality: of the JPEG, 0..100.
    """

    camera: str
    display_url: str
    trouble: Trouble
    size: tuple[int, int]
    quality: int


@dataclass(frozen=True)
class _Block:
    text: str
    size: int
    weight: int
    colour: Colour
    lines: int = 1
    space: float = 1.35


def draw(drawing: Drawing) -> bytes:
    """Return the picture as a JPEG."""
    width, height = drawing.size
    image = np.full((height, width, 3), _BACKGROUND, np.uint8)
    font = cv2.FontFace("sans")  # comes with OpenCV; one per call, as its thread safety is not documented
    unit = min(width / 46, height / 22)
    left, right = round(2.2 * unit), width - round(1.5 * unit)
    blocks = _blocks(drawing, unit)
    rows = [(block, line) for block in blocks for line in _wrap(font, block, right - left)]
    top = (height - sum(block.size * block.space for block, _ in rows)) / 2
    cv2.rectangle(image, (0, 0), (max(1, round(0.5 * unit)), height), _ALERT, cv2.FILLED)
    for block, line in rows:
        top += block.size * block.space
        cv2.putText(image, line, (left, round(top - 0.35 * block.size)), block.colour, font, block.size, block.weight)
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, drawing.quality])
    if not done:
        raise ValueError(f"no JPEG of {width}x{height} at quality {drawing.quality}")
    return jpeg.tobytes()


def _blocks(drawing: Drawing, unit: float) -> list[_Block]:
    trouble = drawing.trouble
    small = max(5, round(1.3 * unit))
    blocks = [
        _Block(drawing.camera, round(1.5 * small), 500, _DIM),
        _Block(trouble.what, round(2.8 * small), 700, _ALERT),
        _Block(trouble.reason, round(1.25 * small), 400, _BRIGHT, lines=3),
    ]
    if trouble.since:
        since = datetime.fromtimestamp(trouble.since).astimezone().strftime("since %Y-%m-%d %H:%M:%S")
        blocks.append(_Block(since, small, 400, _DIM, space=1.9))
    blocks.append(_Block(drawing.display_url, small, 400, _DIM))
    return blocks


def _wrap(font: cv2.FontFace, block: _Block, width: int) -> list[str]:
    """Return the block's text in lines that are at most `width` pixels wide; what does not fit ends in an ellipsis."""

    def fits(text: str) -> bool:
        return cv2.getTextSize((0, 0), text, (0, 0), font, block.size, block.weight)[2] <= width

    lines = [""]
    for word in block.text.split():
        longer = f"{lines[-1]} {word}".strip()
        if fits(longer):
            lines[-1] = longer
        elif len(lines) < block.lines and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
            break
    while lines[-1] and not fits(lines[-1]):
        lines[-1] = lines[-1].rstrip(_ELLIPSIS)[:-1].rstrip() + _ELLIPSIS
        if lines[-1] == _ELLIPSIS:
            break
    return lines
