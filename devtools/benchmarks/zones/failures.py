"""Pictures of what was not read right, as sheets: the zone, and below it the truth and what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

CELL = (360, 130)
CAPTION_PX = 34
COLUMNS, ROWS = 4, 10
MOST = COLUMNS * ROWS
"""Failures per sheet; of more, the first ones are shown."""


@dataclass(frozen=True)
class Failure:
    """A look that was not exact: the zone's picture, and two lines about it."""

    picture: Image
    truth: str
    found: str


def write_sheet(failures: Sequence[Failure], path: Path) -> None:
    """Write a sheet; none where nothing failed."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    cells = [_cell(failure) for failure in failures[:MOST]]
    blank = np.full_like(cells[0], 245)
    cells += [blank] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[begin : begin + COLUMNS]) for begin in range(0, len(cells), COLUMNS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def _cell(failure: Failure) -> Image:
    width, height = CELL
    cell = np.full((height, width, 3), 245, np.uint8)
    room = height - CAPTION_PX - 6
    scale = min((width - 8) / failure.picture.shape[1], room / failure.picture.shape[0])
    size = max(1, round(failure.picture.shape[1] * scale)), max(1, round(failure.picture.shape[0] * scale))
    picture = cv2.resize(failure.picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    cell[4 : 4 + size[1], 4 : 4 + size[0]] = picture
    for line, text in enumerate((failure.truth, failure.found)):
        where = 5, height - CAPTION_PX + 12 + 15 * line
        cv2.putText(cell, _ascii(text), where, cv2.FONT_HERSHEY_SIMPLEX, 0.40, (20, 20, 20), 1, cv2.LINE_AA)
    return cell


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
