"""Pages of the panel's screen: a plant's overview, a recipe, and alarms."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.panel.letters import write
from camera_emulator.panel.look import Box, Colour
from camera_emulator.panel.schedules import ALARM, DARK, OVERVIEW, RECIPE

Image = npt.NDArray[np.uint8]

SPEED_BOX: Box = (0.60, 0.30, 0.86, 0.47)
"""Where the overview has its speed, shares of the screen."""

_INK: Colour = (236, 238, 240)
_DIM: Colour = (150, 150, 146)
_ROWS = ("FLOUR", "WATER", "SALT", "YEAST", "REST")
_ALARMS = ("E12 MOTOR HOT", "E07 DOOR OPEN", "E31 LOW WATER", "E02 NO AIR")


class _Canvas:
    """A screen of `size` (width, height) in pixels; places are shares of it."""

    def __init__(self, size: tuple[int, int], behind: Colour) -> None:
        self.size = size
        self.image = np.full((size[1], size[0], 3), behind, np.uint8)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        width, height = self.size
        corners = (round(left * width), round(top * height)), (round(right * width), round(bottom * height))
        cv2.rectangle(self.image, *corners, colour, cv2.FILLED)

    def text(self, text: str, left: float, top: float, size: float, colour: Colour) -> None:
        """Write a line whose font has `size` shares of the screen's height."""
        width, height = self.size
        ink = write(text, size * height).astype(np.float32)[:, :, None] / 255
        x, y = round(left * width), round(top * height)
        part = self.image[y : y + ink.shape[0], x : x + ink.shape[1]]
        ink = ink[: part.shape[0], : part.shape[1]]
        part[:] = np.rint(part + (np.array(colour, np.float32) - part) * ink)


def draw_page(page: str, size: tuple[int, int], t: float, speed: str) -> Image:
    """Return the screen.

    Args:
        page: of the names in ``schedules``.
        size: width and height, pixels.
        t: seconds; curves and levels move.
        speed: the number that the overview displays.
    """
    if page == DARK:
        return _Canvas(size, (24, 20, 18)).image
    return _PAGES[page](size, t, speed)


def _overview(size: tuple[int, int], t: float, speed: str) -> Image:
    canvas = _Canvas(size, (66, 50, 40))
    _header(canvas, "OVERVIEW", (120, 84, 50))
    # a tank, whose level rises and falls
    level = 0.5 + 0.3 * np.sin(t / 9.0)
    canvas.box(0.06, 0.26, 0.24, 0.90, (40, 34, 30))
    canvas.box(0.07, 0.89 - 0.62 * float(level), 0.23, 0.89, (190, 140, 60))
    canvas.box(0.24, 0.70, 0.40, 0.74, (150, 150, 150))
    canvas.text("TANK 1", 0.075, 0.165, 0.07, _DIM)
    canvas.text("SPEED", 0.60, 0.195, 0.07, _DIM)
    left, top, right, bottom = SPEED_BOX
    canvas.box(left, top, right, bottom, (38, 28, 22))
    canvas.text(speed, left + 0.035, top + 0.005, 0.125, _INK)
    canvas.text("rpm", 0.875, 0.345, 0.08, _DIM)
    # a curve that moves on
    canvas.box(0.46, 0.56, 0.95, 0.91, (38, 28, 22))
    width, height = size
    x = np.linspace(0.47, 0.94, 80)
    y = 0.735 + 0.09 * np.sin(14 * x + t / 3) + 0.04 * np.sin(37 * x + t / 1.7)
    points = np.rint(np.stack([x * width, y * height], axis=1)).astype(np.int32)
    cv2.polylines(canvas.image, [points], False, (90, 230, 120), max(1, round(0.006 * height)), cv2.LINE_AA)
    return canvas.image


def _recipe(size: tuple[int, int], t: float, speed: str) -> Image:
    del speed
    canvas = _Canvas(size, (206, 202, 196))
    _header(canvas, "RECIPE", (130, 110, 60))
    current = int(t / 2.5) % len(_ROWS)
    for number, name in enumerate(_ROWS):
        top = 0.20 + 0.15 * number
        if number == current:
            canvas.box(0.04, top, 0.96, top + 0.13, (220, 190, 120))
        canvas.text(name, 0.07, top + 0.012, 0.085, (50, 46, 44))
        canvas.text(f"{(number * 37 + 12) % 90 + 5}.0 kg", 0.46, top + 0.012, 0.085, (50, 46, 44))
        canvas.box(0.72, top + 0.03, 0.93, top + 0.10, (170, 166, 160))
        done = 1.0 if number < current else (t / 2.5) % 1 if number == current else 0.0
        canvas.box(0.72, top + 0.03, 0.72 + 0.21 * done, top + 0.10, (110, 160, 70))
    return canvas.image


def _alarm(size: tuple[int, int], t: float, speed: str) -> Image:
    del speed
    canvas = _Canvas(size, (44, 40, 40))
    _header(canvas, "ALARMS", (40, 40, 190))
    shift = int(t / 6.0)
    for number in range(3):
        top = 0.24 + 0.21 * number
        canvas.box(0.04, top, 0.96, top + 0.18, (58, 54, 120) if number == 0 else (66, 62, 60))
        canvas.text("!", 0.075, top + 0.015, 0.11, (60, 210, 255))
        canvas.text(_ALARMS[(number + shift) % len(_ALARMS)], 0.15, top + 0.03, 0.09, _INK)
    canvas.box(0.66, 0.885, 0.96, 0.97, (90, 86, 84))
    canvas.text("CONFIRM", 0.705, 0.888, 0.06, _INK)
    return canvas.image


def _header(canvas: _Canvas, title: str, colour: Colour) -> None:
    canvas.box(0.0, 0.0, 1.0, 0.14, colour)
    canvas.text(title, 0.04, 0.01, 0.09, _INK)
    canvas.box(0.90, 0.04, 0.96, 0.10, (200, 200, 200))


_PAGES: dict[str, Callable[[tuple[int, int], float, str], Image]] = {
    OVERVIEW: _overview,
    RECIPE: _recipe,
    ALARM: _alarm,
}
