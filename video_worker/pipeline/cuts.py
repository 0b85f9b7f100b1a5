"""Where another scene begins: a cut in edited footage, or a camera that was turned to something else. Pure.

Two pictures are of one scene when a part of the one is found in the other, somewhere: at its place, where a fixed
camera sees something pass, or moved, where the camera itself moves. What is compared is structure, small and with slow
changes of brightness taken out, by normalized correlation: a lamp that is switched on makes no other scene. A picture
without structure (dark, covered, blinded) says nothing; what follows is compared with the last one that has some.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture

WIDTH, HEIGHT = 96, 54
"""Pixels of the small picture."""
THIN = 4
"""Rows and columns of a large picture that are averaged into one of the small one."""
SMOOTH = 2.5
"""Standard deviation, pixels of the small picture, of the blur whose result is taken out as brightness."""
STRUCTURE = 2.0
"""Standard deviation of what is left, in luma of 0..255, below which a picture shows nothing."""
GRAIN = 0.22
"""Correlation of pixels with their neighbours below which a picture shows nothing but the sensor's noise, as cameras at
night do: noise has 0, pictures of places 0.33 to 0.68. Two pictures of noise are never alike."""
COLUMNS, ROWS = 6, 4
"""Parts that are looked for at their place."""
SAME = 0.5
"""Correlation from which a part is the same; parts of unrelated pictures have 0 ± 0.15."""
SAME_SHARE = 0.2
"""Share of the parts with structure that make the scene the same: a lorry may hide the rest."""
PART_WIDTH, PART_HEIGHT = 40, 22
LEFTS, TOPS = (0, 28, 56), (0, 16, 32)
"""Pixels: nine larger parts that are looked for all over the other picture."""
FOUND, CHANCE = 0.4, 0.3
"""Correlation from which such a part is found, and the best that parts of unrelated pictures have in the mean."""
TOGETHER = 4
"""Pixels by which the moves of parts may differ that are said to move alike."""
ENOUGH = 0.6
"""Sum of what parts that move alike have above chance, from which the scene is the same. One part alone may look like
something else, an edge or a window among windows: pairs of unrelated pictures reached 0.52."""

Small = NDArray[np.float32]


class CutFinder:
    """Tells which of the pictures it is shown begin another scene."""

    def __init__(self) -> None:
        self._before: Small | None = None

    def is_cut(self, picture: Picture) -> bool:
        """Return whether `picture` (blue green red) shows another scene than the one before."""
        small = structure(picture)
        if small.std() < STRUCTURE or smoothness(small) < GRAIN:
            return False
        before, self._before = self._before, small
        return before is not None and not same_scene(before, small)


def structure(picture: Picture) -> Small:
    """Return a small picture of structure alone."""
    height, width = picture.shape[:2]
    if width > THIN * WIDTH and height > THIN * HEIGHT:
        # single pixels first: to average over all of a 4K picture would cost more than all the rest
        thin = cv2.resize(picture, (THIN * WIDTH, THIN * HEIGHT), interpolation=cv2.INTER_NEAREST)
        picture = np.asarray(thin, np.uint8)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small - cv2.GaussianBlur(small, (0, 0), SMOOTH), np.float32)


def smoothness(small: Small) -> float:
    """Return how much pixels of :func:`structure` are like the ones beside and below them, -1..1."""
    products = (small[:, :-1] * small[:, 1:]).mean() + (small[:-1] * small[1:]).mean()
    return float(products / 2 / max(float((small**2).mean()), 1e-9))


def same_scene(before: Small, after: Small) -> bool:
    """Return whether two pictures of :func:`structure` show one scene."""
    return _same_in_place(before, after) or _moved(before, after)


def _same_in_place(before: Small, after: Small) -> bool:
    parts = [_parts(one) for one in (before, after)]
    centred = [part - part.mean(axis=1, keepdims=True) for part in parts]
    norms = [np.sqrt((part**2).sum(axis=1)) for part in centred]
    least = STRUCTURE * np.sqrt(parts[0].shape[1])
    structured = np.maximum(*norms) >= least
    if not structured.any():
        return False
    correlation = (centred[0] * centred[1]).sum(axis=1) / np.maximum(norms[0] * norms[1], 1e-6)
    return bool((correlation[structured] >= SAME).mean() >= SAME_SHARE)


def _parts(small: Small) -> Small:
    height, width = HEIGHT // ROWS, WIDTH // COLUMNS
    whole = small[: ROWS * height, : COLUMNS * width]
    return whole.reshape(ROWS, height, COLUMNS, width).swapaxes(1, 2).reshape(ROWS * COLUMNS, -1)


def _moved(before: Small, after: Small) -> bool:
    """Return whether the larger parts of `after` are in `before` as well, moved alike."""
    found: list[tuple[int, int, float]] = []
    for top in TOPS:
        for left in LEFTS:
            part = after[top : top + PART_HEIGHT, left : left + PART_WIDTH]
            if part.std() < STRUCTURE:
                continue
            _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(before, part, cv2.TM_CCOEFF_NORMED))
            if best < FOUND:
                continue
            found.append((x - left, y - top, best - CHANCE))
            alike = (worth for dx, dy, worth in found if max(abs(x - left - dx), abs(y - top - dy)) <= TOGETHER)
            if sum(alike) >= ENOUGH:
                return True
    return False
