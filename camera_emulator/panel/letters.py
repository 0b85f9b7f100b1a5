"""Printed text for the panel, from the glyphs in ``letters.png``, so that no font need be installed.

The glyphs are those of Aileron Regular (CC0), drawn by ``python -m devtools.panel_letters``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Coverage = npt.NDArray[np.uint8]
"""How much of each pixel is ink, 0..255: (height, width)."""

FILE = Path(__file__).with_name("letters.png")
FIRST, COUNT, COLUMNS = 32, 95, 16
"""Characters of the file in the order of ASCII, and how many are in a row."""
CELL = (76, 84)
"""Width and height of a cell, pixels; its last column tells the width of the glyph, as so many white pixels."""
SIZE = 64
"""Size of the font in the file, pixels; capital letters are 0.71 of it high."""
LINE_HEIGHT = CELL[1] / SIZE
"""Of a line of text, in sizes of its font."""


def write(text: str, size: float) -> Coverage:
    """Return a line of text, as high as :data:`LINE_HEIGHT` times `size` pixels and as wide as it needs."""
    glyphs = _glyphs()
    line = np.concatenate([glyphs[character] for character in text] or [np.zeros((CELL[1], 1), np.uint8)], axis=1)
    scale = size / SIZE
    wanted = max(1, round(line.shape[1] * scale)), max(1, round(line.shape[0] * scale))
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(line, wanted, interpolation=mode), np.uint8)


@cache
def _glyphs() -> dict[str, Coverage]:
    sheet = cv2.imread(str(FILE), cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        raise FileNotFoundError(FILE)
    width, height = CELL
    found = {}
    for number in range(COUNT):
        row, column = divmod(number, COLUMNS)
        cell = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        advance = int(np.count_nonzero(cell[:, -1]))
        found[chr(FIRST + number)] = np.asarray(cell[:, :advance], np.uint8)
    return found
