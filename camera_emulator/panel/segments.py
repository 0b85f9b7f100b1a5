"""Digits of seven-segment displays as shapes: several outlines, slants and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Points = list[tuple[float, float]]

DIGITS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
    "8": "abcdefg", "9": "abcdfg", "-": "g", " ": "",
}  # fmt: skip
_SUBPIXEL = 4  # fractional bits of OpenCV's drawing coordinates


@dataclass(frozen=True)
class DigitLook:
    """How a display's digits look.

    Attributes:
        outline: ends of the segments: cut at an angle, pointed, or round.
        stroke: width of a segment, in widths of a digit.
        gap: between segments, in widths of a digit.
        slant: by how much a digit leans to the right, in widths per height.
        aspect: height of a digit in its widths.
        hooked_seven: the 7 has its upper left segment lit as well.
        pitch: from one digit to the next, in widths of a digit.
    """

    outline: Literal["mitred", "pointed", "round"]
    stroke: float
    gap: float
    slant: float
    aspect: float
    hooked_seven: bool
    pitch: float


def cells_of(text: str) -> list[tuple[str, bool]]:
    """Return each digit of a text, with whether a point follows it."""
    found: list[tuple[str, bool]] = []
    for character in text:
        if character == ".":
            found[-1] = (found[-1][0], True)
        else:
            found.append((character, False))
    return found


def masks(text: str, cells: int, height: int, look: DigitLook) -> tuple[Mask, Mask]:
    """Return what is lit of a display, and all of its segments.

    Args:
        text: digits, ``-``, spaces and points; on the right side of the display.
        cells: digits that the display has.
        height: of a digit, pixels.
        look: of the digits.

    Returns:
        two arrays 0..255 of one shape, with half a stroke of room around the digits.
    """
    unit = height / look.aspect
    edge = unit * look.stroke
    lean = abs(look.slant) * height
    width = round(unit * (1 + (cells - 1) * look.pitch) + 2 * edge + lean + 2.2 * edge)
    shape = (round(height + 2 * edge), width)
    lit, every = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    shown = cells_of(text)
    shown = [(" ", False)] * (cells - len(shown)) + shown
    for number, (character, point) in enumerate(shown):
        left = edge + number * unit * look.pitch
        names = DIGITS[character] + ("f" if character == "7" and look.hooked_seven else "")
        for name in "abcdefg":
            points = _lean(_segment(name, unit, height, look, left, edge), height, look, edge)
            _fill(every, points)
            if name in names:
                _fill(lit, points)
        between = unit * (look.pitch - 1)
        dot = _lean([(left + unit + between / 2, edge + height)], height, look, edge)[0]
        radius = min(0.62 * edge, 0.27 * between)
        for mask in (every, lit) if point else (every,):
            centre = (round(dot[0] * 16), round((dot[1] - radius) * 16))
            cv2.circle(mask, centre, round(radius * 16), 255, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL)
    return lit, every


def _segment(name: str, unit: float, height: float, look: DigitLook, left: float, top: float) -> Points:
    half, gap = unit * look.stroke / 2, unit * look.gap
    x0, x1 = left + half, left + unit - half
    y0, y1, y2 = top + half, top + height / 2, top + height - half
    ends = {
        "a": ((x0, y0), (x1, y0)), "b": ((x1, y0), (x1, y1)), "c": ((x1, y1), (x1, y2)), "d": ((x0, y2), (x1, y2)),
        "e": ((x0, y1), (x0, y2)), "f": ((x0, y0), (x0, y1)), "g": ((x0, y1), (x1, y1)),
    }[name]  # fmt: skip
    (ax, ay), (bx, by) = ends
    if look.outline == "mitred" and name != "g":
        return _mitred(name, (x0, x1), (y0, y1, y2), half, gap)
    flat = ay == by
    ax, ay, bx, by = (ax + gap, ay, bx - gap, by) if flat else (ax, ay + gap, bx, by - gap)
    if look.outline == "round":
        turn = np.linspace(-np.pi / 2, np.pi / 2, 9)
        nose = [(half * float(np.cos(one)), half * float(np.sin(one))) for one in turn]
        inset = half
        along = [(bx - inset + x, by + y) for x, y in nose] + [(ax + inset - x, ay - y) for x, y in nose]
        if not flat:
            along = [(bx + y, by - inset + x) for x, y in nose] + [(ax - y, ay + inset - x) for x, y in nose]
        return along
    if flat:
        above = [(ax + half, ay - half), (bx - half, by - half)]
        return [(ax, ay), *above, (bx, by), *((x, y + 2 * half) for x, y in reversed(above))]
    right = [(ax + half, ay + half), (bx + half, by - half)]
    return [(ax, ay), *right, (bx, by), *((x - 2 * half, y) for x, y in reversed(right))]


def _mitred(name: str, xs: tuple[float, float], ys: tuple[float, float, float], half: float, gap: float) -> Points:
    (x0, x1), (y0, y1, y2) = xs, ys
    if name in "ad":
        y, inward = (y0, half) if name == "a" else (y2, -half)
        outer, inner = half - gap, half + gap
        return [(x0 - outer, y - inward), (x1 + outer, y - inward), (x1 - inner, y + inward), (x0 + inner, y + inward)]
    x, inward = (x1, -half) if name in "bc" else (x0, half)
    end, downward = (y0, 1) if name in "bf" else (y2, -1)
    return [
        (x - inward, end - downward * (half - gap)), (x - inward, y1 - downward * (gap + 0.1 * half)),
        (x + inward, y1 - downward * (gap + half)), (x + inward, end + downward * (half + gap)),
    ]  # fmt: skip


def _lean(points: Points, height: float, look: DigitLook, top: float) -> Points:
    shift = max(0.0, -look.slant) * height
    return [(x + shift + look.slant * (top + height - y), y) for x, y in points]


def _fill(mask: Mask, points: Points) -> None:
    scaled = np.rint(np.array(points) * (1 << _SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(mask, [scaled], 255, cv2.LINE_AA, _SUBPIXEL)
