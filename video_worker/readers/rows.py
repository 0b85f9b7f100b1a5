"""Orders the lines that were found in an area by rows, and joins what they say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import ArrayLike

from video_worker.readers.base import RawReading

SAME_ROW = 0.5
"""Part of their median height by which the middles of two lines may differ to stand in one row."""


def rows_of(boxes: ArrayLike) -> list[list[int]]:
    """Return the numbers of lines by row, rows from top to bottom and lines from left to right.

    Args:
        boxes: N×4×2, the corners of each line in pixels.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4, 2)
    if not len(corners):
        return []
    middles, lefts = corners[:, :, 1].mean(axis=1), corners[:, :, 0].min(axis=1)
    heights = np.ptp(corners[:, :, 1], axis=1)
    order = [int(number) for number in np.argsort(middles, kind="stable")]
    limit = SAME_ROW * median(heights)
    rows = [[order[0]]]
    for before, number in pairwise(order):
        if middles[number] - middles[before] < limit:
            rows[-1].append(number)
        else:
            rows.append([number])
    return [sorted(row, key=lambda number: float(lefts[number])) for row in rows]


def joined_rows(rows: Sequence[Sequence[RawReading]]) -> RawReading:
    """Return one reading of all rows, with a newline between them; it is as sure as its least sure line."""
    readable = [[line for line in row if line.text] for row in rows]
    text = "\n".join(" ".join(line.text for line in row) for row in readable if row)
    return RawReading(text, min((line.confidence for row in readable for line in row), default=0.0))
