"""The shapes of segments: seven outlines per style, and which of them each symbol lights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Kind = Literal["mitred", "pointed", "across", "between", "rounded"]
KINDS: tuple[Kind, ...] = ("mitred", "pointed", "across", "between", "rounded")

LIT = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
    "8": "abcdefg", "9": "abcdfg", "-": "g", " ": "", "C": "afed", "E": "afged", "F": "afge", "H": "fbceg",
    "L": "fed", "P": "abfge", "n": "ceg", "o": "cdeg", "r": "eg",
}  # fmt: skip
"""Segments of each symbol: a is the top one, b to f follow clockwise, g is the middle one."""
OTHER_FORMS = {"6": "fgedc", "7": "fabc", "9": "abcfg"}
"""Some makers leave out the tail of a 6 or 9, or give the 7 a stroke more."""
ACROSS = np.array([-1.0, -0.6, 0.0, 0.6, 1.0])
"""Where an end of a segment has its points: from the outer edge to the inner one."""


@dataclass(frozen=True)
class Style:
    """How the segments of a display are drawn. Lengths are shares of a digit's height.

    Attributes:
        kind: shape of the ends.
        width: of a digit.
        stroke: thickness of the segments.
        gap: between neighbouring segments.
        bevel: how much of the outer corners is cut off, as a share of the stroke.
        slant: tangent of the angle by which digits lean to the right.
    """

    kind: Kind
    width: float
    stroke: float
    gap: float
    bevel: float
    slant: float


def _ends(style: Style) -> tuple[Points, Points, Points, Points]:
    """Return how far ends stay away, at ACROSS: horizontal, vertical at a corner, vertical at the middle, and g."""
    t, gap = style.stroke, style.gap
    zero = np.zeros_like(ACROSS)
    inwards = (ACROSS + 1) / 2 * t
    tip = np.abs(ACROSS) * t / 2
    if style.kind == "mitred":
        corner = gap + inwards
        corner[0] += style.bevel * t
        return corner, corner, gap + inwards / 2, t / 2 + gap + tip
    if style.kind == "pointed":
        corner = t / 2 + gap + tip
        return corner, corner, gap + tip, corner
    if style.kind == "across":
        return zero + style.bevel * t * (ACROSS < -0.9), zero + t + gap, zero + t / 2 + gap, zero
    if style.kind == "between":
        return zero + t + gap, zero + style.bevel * t * (ACROSS < -0.9), zero + gap / 2, zero + t + gap
    cap = t / 2 * (1 - np.sqrt(1 - ACROSS**2))
    return t / 2 + gap + cap, t / 2 + gap + cap, gap / 2 + cap, t / 2 + gap + cap


def _horizontal(edge: float, direction: float, ends: Points, style: Style) -> Points:
    """Outline of a horizontal bar whose outer edge lies at `edge` and which grows in `direction`."""
    y = edge + direction * (ACROSS + 1) / 2 * style.stroke
    left, right = np.stack([ends, y], 1), np.stack([style.width - ends, y], 1)
    return np.concatenate([left, right[::-1]])


def _upper_left(corner: Points, middle: Points, style: Style) -> Points:
    x = (ACROSS + 1) / 2 * style.stroke
    top, bottom = np.stack([x, corner], 1), np.stack([x, 0.5 - middle], 1)
    return np.concatenate([top, bottom[::-1]])


def outlines(style: Style) -> Points:
    """Return the outlines of segments a to g, 7×10×2: x from 0 to the width, y from 0 (top) to 1, leaning as asked."""
    horizontal, vertical, middle, centre = _ends(style)
    f = _upper_left(vertical, middle, style)
    mirror_x = np.array([style.width, 0.0]), np.array([-1.0, 1.0])
    mirror_y = np.array([0.0, 1.0]), np.array([1.0, -1.0])
    b = mirror_x[0] + mirror_x[1] * f
    e = mirror_y[0] + mirror_y[1] * f
    c = mirror_y[0] + mirror_y[1] * b
    a = _horizontal(0.0, 1.0, horizontal, style)
    d = _horizontal(1.0, -1.0, horizontal, style)
    g = _horizontal(0.5 - style.stroke / 2, 1.0, centre, style)
    return lean(np.stack([a, b, c, d, e, f, g]), style)


def lean(points: Points, style: Style) -> Points:
    """Return points moved to the right the more the higher they lie."""
    leaning = points.copy()
    leaning[..., 0] += (1 - points[..., 1]) * style.slant
    return leaning


def dot(x: float, y: float, size: float, corners: int) -> Points:
    """Return the outline of a point of a display around x and y; 4 corners are a square, more are round."""
    angles = np.pi / corners + np.arange(corners) * 2 * np.pi / corners
    radius = size / 2 * (np.sqrt(2) if corners == 4 else 1.0)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
