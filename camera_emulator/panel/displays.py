"""Pictures of the panel's displays and lamps, each of one value, or of one that is changing into another."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.panel.dot_matrix import dots_of
from camera_emulator.panel.letters import write
from camera_emulator.panel.look import Colour, PanelLook
from camera_emulator.panel.schedules import MESSAGE_CHARACTERS, ON
from camera_emulator.panel.segments import masks

Image = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]
Size = tuple[int, int]
"""Width and height, pixels."""

FINER = 3
"""Displays are drawn so many times as large, for soft edges."""
LED_CELLS, LCD_CELLS = 4, 5
COUNTER_DIGITS = 6
_CACHED = 64


class Displays:
    """Draws the displays of one panel.

    Args:
        look: of the panel.
        unit: pixels per unit of the panel.
    """

    def __init__(self, look: PanelLook, unit: float) -> None:
        self._look, self._unit = look, unit
        # pictures of values are drawn once: most of them stay for many frames
        self.led = lru_cache(_CACHED)(self._led)
        self.lcd = lru_cache(_CACHED)(self._lcd)
        self.line = lru_cache(_CACHED)(self._line)
        self.order = lru_cache(_CACHED)(self._order)

    def size(self, name: str) -> Size:
        """Return the size of a device in pixels."""
        left, top, right, bottom = self._look.boxes[name]
        return round((right - left) * self._unit), round((bottom - top) * self._unit)

    def _led(self, text: str) -> Image:
        width, height = self.size("pressure")
        lit, every = self._placed(
            *masks(text, LED_CELLS, round(0.6 * height * FINER), self._look.led_digits), "pressure"
        )
        colour = np.array(self._look.led, np.float32)
        picture = np.full((height * FINER, width * FINER, 3), (22, 19, 20), np.float32)
        picture += every[:, :, None] * 9.0
        # a lit segment is lighter in its middle, and shines on what is around it
        core = cv2.GaussianBlur(lit, (0, 0), 0.02 * height * FINER)[:, :, None] ** 2
        glow = cv2.GaussianBlur(lit, (0, 0), 0.10 * height * FINER)[:, :, None]
        picture += lit[:, :, None] * colour * 0.92 + core * 55.0 + glow * colour * 0.16
        return _shrunk(picture, (width, height))

    def _lcd(self, text: str) -> Image:
        width, height = self.size("temperature")
        lit, every = self._placed(
            *masks(text, LCD_CELLS, round(0.56 * height * FINER), self._look.lcd_digits), "temperature"
        )
        behind, ink = (np.array(colour, np.float32) for colour in self._look.lcd)
        slope = np.linspace(1.04, 0.95, height * FINER, dtype=np.float32)[:, None, None]
        picture = np.broadcast_to(behind * slope, (height * FINER, width * FINER, 3)).copy()
        # the liquid crystal is in front of what reflects: digits throw a shadow
        offset = max(1, round(0.018 * height * FINER))
        shadow = cv2.GaussianBlur(np.roll(lit, (offset, offset), (0, 1)), (0, 0), 1.2 * FINER)
        picture *= 1 - 0.18 * shadow[:, :, None] - 0.035 * every[:, :, None]
        picture += (ink - picture) * (0.9 * lit[:, :, None])
        return _shrunk(picture, (width, height))

    def _line(self, text: str) -> Image:
        width, height = self.size("message")
        behind, ink = (np.array(colour, np.float32) for colour in self._look.line)
        dots = dots_of(text, MESSAGE_CHARACTERS)
        rows, columns = dots.shape
        pitch = min(0.92 * width / columns, 0.62 * height / rows) * FINER
        # a dot is a square with soft corners, and dark between them
        side = max(4, round(pitch * 4))
        dot = np.zeros((side, side), np.float32)
        margin = round(0.1 * side)
        dot[margin : side - margin, margin : side - margin] = 1
        wanted = round(columns * pitch), round(rows * pitch)
        sheet = cv2.resize(np.kron(dots, dot).astype(np.float32), wanted, interpolation=cv2.INTER_AREA)
        every = cv2.resize(np.kron(np.ones(dots.shape), dot).astype(np.float32), wanted, interpolation=cv2.INTER_AREA)
        lit, unlit = self._placed(sheet, every, "message")
        is_light = float(ink.sum()) > float(behind.sum())
        picture = np.broadcast_to(behind, (height * FINER, width * FINER, 3)).copy()
        picture += unlit[:, :, None] * (6.0 if is_light else -5.0)
        picture += (ink - picture) * (0.93 * lit[:, :, None])
        if is_light:
            picture += cv2.GaussianBlur(lit, (0, 0), 0.06 * height * FINER)[:, :, None] * ink * 0.12
        return _shrunk(picture, (width, height))

    def _order(self, text: str) -> Image:
        """Black on the grey white of electronic paper."""
        width, height = self.size("order")
        picture = np.full((height * FINER, width * FINER, 3), (206, 214, 216), np.float32)
        ink = write(text, 0.62 * height * FINER).astype(np.float32) / 255
        lit, _ = self._placed(ink, ink, "order")
        picture += (np.array((38, 36, 36), np.float32) - picture) * lit[:, :, None]
        return _shrunk(picture, (width, height))

    def counter(self, before: str, now: str, turned: float) -> Image:
        """Return the drums of a counter.

        Args:
            before: its value before it began to turn.
            now: the value that it turns to.
            turned: how far it is, 0..1.
        """
        width, height = self.size("counter")
        picture = np.full((height, width, 3), (30, 30, 32), np.uint8)
        step = width / COUNTER_DIGITS
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            is_last = number == COUNTER_DIGITS - 1
            drum = _drum(old, new, turned if old != new else 1.0, (round(0.80 * step), round(0.84 * height)), is_last)
            left, top = round((number + 0.10) * step), round(0.08 * height)
            picture[top : top + drum.shape[0], left : left + drum.shape[1]] = drum
        return picture

    def lamp(self, name: str, brightness: float) -> tuple[Image, Grey]:
        """Return a lamp and where it covers the panel, 0..1: (height, width, 1).

        Args:
            name: ``alarm``, a red one, or ``run``, a green one.
            brightness: 0 off, 1 on.
        """
        width, height = self.size(name)
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        radius = np.hypot((columns - width / 2 + 0.5) / (width / 2), (rows - height / 2 + 0.5) / (height / 2))
        dark, light = ((30, 28, 92), (70, 80, 255)) if name == "alarm" else ((38, 70, 30), (110, 255, 90))
        lens = np.array(dark, np.float32) * (1.15 - 0.5 * radius[:, :, None])
        hot = np.array(light, np.float32) * (1.12 - 0.25 * radius[:, :, None])
        hot += 70 * np.clip(1 - 2.2 * radius, 0, 1)[:, :, None]
        lens += (hot - lens) * brightness
        spot = np.exp(
            -(((columns - 0.36 * width) / (0.10 * width)) ** 2) - ((rows - 0.32 * height) / (0.08 * height)) ** 2
        )
        lens += 60 * spot[:, :, None]
        lens[radius > 0.82] = (70, 72, 74)  # its ring
        covered = np.clip((1.0 - radius) * width / 3, 0, 1)[:, :, None]
        return np.clip(lens, 0, 255).astype(np.uint8), covered.astype(np.float32)

    def _placed(self, lit: npt.NDArray[np.generic], every: npt.NDArray[np.generic], name: str) -> tuple[Grey, Grey]:
        """Return two masks 0..1 in the middle of a device's window, finer by :data:`FINER`."""
        width, height = (FINER * side for side in self.size(name))
        found = []
        for mask in (lit, every):
            share = mask.astype(np.float32)
            share /= 255.0 if mask.dtype == np.uint8 else 1.0
            scale = min(1.0, 0.94 * width / share.shape[1], 0.94 * height / share.shape[0])
            if scale < 1:
                wanted = round(share.shape[1] * scale), round(share.shape[0] * scale)
                share = np.asarray(cv2.resize(share, wanted, interpolation=cv2.INTER_AREA), np.float32)
            whole = np.zeros((height, width), np.float32)
            top, left = (height - share.shape[0]) // 2, (width - share.shape[1]) // 2
            whole[top : top + share.shape[0], left : left + share.shape[1]] = share
            found.append(whole)
        return found[0], found[1]


