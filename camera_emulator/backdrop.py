"""The part of the drawn scene that never moves: sky, houses, trees, pavement, road and lawn.

Heights are shares of the picture height: the far pavement lies between :data:`HOUSE_FOOT` and :data:`KERB_FAR`,
the road down to :data:`KERB_NEAR`, the near pavement below it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]  # BGR

HOUSE_FOOT = 0.50
KERB_FAR = 0.585
KERB_NEAR = 0.815

_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((215, 160, 105), (240, 222, 200)),  # clear
    ((190, 180, 172), (215, 210, 205)),  # overcast
    ((150, 110, 95), (160, 190, 235)),  # evening
)
_WALLS: tuple[Colour, ...] = (
    (165, 190, 208), (120, 140, 180), (185, 185, 180), (140, 170, 195), (150, 160, 150), (110, 125, 160),
)  # fmt: skip
_ROOFS: tuple[Colour, ...] = ((60, 65, 110), (75, 75, 80), (50, 60, 85))
_DOORS: tuple[Colour, ...] = ((60, 85, 45), (95, 55, 40), (45, 50, 120), (50, 70, 95))
_LEAVES: tuple[Colour, ...] = ((50, 105, 65), (45, 90, 80), (60, 120, 85))
_PANE: Colour = (105, 90, 75)
_FRAME: Colour = (225, 228, 230)
_PAVING: Colour = (158, 162, 165)
_KERB: Colour = (188, 190, 192)
_ASPHALT: Colour = (98, 95, 93)


def backdrop(rng: np.random.Generator, width: int, height: int) -> Image:
    """A street without anybody in it, BGR (height, width, 3)."""
    image = np.empty((height, width, 3), np.uint8)
    painter = _Painter(image, rng)
    painter.sky()
    painter.houses()
    painter.ground()
    painter.clutter()
    _grain(image, rng)
    return image


def _mix(low: Colour, high: Colour, share: float) -> Colour:
    blue, green, red = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return blue, green, red


def _lit(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(channel * factor)) for channel in colour)
    return blue, green, red


def _grain(image: Image, rng: np.random.Generator) -> None:
    """Soft blotches and fine texture, so that walls and asphalt do not look like plastic."""
    height, width = image.shape[:2]
    coarse = rng.normal(0.0, 3.0, (max(2, height // 40), max(2, width // 40))).astype(np.float32)
    fine = rng.normal(0.0, 2.6, (height // 2, width // 2)).astype(np.float32)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    texture = texture + cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR)
    np.clip(image + texture[:, :, np.newaxis], 0, 255, out=image, casting="unsafe")


class _Painter:
    """Draws onto one image; positions are shares of its width and height."""

    def __init__(self, image: Image, rng: np.random.Generator) -> None:
        self._image = image
        self._rng = rng
        self._height, self._width = image.shape[:2]

    def _box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        w, h = self._width, self._height
        cv2.rectangle(self._image, (round(x0 * w), round(y0 * h)), (round(x1 * w), round(y1 * h)), colour, cv2.FILLED)

    def _poly(self, points: list[tuple[float, float]], colour: Colour) -> None:
        scaled = np.array(points) * (self._width, self._height) * 16
        cv2.fillPoly(self._image, [np.rint(scaled).astype(np.int32)], colour, cv2.LINE_AA, 4)

    def _blob(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A disc; ``radius`` is a share of the height, so that it stays round."""
        centre = (round(x * self._width * 16), round(y * self._height * 16))
        cv2.circle(self._image, centre, round(radius * self._height * 16), colour, cv2.FILLED, cv2.LINE_AA, 4)

    def _line(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, thickness: float) -> None:
        w, h = self._width, self._height
        start, end = (round(x0 * w), round(y0 * h)), (round(x1 * w), round(y1 * h))
        cv2.line(self._image, start, end, colour, max(1, round(thickness * h)), cv2.LINE_AA)

    def _pick(self, palette: tuple[Colour, ...]) -> Colour:
        return palette[int(self._rng.integers(len(palette)))]

    def sky(self) -> None:
        """A gradient from the zenith to the roofs, with a few clouds."""
        top, bottom = _SKIES[int(self._rng.integers(len(_SKIES)))]
        rows = round(HOUSE_FOOT * self._height)
        for row in range(rows):
            self._image[row] = _mix(top, bottom, row / rows)
        cloud = _mix(bottom, (250, 250, 250), 0.5)
        for _ in range(3):
            x, y = self._rng.uniform(0.0, 1.0), self._rng.uniform(0.02, 0.08)
            for dx, radius in ((-0.035, 0.016), (-0.012, 0.025), (0.015, 0.021), (0.038, 0.014)):
                self._blob(x + dx, y, radius, cloud)
            self._box(x - 0.04, y, x + 0.045, y + 0.016, cloud)

    def houses(self) -> None:
        """A row of houses side by side, now and then with a gap where a hedge stands."""
        x = -float(self._rng.uniform(0.0, 0.12))
        while x < 1.0:
            wide = float(self._rng.uniform(0.20, 0.32))
            if self._rng.random() < 0.2:
                self._garden(x, x + wide * 0.6)
                x += wide * 0.6
                continue
            self._house(x, x + wide)
            x += wide
        self._box(0.0, HOUSE_FOOT - 0.012, 1.0, HOUSE_FOOT, (120, 122, 124))

    def _house(self, x0: float, x1: float) -> None:
        wall, roof = self._pick(_WALLS), self._pick(_ROOFS)
        eaves = float(self._rng.uniform(0.13, 0.19))
        ridge = eaves - float(self._rng.uniform(0.05, 0.09))
        self._box(x0, eaves, x1, HOUSE_FOOT, wall)
        self._poly([(x0 - 0.006, eaves), (x0 + 0.02, ridge), (x1 - 0.02, ridge), (x1 + 0.006, eaves)], roof)
        self._line(x0, eaves + 0.006, x1, eaves + 0.006, _lit(wall, 0.72), 0.008)
        self._box(x1 - 0.008, eaves, x1, HOUSE_FOOT, _lit(wall, 0.86))
        count = int(self._rng.integers(2, 5))
        door = int(self._rng.integers(count))
        gap = (x1 - x0) / count
        for index in range(count):
            middle = x0 + (index + 0.5) * gap
            self._window(middle, eaves + 0.055, gap * 0.26, 0.085)
            if index == door:
                self._door(middle, gap * 0.22)
            else:
                self._window(middle, eaves + 0.19, gap * 0.26, 0.09)

    def _window(self, middle: float, top: float, half: float, tall: float) -> None:
        rim = 0.004
        self._box(middle - half - rim, top - 2 * rim, middle + half + rim, top + tall + 2 * rim, _FRAME)
        pane = (90, 190, 225) if self._rng.random() < 0.12 else _lit(_PANE, float(self._rng.uniform(0.8, 1.3)))
        self._box(middle - half, top, middle + half, top + tall, pane)
        glint = _lit(pane, 1.22)
        self._poly(
            [(middle - half, top + tall * 0.7), (middle + half * 0.4, top), (middle + half, top),
             (middle - half, top + tall)], glint,
        )  # fmt: skip
        self._line(middle, top, middle, top + tall, _FRAME, 0.005)
        self._line(middle - half, top + tall * 0.45, middle + half, top + tall * 0.45, _FRAME, 0.005)
        self._box(middle - half - 2 * rim, top + tall + rim, middle + half + 2 * rim, top + tall + 4 * rim, _KERB)

    def _door(self, middle: float, half: float) -> None:
        colour = self._pick(_DOORS)
        self._box(middle - half - 0.004, 0.33, middle + half + 0.004, HOUSE_FOOT, _FRAME)
        self._box(middle - half, 0.338, middle + half, HOUSE_FOOT, colour)
        for top in (0.35, 0.425):
            self._box(middle - half * 0.65, top, middle + half * 0.65, top + 0.06, _lit(colour, 0.8))
        self._blob(middle + half * 0.75, 0.425, 0.005, (120, 200, 220))

    def _garden(self, x0: float, x1: float) -> None:
        leaf = self._pick(_LEAVES)
        self._box(x0, 0.33, x1, HOUSE_FOOT, _lit(leaf, 0.8))
        for _ in range(60):
            x, y = self._rng.uniform(x0, x1), self._rng.uniform(0.32, HOUSE_FOOT - 0.02)
            self._blob(x, y, 0.016, _lit(leaf, float(self._rng.uniform(0.7, 1.15))))

    def ground(self) -> None:
        """Pavements with slabs in perspective, the road with its dashes, kerbs and gutters."""
        self._box(0.0, HOUSE_FOOT, 1.0, 1.0, _PAVING)
        slab = _lit(_PAVING, 0.86)
        for y in (0.515, 0.545):
            self._line(0.0, y, 1.0, y, slab, 0.002)
        for y in (0.86, 0.925):
            self._line(0.0, y, 1.0, y, slab, 0.004)
        for index in range(-40, 41):
            x = 0.5 + index * 0.05  # all slabs meet in one far point above the middle of the picture
            self._line(0.5 + (x - 0.5) * 0.80, HOUSE_FOOT, 0.5 + (x - 0.5) * 0.95, KERB_FAR, slab, 0.002)
            self._line(0.5 + (x - 0.5) * 1.55, KERB_NEAR, 0.5 + (x - 0.5) * 1.9, 1.0, slab, 0.004)
        self._box(0.0, KERB_FAR, 1.0, KERB_NEAR, _ASPHALT)
        self._box(0.0, KERB_FAR - 0.006, 1.0, KERB_FAR + 0.004, _KERB)
        self._box(0.0, KERB_FAR + 0.004, 1.0, KERB_FAR + 0.012, _lit(_ASPHALT, 0.75))
        self._box(0.0, KERB_NEAR - 0.004, 1.0, KERB_NEAR + 0.014, _KERB)
        self._box(0.0, KERB_NEAR + 0.014, 1.0, KERB_NEAR + 0.022, _lit(_PAVING, 0.78))
        start = float(self._rng.uniform(0.0, 0.12))
        for index in range(-2, 10):
            x = start + index * 0.125
            self._poly([(x, 0.687), (x + 0.062, 0.687), (x + 0.064, 0.697), (x, 0.697)], (205, 208, 210))
        self._blob(float(self._rng.uniform(0.2, 0.8)), 0.752, 0.012, _lit(_ASPHALT, 0.7))

    def clutter(self) -> None:
        """Trees, a lamp post and a bin at the back of the far pavement."""
        for _ in range(int(self._rng.integers(1, 3))):
            self._tree(float(self._rng.uniform(0.05, 0.95)))
        x = float(self._rng.uniform(0.1, 0.9))
        self._line(x, 0.10, x, HOUSE_FOOT + 0.012, (70, 72, 70), 0.009)
        self._line(x, 0.105, x + 0.03, 0.10, (70, 72, 70), 0.007)
        self._box(x + 0.022, 0.098, x + 0.042, 0.110, (190, 225, 235))
        x = float(self._rng.uniform(0.1, 0.9))
        self._box(x, 0.455, x + 0.022, HOUSE_FOOT + 0.012, (62, 82, 58))
        self._box(x - 0.002, 0.447, x + 0.024, 0.458, (48, 62, 45))

    def _tree(self, x: float) -> None:
        trunk = (52, 72, 92)
        foot = HOUSE_FOOT + 0.01
        self._poly([(x - 0.009, foot), (x - 0.005, 0.25), (x + 0.005, 0.25), (x + 0.009, foot)], trunk)
        leaf = self._pick(_LEAVES)
        for index in range(90):
            angle, reach = self._rng.uniform(0.0, 2 * np.pi), 0.095 * np.sqrt(self._rng.uniform())
            light = 0.65 + 0.5 * index / 90
            dx, dy = reach * np.cos(angle) * 0.62, reach * np.sin(angle) - 0.02 * index / 90
            self._blob(x + float(dx), 0.215 + float(dy), 0.024, _lit(leaf, light))
