"""Tells which of several pages a display shows, by their reference pictures; hysteresis against transitions.

Displays are compared small, after local normalisation, so that light, glare and noise hardly matter. The score is their
normalised correlation, at the best of some small shifts. Pages of one device look alike: what tells two of them apart
counts by how much they differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_utils.media.picture import Picture
from shared_utils.media.warp import Corners, Warp, rectangle_size

SIDE_PX, LEAST_PX = 192, 24
"""Longer and least side of the pictures that are compared, pixels."""
SHIFT_PX = 4
"""Shift within which they are compared, pixels: a camera that trembles."""
SPARE = 2
"""How many times larger a part of a frame is that is warped to that size, so that fine lines are averaged."""
LIGHT_PX, NOISE = 19, 6.0
"""Window of the local normalisation, and grey levels of contrast that count as nothing."""
FLAT = 0.05
"""Spread of an evenly lit display below which nothing is on it: noise has less."""
SAME = 0.98
"""Correlation of two reference pictures from which nobody can tell them apart."""
CLEAR, WEAK = 0.5, 0.15
"""Margin from which a page is displayed at once, and from which it is if the next look agrees: 1 where a page is
exactly as its reference, 0 halfway between two of them."""
NOTHING = 0.15
"""Score below which a display looks like no page at all, such as a dark one: another picture has less than 0.1."""
LOOKS = 2
"""How many looks have to agree where one does not decide."""

Small = NDArray[np.float32]
Hidden = NDArray[np.bool_]


def small_size(corners: Corners, picture_size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height in pixels at which a display is compared.

    Args:
        corners: of the display, 0..1 of the picture.
        picture_size: of the picture, pixels.

    Raises:
        ValueError: the corners form no rectangle seen from somewhere.
    """
    width, height = rectangle_size(corners, picture_size)
    share = SIDE_PX / max(width, height)
    return max(LEAST_PX, round(width * share)), max(LEAST_PX, round(height * share))