def mixed(before: Image, now: Image, share: float) -> Image:
    """Return a picture that changes into another, of which there is a `share` already."""
    if share >= 1:
        return now
    return np.asarray(cv2.addWeighted(before, 1 - share, now, share, 0), np.uint8)


def is_on(value: str) -> float:
    """Return the brightness of a lamp."""
    return 1.0 if value == ON else 0.0


@lru_cache(256)
def _drum(old: str, new: str, turned: float, size: Size, is_last: bool) -> Image:
    width, height = size
    ink: Colour = (232, 234, 236)
    behind: Colour = (28, 26, 150) if is_last else (26, 26, 28)
    strip = np.full((2 * height, width, 3), behind, np.float32)
    for place, digit in enumerate((old, new)):
        size_px = min(0.80 * height, 1.5 * width)
        glyph = write(digit, size_px).astype(np.float32)[:, :, None] / 255
        # capital letters and digits are from 0.23 to 0.94 of the size below the top of a line
        top = round(place * height + height / 2 - 0.585 * size_px)
        left = (width - glyph.shape[1]) // 2
        glyph = glyph[max(0, -top) : strip.shape[0] - top]
        part = strip[max(0, top) : max(0, top) + glyph.shape[0], left : left + glyph.shape[1]]
        part += (np.array(ink, np.float32) - part) * glyph
    first = round(turned * height)
    seen = strip[first : first + height]
    # a drum is round: darker above and below
    slope = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    return np.clip(seen * (1.0 - 0.45 * np.abs(slope) ** 2.5), 0, 255).astype(np.uint8)


def _shrunk(picture: npt.NDArray[np.float32], size: Size) -> Image:
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 255).astype(np.uint8)
