"""Cuts: where another scene begins, in edited footage or when a camera was turned elsewhere. Pure.

Two frames are of one scene when a part of one is found in the other: at the same place, where a fixed camera sees
something pass, or moved, where the camera itself moves. Structure is compared, at a small size and without slow changes
of brightness, by normalized correlation: a lamp that is switched on makes no other scene. A frame without structure
(dark, covered, blinded) is skipped; what follows is compared with the last one that has some.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture

WIDTH_PX, HEIGHT_PX = 96, 54
"""Size of the small picture."""
PRESCALE = 4
"""A large picture is first scaled to this multiple of the small one by single pixels, then averaged."""
BLUR_PX = 2.5
"""Standard deviation, in pixels of the small picture, of the blur whose result is taken out as brightness."""
MIN_STRUCTURE = 2.0
"""Standard deviation of what is left, in luma of 0..255, below which a picture shows nothing."""
MIN_SMOOTHNESS = 0.22
"""Correlation of pixels with their neighbours below which a picture shows nothing but the sensor's noise, as cameras at
night do: noise has 0, pictures of places 0.33 to 0.68. Two pictures of noise never match."""
COLUMNS, ROWS = 6, 4
"""Grid of parts that are compared at the same place."""
SAME_CORRELATION = 0.5
"""Correlation from which a part is the same; parts of unrelated pictures have 0 ± 0.15."""
SAME_SHARE = 0.2
"""Share of the parts with structure that make the scene the same: a lorry may hide the rest."""
PART_WIDTH_PX, PART_HEIGHT_PX = 40, 22
LEFTS_PX, TOPS_PX = (0, 28, 56), (0, 16, 32)
"""Nine larger parts that are searched for all over the other picture."""
FOUND_CORRELATION, CHANCE_CORRELATION = 0.4, 0.3
"""Correlation from which such a part is found, and the best that parts of unrelated pictures reach on average."""
ALIKE_PX = 4
"""Pixels by which the shifts of parts may differ that move together."""
MOVED_SUM = 0.6
"""Sum of the correlations above chance, over parts that move together, from which the scene is the same. A single part
may look like something else, an edge or a window among windows: pairs of unrelated pictures reached 0.52."""

Small = NDArray[np.float32]


class CutDetector:
    """Detects cuts in a sequence of pictures."""

    def __init__(self) -> None:
        self._before: Small | None = None

    def is_cut(self, picture: Picture) -> bool:
        """Return whether `picture` (blue green red) shows another scene than the one before."""
        small = structure(picture)
        if small.std() < MIN_STRUCTURE or smoothness(small) < MIN_SMOOTHNESS:
            return False
        before, self._before = self._before, small
        return before is not None and not same_scene(before, small)


def structure(picture: Picture) -> Small:
    """Return the structure of a picture: small, grey, without slow changes of brightness."""
    height, width = picture.shape[:2]
    if width > PRESCALE * WIDTH_PX and height > PRESCALE * HEIGHT_PX:
        # single pixels first: averaging all of a 4K picture would cost more than all the rest
        thin = cv2.resize(picture, (PRESCALE * WIDTH_PX, PRESCALE * HEIGHT_PX), interpolation=cv2.INTER_NEAREST)
        picture = np.asarray(thin, np.uint8)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), BLUR_PX), np.float32)


def smoothness(small: Small) -> float:
    """Return the correlation of the pixels of :func:`structure` with those beside and below them, -1..1."""
    products = (small[:, :-1] * small[:, 1:]).mean() + (small[:-1] * small[1:]).mean()
    return float(products / 2 / max(float((small**2).mean()), 1e-9))


def same_scene(before: Small, after: Small) -> bool:
    """Return whether two results of :func:`structure` show one scene."""
    return _same_in_place(before, after) or _moved(before, after)


def _same_in_place(before: Small, after: Small) -> bool:
    parts = [_parts(one) for one in (before, after)]
    centred = [part - part.mean(axis=1, keepdims=True) for part in parts]
    norms = [np.sqrt((part**2).sum(axis=1)) for part in centred]
    least = MIN_STRUCTURE * np.sqrt(parts[0].shape[1])
    structured = np.maximum(*norms) >= least
    if not structured.any():
        return False
    correlation = (centred[0] * centred[1]).sum(axis=1) / np.maximum(norms[0] * norms[1], 1e-6)
    return bool((correlation[structured] >= SAME_CORRELATION).mean() >= SAME_SHARE)


def _parts(small: Small) -> Small:
    height, width = HEIGHT_PX // ROWS, WIDTH_PX // COLUMNS
    whole = small[: ROWS * height, : COLUMNS * width]
    return whole.reshape(ROWS, height, COLUMNS, width).swapaxes(1, 2).reshape(ROWS * COLUMNS, -1)


def _moved(before: Small, after: Small) -> bool:
    """Return whether the larger parts of `after` are found in `before`, moved together."""
    found: list[tuple[int, int, float]] = []
    for top in TOPS_PX:
        for left in LEFTS_PX:
            part = after[top : top + PART_HEIGHT_PX, left : left + PART_WIDTH_PX]
            if part.std() < MIN_STRUCTURE:
                continue
            _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(before, part, cv2.TM_CCOEFF_NORMED))
            if best < FOUND_CORRELATION:
                continue
            found.append((x - left, y - top, best - CHANCE_CORRELATION))
            alike = (score for dx, dy, score in found if max(abs(x - left - dx), abs(y - top - dy)) <= ALIKE_PX)
            if sum(alike) >= MOVED_SUM:
                return True
    return False
