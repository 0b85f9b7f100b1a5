"""Draws ``camera_emulator/panel/letters.png``: the glyphs of the drawn panel, of the font that Pillow brings.

::

    python -m devtools.panel_letters
"""

from __future__ import annotations

import math
import sys

from PIL import Image, ImageDraw, ImageFont

from camera_emulator.panel.letters import CELL, COLUMNS, COUNT, FILE, FIRST, SIZE


def main() -> int:
    """Write the file; return the exit code."""
    width, height = CELL
    font = ImageFont.load_default(SIZE)
    sheet = Image.new("L", (COLUMNS * width, math.ceil(COUNT / COLUMNS) * height))
    draw = ImageDraw.Draw(sheet)
    for number in range(COUNT):
        row, column = divmod(number, COLUMNS)
        left, top = column * width, row * height
        character = chr(FIRST + number)
        draw.text((left, top), character, fill=255, font=font)
        advance = round(font.getlength(character))
        # its last column is the advance
        draw.line((left + width - 1, top, left + width - 1, top + height - 1), fill=0)
        draw.line((left + width - 1, top, left + width - 1, top + advance - 1), fill=255)
    sheet.save(FILE, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
