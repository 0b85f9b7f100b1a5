"""Displays that training never sees: the DSEG fonts, and digits of round strokes and of dots, in colour.

Nothing here is shared with the drawing for training: other shapes, other order of what light and lens do, other sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Plane = NDArray[np.floating[Any]]

FONTS = Path("/usr/share/fonts/truetype/dseg")
"""Where Debian's package fonts-dseg puts them."""
FACES = tuple(f"DSEG7{family}-{weight}.ttf" for family in ("Classic", "Modern")
              for weight in ("Light", "Regular", "Bold", "Italic", "BoldItalic"))  # fmt: skip
LED = ((40, 40, 255), (60, 255, 60), (255, 120, 30), (20, 150, 255), (250, 250, 250), (40, 230, 250))
LCD = (((150, 170, 160), (40, 45, 40)), ((120, 160, 130), (30, 40, 30)), ((190, 60, 20), (250, 240, 230)),
       ((60, 150, 240), (20, 30, 50)), ((200, 205, 205), (50, 50, 60)))  # fmt: skip
"""Colours, blue green red: of LED, and of LCD dark and lit."""
WORDS = ("kg", "V", "bar", "%", "kWh", "mm", "SET", "Hz", "TEMP", "A")
JOINTS = {"0": "abcdefa", "1": "bc", "2": "abged", "3": "abcd g", "4": "fg bc", "5": "afgcd", "6": "afedcg", "7": "abc",
          "8": "abcdefa g", "9": "gfabcd", "-": "g", "!": ""}  # fmt: skip
ENDS = {"a": ((0, 0), (1, 0)), "b": ((1, 0), (1, 1)), "c": ((1, 1), (1, 2)), "d": ((1, 2), (0, 2)),
        "e": ((0, 2), (0, 1)), "f": ((0, 1), (0, 0)), "g": ((0, 1), (1, 1))}  # fmt: skip


@dataclass(frozen=True)
class Display:
    """A picture of a zone, and what its display says."""

    picture: Picture
    text: str


Draw = Callable[[np.random.Generator, str, int], tuple[Plane, Plane]]
"""From a text in which "!" is a dark place and a height in pixels to what is lit and what could be, 0..1."""


def text_for(rng: np.random.Generator) -> str:
    """Return what meters, scales and clocks show; "!" is a dark place."""
    way = rng.random()
    count = int(rng.integers(2, 7))
    digits = "".join(str(digit) for digit in rng.integers(10, size=count))
    if way < 0.12:
        return f"{digits[:2]}:{int(rng.integers(60)):02d}"
    if way < 0.75:
        place = count - int(rng.integers(1, min(count, 4)))
        digits = digits[:place] + "." + digits[place:]
    if rng.random() < 0.15:
        digits = "-" + digits
    return "!" * int(rng.choice([0, 0, 0, 1, 2])) + digits


