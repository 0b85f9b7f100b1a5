"""Lays a display out: where its lit and dark segments are, in units of a digit's height."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from video_worker.readers.seven_segment_model.segments import (
    ACROSS,
    KINDS,
    LIT,
    OTHER_FORMS,
    Points,
    Style,
    dot,
    lean,
    outlines,
)

SEGMENTS = "abcdefg"


@dataclass(frozen=True)
class Cell:
    """One place of a display.

    Attributes:
        symbol: what it says, with its point: ``7.``, ``-``, ``:``; empty where it is dark.
        left: of the place.
        right: of the place.
        top: of the place; more than 0 where decimals are smaller.
        lit: outlines of what is lit.
        dark: outlines of what could be lit.
        odd: outlines that are lit faintly: what is left of another digit while it changes.
    """

    symbol: str
    left: float
    right: float
    top: float
    lit: list[Points]
    dark: list[Points]
    odd: list[Points]


def random_style(rng: np.random.Generator) -> Style:
    """Return one of the ways in which makers draw digits."""
    kind = KINDS[int(rng.choice(len(KINDS), p=[0.38, 0.22, 0.12, 0.12, 0.16]))]
    stroke = float(rng.uniform(0.055, 0.2))
    gap = float(rng.choice([0.0, rng.uniform(0.005, 0.02), rng.uniform(0.02, 0.05)], p=[0.2, 0.5, 0.3]))
    if kind == "rounded" and rng.random() < 0.4:
        gap = -stroke / 2  # strokes that run round the corners
    slant = float(rng.choice([0.0, rng.uniform(0.03, 0.22)], p=[0.35, 0.65]))
    return Style(kind, float(rng.uniform(0.42, 0.72)), stroke, gap, float(rng.uniform(0, 0.5)), slant)


def _shapes(whole: Points, style: Style, dots: int) -> list[list[Points]]:
    """Return the outlines of each segment: one, or so many dots along its middle."""
    if not dots:
        return [[outline] for outline in whole]
    middle = len(ACROSS) // 2
    ends = [(outline[middle], outline[-middle - 1]) for outline in whole]
    size = style.stroke * 0.9
    shares = np.linspace(0.08, 0.92, dots)[:, np.newaxis]
    return [[dot(x, y, size, 8) for x, y in a + shares * (b - a)] for a, b in ends]


class Layout:
    """Places the cells of a text one after the other.

    Args:
        rng: decides on everything.
        text: what the display says; a space is a dark cell.
        style: of the segments.
    """

    def __init__(self, rng: np.random.Generator, text: str, style: Style) -> None:
        self._rng = rng
        self._style = style
        self._outlines = _shapes(outlines(style), style, int(rng.integers(3, 6)) if rng.random() < 0.05 else 0)
        self._spacing = float(rng.uniform(0.1, 0.42)) * style.width + style.stroke * 0.3
        self._dot_size = min(float(rng.uniform(0.75, 1.35)) * style.stroke, self._spacing * 1.1)
        self._dot_size = max(self._dot_size, 0.065)
        self._dot_corners = int(rng.choice([4, 10]))
        self._dot_y = 1 - self._dot_size / 2 + float(rng.choice([0.0, rng.uniform(0, 0.06)]))
        self._dot_share = float(rng.uniform(0.4, 0.75))
        self._room_for_dots = float(rng.choice([0.0, self._dot_size * 1.2], p=[0.75, 0.25]))
        self._forms = {symbol: form for symbol, form in OTHER_FORMS.items() if rng.random() < 0.25}
        self._cell_dots = rng.random() < 0.6
        self.cells: list[Cell] = []
        self.width = 0.0
        small_from = len(text)
        if "." in text and rng.random() < 0.08:
            small_from = text.index(".") + 1
        small = float(rng.uniform(0.6, 0.85))
        for index, symbol in enumerate(text):
            if symbol == ".":
                continue
            scale = small if index >= small_from else 1.0
            self._place(symbol, point=text[index + 1 : index + 2] == ".", scale=scale)

    @property
    def slant(self) -> float:
        """How far the upper end of a digit leans over its lower one."""
        return self._style.slant

    def _place(self, symbol: str, *, point: bool, scale: float) -> None:
        if symbol == ":":
            self._place_colon()
            return
        origin = np.array([self.width, 1 - scale])
        on = self._segments(symbol)
        lit, dark = (
            [origin + scale * shape for shape in self._chosen(segments)]
            for segments in (on, "".join(segment for segment in SEGMENTS if segment not in on))
        )
        end = self.width + scale * self._style.width
        x = end + self._dot_share * (self._spacing + point * self._room_for_dots)
        shape = lean(dot(x, self._dot_y, self._dot_size, self._dot_corners), self._style)
        if point:
            lit.append(shape)
        elif self._cell_dots:
            dark.append(shape)
        says = (symbol.strip() + "." * point).strip()
        right = x + self._dot_size / 2 if point else end
        self.cells.append(Cell(says, self.width, right, 1 - scale, lit, dark, []))
        self.width = end + self._spacing + point * self._room_for_dots

    def _place_colon(self) -> None:
        room = float(self._rng.uniform(0.2, 0.4))
        x = self.width - self._spacing / 2 + room / 2
        places = [0.5 - room * 0.55, 0.5 + room * 0.55]
        shapes = [lean(dot(x, y, self._dot_size * 1.1, self._dot_corners), self._style) for y in places]
        half = self._dot_size / 2
        self.cells.append(Cell(":", x - half, x + half, 0.0, shapes, [], []))
        self.width += room

    def _segments(self, symbol: str) -> str:
        return self._forms.get(symbol, LIT[symbol])

    def _chosen(self, segments: str) -> list[Points]:
        return [shape for segment in segments for shape in self._outlines[SEGMENTS.index(segment)]]

    def overlay(self, number: int, symbol: str) -> None:
        """Draw another digit over a cell, as a camera sees one that changes within a frame."""
        cell = self.cells[number]
        extra = [np.array([cell.left, 0.0]) + shape for shape in self._chosen(LIT[symbol])]
        self.cells[number] = replace(cell, odd=extra)