def small_display(picture: Picture, corners: Corners, size: tuple[int, int]) -> Small:
    """Return a display as it is compared, height×width, evenly lit, around 0.

    Args:
        picture: height×width×3, blue green red.
        corners: of the display, 0..1 of the picture.
        size: width and height of the result, pixels.

    Raises:
        ValueError: the corners form no rectangle seen from somewhere.
    """
    height, width = picture.shape[:2]
    full = rectangle_size(corners, (width, height))
    xs, ys = [x * width for x, _ in corners], [y * height for _, y in corners]
    left, right = max(0, math.floor(min(xs))), min(width, math.ceil(max(xs)))
    top, bottom = max(0, math.floor(min(ys))), min(height, math.ceil(max(ys)))
    if right - left < 2 or bottom - top < 2:
        raise ValueError("the display is outside the picture")
    share = min(1.0, SPARE * max(size[0] / full[0], size[1] / full[1]))
    part = cv2.cvtColor(picture[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    reduced = max(2, round((right - left) * share)), max(2, round((bottom - top) * share))
    part = cv2.resize(part, reduced, interpolation=cv2.INTER_AREA)
    placed = [((x - left) / (right - left), (y - top) / (bottom - top)) for x, y in zip(xs, ys, strict=True)]
    return evenly_lit(Warp(placed, reduced, size).apply(np.asarray(part, np.uint8)))


def evenly_lit(grey: Picture) -> Small:
    """Return a grey picture whose brightness and contrast are the same everywhere, around 0."""
    values = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32)
    window = (LIGHT_PX, LIGHT_PX)
    mean = cv2.blur(values, window)
    spread = np.sqrt(np.maximum(cv2.blur(values * values, window) - mean * mean, 0))
    return np.asarray((values - mean) / (spread + NOISE), np.float32)


def is_flat(display: Small) -> bool:
    """Return whether nothing is on a display that could be recognised."""
    return float(display.std()) < FLAT


@dataclass(frozen=True)
class Match:
    """What a display shows.

    Attributes:
        page: the page that is most like it.
        score: their correlation, -1..1.
        margin: by how much it is that page and no other, up to about 1.
        scores: correlation with every page.
    """

    page: str
    score: float
    margin: float
    scores: Mapping[str, float]


class PageMatcher:
    """Compares a display with the reference pictures of its pages.

    Args:
        references: a small display (see :func:`small_display`) by name of the page; all of one size.
        hidden: what does not count, height×width; see :func:`hidden_part`. None where all counts.

    Attributes:
        alike: pairs of pages that nobody can tell apart.
    """

    def __init__(self, references: Mapping[str, Small], hidden: Hidden | None = None) -> None:
        self._hidden = hidden
        references = {name: self._visible(one) for name, one in references.items()}
        inner = slice(SHIFT_PX, -SHIFT_PX)
        self._templates = {name: np.ascontiguousarray(one[inner, inner]) for name, one in references.items()}
        names = list(references)
        self._likeness = {
            (one, other): max(
                _score(self._templates[one], references[other]), _score(self._templates[other], references[one])
            )
            for number, one in enumerate(names)
            for other in names[:number]
        }
        self.alike = [pair for pair, likeness in self._likeness.items() if likeness >= SAME]

    def match(self, display: Small) -> Match | None:
        """Return what a display shows; None without any pages."""
        shown = self._visible(display)
        scores = {name: _score(template, shown) for name, template in self._templates.items()}
        if not scores:
            return None
        best = max(scores, key=lambda name: scores[name])
        margins = [
            (scores[best] - score) / (1 - min(self._alike(best, name), SAME))
            for name, score in scores.items()
            if name != best
        ]
        return Match(best, scores[best], min([1.0, *margins]), scores)

    def _visible(self, display: Small) -> Small:
        return display if self._hidden is None else np.where(self._hidden, np.float32(0), display)

    def _alike(self, one: str, other: str) -> float:
        found = self._likeness.get((one, other))
        return self._likeness[other, one] if found is None else found


class PageState:
    """Decides from look to look which page is displayed.

    Args:
        min_scores: score from which each page counts, by its name.
        patient: whether two looks have to agree that no page is displayed, however clear that is: where much depends on
            it, a frame that is damaged must not matter.

    Attributes:
        page: the page that is displayed; None for none of them.
    """

    def __init__(self, min_scores: Mapping[str, float], *, patient: bool) -> None:
        self._patient = patient
        self._min_scores = min_scores
        self.page: str | None = None
        self._next: str | None = None
        self._looks = 0

    @property
    def is_undecided(self) -> bool:
        """Whether the next look decides what is displayed."""
        return self._looks > 0

    def resume(self, page: str | None) -> None:
        """Go on with a page that was displayed before; one that is not there any more is none."""
        self.page = page if page in self._min_scores else None

    def update(self, match: Match | None) -> str | None:
        """Take a look; return the page that is displayed, None for none of them."""
        if match is not None and self.page not in match.scores:
            # its reference picture is not there any more
            self.page = None
        found, is_clear = self._judged(match)
        if found == self.page:
            self._looks = 0
            return self.page
        self._looks = self._looks + 1 if found == self._next else 1
        self._next = found
        if is_clear or self._looks >= LOOKS:
            self.page, self._looks = found, 0
        return self.page

    def _judged(self, match: Match | None) -> tuple[str | None, bool]:
        """Return what a look says, and whether it decides by itself."""
        if match is None:
            return None, True
        if match.score < self._min_scores[match.page]:
            return None, match.score < NOTHING and not self._patient
        if match.page == self.page:
            return self.page, True
        if match.margin >= WEAK:
            return match.page, match.margin >= CLEAR
        # between two pages: what was there stays, if it is one of them
        is_there = self.page is not None and match.scores[self.page] >= self._min_scores[self.page]
        return (self.page if is_there else None), False


def hidden_part(polygons: Sequence[Sequence[Sequence[float]]], corners: Corners, size: tuple[int, int]) -> Hidden:
    """Return which pixels of a display are in polygons, height×width.

    Args:
        polygons: 0..1 of the picture, such as those of numbers on the display.
        corners: of the display, 0..1 of the picture.
        size: width and height of the result, pixels.
    """
    width, height = size
    ends = np.array([(0, 0), (width, 0), size, (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(np.array(corners, np.float32), ends)
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        placed = cv2.perspectiveTransform(np.array(polygon, np.float32).reshape(-1, 1, 2), matrix)
        cv2.fillPoly(mask, [np.round(np.asarray(placed).reshape(-1, 2)).astype(np.int32)], (1,))
    return np.asarray(mask > 0, np.bool_)


def _score(template: Small, display: Small) -> float:
    """Return the correlation of a template with a display, at the shift where it is greatest."""
    if is_flat(template) or is_flat(display):
        # OpenCV's correlation with nothing is 1, or no number
        return 0.0
    return float(cv2.matchTemplate(display, template, cv2.TM_CCOEFF_NORMED).max())