def dseg(rng: np.random.Generator, text: str, height: int) -> tuple[Plane, Plane]:
    """Draw by one of the DSEG fonts, at twice the size and then smaller."""
    face = cv2.FontFace(str(FONTS / str(rng.choice(FACES))))
    size = height * 2
    ghost = "".join(letter if letter in ":." else "8" for letter in text)
    layers = []
    for said in (text, ghost):
        canvas = np.zeros((size * 3 // 2, size * (len(text) + 1), 3), np.uint8)
        cv2.putText(canvas, said, (size // 4, size * 5 // 4), (255, 255, 255), face, size)
        layers.append(np.asarray(canvas[..., 0]))
    return _trimmed(layers[0], layers[1])


def _trimmed(lit: Picture, dark: Picture) -> tuple[Plane, Plane]:
    """Reduce both by half, and cut off what is empty around them."""
    x, y, width, height = cv2.boundingRect(np.maximum(lit, dark))
    layers = []
    for layer in (lit, dark):
        part = layer[y : y + height, x : x + width]
        half = max(width // 2, 1), max(height // 2, 1)
        layers.append(np.asarray(cv2.resize(part, half, interpolation=cv2.INTER_AREA), np.float32) / 255)
    return layers[0], layers[1]


def strokes(rng: np.random.Generator, text: str, height: int) -> tuple[Plane, Plane]:
    """Draw digits whose strokes run round the corners without gaps."""
    return _joined(rng, text, height, 0)


def dots(rng: np.random.Generator, text: str, height: int) -> tuple[Plane, Plane]:
    """Draw digits whose segments are rows of dots, as on large LED signs."""
    return _joined(rng, text, height, int(rng.integers(3, 6)))


def _joined(rng: np.random.Generator, text: str, height: int, dots: int) -> tuple[Plane, Plane]:
    unit = height  # of half a digit, at twice the size
    wide = unit * float(rng.uniform(0.9, 1.25))
    thick = max(2, round(unit * float(rng.uniform(0.16, 0.3))))
    pitch = wide + unit * float(rng.uniform(0.5, 0.8))
    slant = float(rng.choice([0, rng.uniform(0.05, 0.18)]))
    layers = []
    for said in (text, "".join(letter if letter in ":." else "8" for letter in text)):
        canvas = np.zeros((unit * 3, round(pitch * (len(text) + 1) + unit)), np.uint8)
        x = unit * 0.5

        def at(column: float, half: float, x: float = x) -> tuple[int, int]:
            return round(x + column * wide + (2 - half) * unit * slant), round(unit * (half + 0.5))

        for letter in said:
            if letter in ".:":
                for half in (2.0,) if letter == "." else (0.6, 1.4):
                    back = (pitch - wide) / 2 if letter == "." else (pitch - wide) / 4
                    place = round(x - back + (2 - half) * unit * slant), round(unit * (half + 0.5))
                    cv2.circle(canvas, place, max(2, round(thick * 0.62)), 255, -1, cv2.LINE_AA)
                x += unit * 0.5 if letter == ":" else 0
                continue
            for segment in JOINTS[letter].replace(" ", ""):
                (x0, y0), (x1, y1) = ENDS[segment]
                start, end = at(x0, y0, x), at(x1, y1, x)
                if not dots:
                    cv2.line(canvas, start, end, 255, thick, cv2.LINE_AA)
                for share in np.linspace(0, 1, dots) if dots else ():
                    spot = round(start[0] + share * (end[0] - start[0])), round(start[1] + share * (end[1] - start[1]))
                    cv2.circle(canvas, spot, max(1, round(thick * 0.42)), 255, -1, cv2.LINE_AA)
            x += pitch
        layers.append(canvas)
    return _trimmed(layers[0], layers[1])


def _coloured(rng: np.random.Generator, lit: Plane, dark: Plane) -> tuple[Plane, NDArray[np.float64]]:
    """Return the display in colour, and the colour of its background."""
    ghost = float(rng.choice([0, rng.uniform(0.03, 0.15)]))
    if rng.random() < 0.5:
        front = np.array(LED[int(rng.integers(len(LED)))], float) * float(rng.uniform(0.7, 1))
        back = np.full(3, float(rng.uniform(5, 40)))
        glow = cv2.GaussianBlur(lit, (0, 0), max(1.0, lit.shape[0] / 12)) * float(rng.uniform(0, 0.4))
        shown = np.maximum(lit, np.maximum(glow, dark * ghost))
    else:
        back, front = (np.array(colour, float) for colour in LCD[int(rng.integers(len(LCD)))])
        shown = np.maximum(lit * float(rng.uniform(0.7, 1)), dark * ghost)
    return np.asarray(back + shown[..., np.newaxis] * (front - back), np.float32), back


def _panel(rng: np.random.Generator, display: Plane, back: NDArray[np.float64], *, tight: bool) -> Picture:
    """Put a display behind a window into a panel with words, with as much of it as a loosely drawn zone takes in."""
    height, width = display.shape[:2]
    inner = np.rint(rng.uniform(0.06, 0.35, 4) * height).astype(int)
    if tight:
        inner[3] = max(1, round(float(rng.uniform(0.03, 0.12)) * height))
    outer = np.rint(rng.uniform(0.0, 0.25, 4) * [height, height, width, width]).astype(int)
    top, bottom, left, right = outer
    size = height + inner[0] + inner[1], width + inner[2] + inner[3]
    panel = np.empty((size[0] + top + bottom, size[1] + left + right, 3), np.uint8)
    panel[:] = (rng.uniform(15, 235) + rng.uniform(-12, 12, 3)).astype(np.uint8)
    edge = max(1, height // 25)
    cv2.rectangle(
        panel,
        (left - edge, top - edge),
        (left + size[1] + edge, top + size[0] + edge),
        [float(rng.uniform(0, 255))] * 3,
        -1,
    )
    window = panel[top : top + size[0], left : left + size[1]]
    window[:] = back.astype(np.uint8)
    window[inner[0] : inner[0] + height, inner[2] : inner[2] + width] = np.clip(display, 0, 255).astype(np.uint8)
    if right > height * 0.3:
        scale = height * 0.4 / 22
        origin = left + size[1] + edge * 2, top + size[0] - inner[1]
        _print(rng, panel, origin, scale, 1.5)
    if top > height * 0.2:
        scale = top * 0.6 / 22
        _print(rng, panel, (left, round(top * 0.8)), scale, 2)
    return panel


def _print(rng: np.random.Generator, panel: Picture, origin: tuple[int, int], scale: float, weight: float) -> None:
    word, shade = str(rng.choice(WORDS)), float(rng.uniform(0, 255))
    thick = max(1, round(scale * weight))
    cv2.putText(panel, word, origin, cv2.FONT_HERSHEY_DUPLEX, scale, [shade] * 3, thick, cv2.LINE_AA)


def _seen(rng: np.random.Generator, panel: Picture, digit: int) -> Picture:
    """Return what a camera makes of it: corners not quite right, light, lens, noise, coding."""
    height, width = panel.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.normal(0, 0.025, (4, 2)).astype(np.float32) * height
    turn = cv2.getPerspectiveTransform(moved, corners)
    image = cv2.warpPerspective(panel.astype(np.float32), turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    image = cv2.GaussianBlur(image, (0, 0), max(0.3, digit * float(rng.uniform(0.002, 0.03))))
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    light = 1 - float(rng.uniform(0, 0.35)) * (x if rng.random() < 0.5 else y)
    if rng.random() < 0.3:
        light = light * np.where(
            x + y * float(rng.uniform(-0.5, 0.5)) > float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.55, 0.9)), 1
        )
    image = image * light[..., np.newaxis].astype(np.float32)
    if rng.random() < 0.35:
        fall = ((x - float(rng.uniform())) * width / height) ** 2 + (y - float(rng.uniform())) ** 2
        image += (float(rng.uniform(20, 130)) * np.exp(-fall / float(rng.uniform(0.02, 0.5))))[..., np.newaxis]
    if rng.random() < 0.25:
        mirrored = cv2.resize(
            rng.uniform(0, 40, (4, 5, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        image += np.maximum(mirrored, 0)
    image = image + rng.normal(0, float(rng.uniform(0.5, 7)), image.shape)
    coded = cv2.imencode(
        ".jpg", np.clip(image, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))]
    )[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def display(rng: np.random.Generator, draw: Draw, *, ends_in_1: bool = False) -> Display:
    """Return one display as a zone shows it; one that ends in 1, if asked for, has the frame right behind it."""
    text = text_for(rng)
    if ends_in_1:
        text = text[:-1] + "1"
    digit = round(float(np.exp(rng.uniform(np.log(18), np.log(110)))))
    lit, dark = draw(rng, text, digit)
    shown, back = _coloured(rng, lit, dark)
    return Display(_seen(rng, _panel(rng, shown, back, tight=ends_in_1), digit), text.replace("!", ""))


def cut(rng: np.random.Generator, one: Display) -> Display:
    """Return a display of which the zone takes in too little: no value is right."""
    height = one.picture.shape[0]
    share = float(rng.uniform(0.35, 0.5))
    part = one.picture[: round(height * (1 - share))] if rng.random() < 0.5 else one.picture[round(height * share) :]
    return Display(np.ascontiguousarray(part), "")
