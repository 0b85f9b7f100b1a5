"""How the panel of a seed looks: its colours, its displays' kinds, and from where the camera sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.panel.segments import DigitLook

Colour = tuple[int, int, int]  # BGR, 0..255
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in units of the panel."""
T = TypeVar("T")
Matrix = npt.NDArray[np.float64]

WIDTH, HEIGHT = 1600, 900
"""Units of the panel's plate."""

_PLATES: tuple[Colour, ...] = ((176, 182, 184), (150, 168, 178), (88, 84, 80), (140, 150, 138), (196, 196, 192))
_LEDS: tuple[Colour, ...] = ((40, 40, 255), (60, 255, 90), (30, 165, 255), (255, 170, 60), (235, 245, 250))
_LCDS: tuple[tuple[Colour, Colour], ...] = (
    ((142, 168, 156), (44, 50, 48)), ((168, 180, 176), (40, 40, 44)), ((120, 176, 160), (36, 44, 44)),
    ((170, 196, 150), (52, 48, 40)),
)  # fmt: skip
_LINES: tuple[tuple[Colour, Colour], ...] = (
    ((36, 26, 16), (255, 235, 140)),  # vacuum fluorescent
    ((150, 60, 20), (250, 240, 230)),  # white on blue
    ((22, 22, 24), (50, 170, 255)),  # amber
    ((110, 190, 170), (40, 52, 44)),  # dark on yellow green
)


@dataclass(frozen=True)
class PanelLook:
    """What a seed chooses once.

    Attributes:
        plate: colour of the panel.
        led: light of the LED display.
        lcd, line: what is behind the digits or dots, and the digits or dots themselves.
        led_digits, lcd_digits: their shape.
        boxes: where each device is.
        view: maps units of the panel to shares of the picture (homogeneous).
        decimals: digits behind the point of the LED display.
    """

    plate: Colour
    led: Colour
    lcd: tuple[Colour, Colour]
    line: tuple[Colour, Colour]
    led_digits: DigitLook
    lcd_digits: DigitLook
    boxes: dict[str, Box]
    view: Matrix
    decimals: int


def look_of(seed: int) -> PanelLook:
    """Return what a seed chooses."""
    dice = np.random.default_rng([seed, 1])
    return PanelLook(
        plate=_pick(dice, _PLATES),
        led=_pick(dice, _LEDS),
        lcd=_pick(dice, _LCDS),
        line=_pick(dice, _LINES),
        led_digits=_digits(dice, (0.16, 0.22)),
        lcd_digits=_digits(dice, (0.13, 0.19)),
        boxes=_boxes(dice),
        view=_view(dice),
        decimals=int(dice.integers(1, 3)),
    )


def _pick(dice: np.random.Generator, choices: tuple[T, ...]) -> T:
    return choices[int(dice.integers(len(choices)))]


def _digits(dice: np.random.Generator, stroke: tuple[float, float]) -> DigitLook:
    outline = _pick(dice, ("mitred", "pointed", "round"))
    return DigitLook(
        outline=outline,  # type: ignore[arg-type]
        stroke=float(dice.uniform(*stroke)),
        gap=float(dice.uniform(0.015, 0.035)),
        slant=float(dice.choice([0.0, 0.08, 0.12])),
        aspect=float(dice.uniform(1.7, 2.0)),
        hooked_seven=bool(dice.random() < 0.2),
        pitch=float(dice.uniform(1.42, 1.6)),
    )


def _boxes(dice: np.random.Generator) -> dict[str, Box]:
    """Return the place of each device: the upper row in any order, the screen on either side."""
    upper = [str(name) for name in dice.permutation(["pressure", "temperature", "counter"])]
    lefts = (90.0, 590.0, 1090.0)
    boxes = {name: (left, 110.0, left + 420, 250.0) for name, left in zip(upper, lefts, strict=True)}
    screen_left = bool(dice.random() < 0.5)
    screen, rest = (90.0, 870.0) if screen_left else (790.0, 90.0)
    boxes["screen"] = (screen, 390.0, screen + 720, 810.0)
    boxes["message"] = (rest, 390.0, rest + 640, 490.0)
    boxes["order"] = (rest, 580.0, rest + 360, 660.0)
    boxes["alarm"] = (rest + 420, 575.0, rest + 510, 665.0)
    boxes["run"] = (rest + 550, 575.0, rest + 640, 665.0)
    return boxes


def _view(dice: np.random.Generator) -> Matrix:
    """Return how a camera sees the panel that stands beside its axis, above or below it, and is turned a bit."""
    turn = np.deg2rad(dice.uniform(-2.0, 2.0))
    inset = dice.uniform(0.02, 0.045, 2)
    side, above = dice.uniform(-0.06, 0.06), dice.uniform(-0.05, 0.05)
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    placed = inset + corners * (1 - 2 * inset) - 0.5
    # what is farther away is smaller
    near = placed / (1 + side * placed[:, :1] + above * placed[:, 1:])
    aspect = WIDTH / HEIGHT
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    x, y = near[:, 0] * aspect, near[:, 1]
    turned = np.stack([(x * cosine - y * sine) / aspect, x * sine + y * cosine], axis=1) + 0.5
    return homography(corners * (WIDTH, HEIGHT), turned)


def homography(here: Matrix, there: Matrix) -> Matrix:
    """Return the 3×3 matrix that maps four points (4, 2) to four others."""
    found = cv2.getPerspectiveTransform(here.astype(np.float32), there.astype(np.float32))
    return np.asarray(found, np.float64)


def project(matrix: Matrix, points: Matrix) -> Matrix:
    """Return points (n, 2), mapped."""
    found = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(found[:, :2] / found[:, 2:], np.float64)
