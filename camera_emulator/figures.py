"""Figures of the drawn scene as plain shapes: geometry only, no pixels.

Every figure is described in its own units: x grows in the direction it faces, y grows upwards, the ground is
y = 0 and 1.0 is the figure's height. The scene mirrors, scales and places them. ``phase`` is the distance
travelled in figure heights, so that feet and wheels never slide over the ground.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Colour = tuple[int, int, int]  # BGR, 0..255

SKIN: tuple[Colour, ...] = ((150, 180, 225), (120, 155, 205), (80, 115, 165), (50, 75, 115))
HAIR: tuple[Colour, ...] = ((25, 25, 30), (35, 55, 85), (70, 120, 165), (140, 140, 145))
CLOTH: tuple[Colour, ...] = (
    (60, 50, 190), (175, 95, 40), (70, 130, 60), (40, 165, 215), (200, 200, 205), (60, 55, 55), (150, 70, 130),
    (180, 160, 60),
)  # fmt: skip
PAINT: tuple[Colour, ...] = (
    (45, 40, 180), (165, 85, 35), (205, 205, 210), (60, 58, 60), (95, 125, 65), (60, 165, 215), (150, 145, 140),
)  # fmt: skip
FUR: tuple[Colour, ...] = ((50, 85, 135), (35, 40, 50), (105, 150, 190), (190, 205, 215), (70, 70, 80))

TYRE: Colour = (32, 32, 34)
RIM: Colour = (165, 165, 170)
GLASS: Colour = (120, 100, 75)
DARK: Colour = (35, 35, 40)


@dataclass(frozen=True)
class Shape:
    """One filled polygon, or, where ``width`` is above 0, one stroked line of that width (figure heights)."""

    points: Points
    colour: Colour
    width: float = 0.0
    closed: bool = False


@dataclass(frozen=True)
class Part:
    """The shapes that carry one label: a cyclist is two parts, ``bicycle`` and ``person``."""

    label: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Look:
    """Colours of one figure: ``main`` (shirt, fur), ``second`` (trousers), skin, hair, ``paint``; a build factor."""

    main: Colour
    second: Colour
    paint: Colour
    skin: Colour
    hair: Colour
    build: float


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter (above 1), kept inside 0..255."""
    blue, green, red = (min(255, max(0, round(channel * factor))) for channel in colour)
    return blue, green, red


def random_look(kind: str, rng: np.random.Generator) -> Look:
    """Colours for one figure of this kind, drawn from the palettes above."""

    def pick(palette: tuple[Colour, ...]) -> Colour:
        return shade(palette[int(rng.integers(len(palette)))], float(rng.uniform(0.85, 1.15)))

    main = FUR if kind in ("dog", "cat") else CLOTH
    return Look(pick(main), pick(CLOTH), pick(PAINT), pick(SKIN), pick(HAIR), float(rng.uniform(0.92, 1.1)))


def _fill(colour: Colour, *points: tuple[float, float]) -> Shape:
    return Shape(np.array(points, np.float64), colour)


def _line(colour: Colour, width: float, *points: tuple[float, float]) -> Shape:
    return Shape(np.array(points, np.float64), colour, width)


def _arc(x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> Points:
    angle = np.linspace(0.0, 2 * math.pi, 28, endpoint=False)
    px, py = rx * np.cos(angle), ry * np.sin(angle)
    cos, sin = math.cos(tilt), math.sin(tilt)
    return np.stack([x + px * cos - py * sin, y + px * sin + py * cos], axis=1)


def _disc(colour: Colour, x: float, y: float, rx: float, ry: float | None = None, tilt: float = 0.0) -> Shape:
    return Shape(_arc(x, y, rx, rx if ry is None else ry, tilt), colour)


def _ring(colour: Colour, width: float, x: float, y: float, radius: float) -> Shape:
    return Shape(_arc(x, y, radius, radius), colour, width, closed=True)


def _two_bones(start: tuple[float, float], end: tuple[float, float], bone: float, bend: float) -> tuple[float, float]:
    """The joint between two bones of equal length from start to end; ``bend`` is +1 (forwards) or -1."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    reach = max(math.hypot(dx, dy), 1e-6)
    side = math.sqrt(max(bone * bone - reach * reach / 4, 0.0)) * bend
    return start[0] + dx / 2 - dy / reach * side, start[1] + dy / 2 + dx / reach * side


def _step(phase: float, stride: float, lift: float) -> tuple[float, float]:
    """A foot's place relative to the hip: back along the ground for half a cycle, then forward through the air."""
    turn = phase % 1.0
    if turn < 0.5:
        return stride * (0.5 - 2 * turn), 0.0
    swing = (turn - 0.5) * 2
    return stride * (swing - 0.5), lift * math.sin(math.pi * swing)


# --- people ----------------------------------------------------------------------------------------------------

_PERSON_STRIDE = 0.38  # of the body height, foot to foot


def _leg(hip: tuple[float, float], foot: tuple[float, float], colour: Colour, build: float) -> list[Shape]:
    knee = _two_bones(hip, foot, 0.24, 1.0)
    shoe = _line(DARK, 0.05, foot, (foot[0] + 0.06, foot[1] - 0.005))
    return [_line(colour, 0.082 * build, hip, knee), _line(colour, 0.066 * build, knee, foot), shoe]


def _head(x: float, y: float, look: Look) -> list[Shape]:
    return [
        _disc(look.hair, x - 0.012, y + 0.012, 0.066, 0.074),
        _disc(look.skin, x + 0.012, y - 0.012, 0.052, 0.062),
        _fill(look.skin, (x + 0.055, y - 0.005), (x + 0.078, y - 0.022), (x + 0.052, y - 0.03)),
    ]


def person(phase: float, look: Look) -> list[Part]:
    """Somebody walking, seen from the side. A cycle of two steps covers two strides."""
    turn = phase / (2 * _PERSON_STRIDE)
    bob = -0.012 * math.cos(4 * math.pi * turn)
    hip = (0.0, 0.485 + bob)
    shoulder = (0.015, 0.80 + bob)
    feet = []
    for offset in (0.0, 0.5):
        x, y = _step(turn + offset, _PERSON_STRIDE, 0.09)
        feet.append((x, 0.03 + y))
    swing = 0.6 * math.sin(2 * math.pi * turn + math.pi / 2)
    far_arm, near_arm = _arm(shoulder, swing, look, 0.72), _arm(shoulder, -swing, look, 0.9)
    body = look.build
    torso = [
        _fill(look.main, (-0.085 * body, shoulder[1] + 0.01), (-0.02, shoulder[1] + 0.045),
              (0.07 * body, shoulder[1] + 0.02), (0.095 * body, 0.66 + bob), (0.08 * body, hip[1] - 0.03),
              (-0.085 * body, hip[1] - 0.03), (-0.10 * body, 0.64 + bob)),
        _fill(shade(look.main, 0.8), (-0.10 * body, 0.64 + bob), (-0.085 * body, shoulder[1] + 0.01),
              (-0.045 * body, shoulder[1] + 0.03), (-0.05 * body, hip[1] - 0.03), (-0.085 * body, hip[1] - 0.03)),
    ]  # fmt: skip
    neck = _line(shade(look.skin, 0.85), 0.06, (0.01, 0.83 + bob), (0.02, 0.88 + bob))
    shapes = [
        *far_arm,
        *_leg(hip, feet[1], shade(look.second, 0.72), body),
        *_leg(hip, feet[0], look.second, body),
        neck,
        *torso,
        *_head(0.025, 0.925 + bob, look),
        *near_arm,
    ]
    return [Part("person", tuple(shapes))]


def _arm(shoulder: tuple[float, float], swing: float, look: Look, light: float) -> list[Shape]:
    elbow = (shoulder[0] + 0.165 * math.sin(swing), shoulder[1] - 0.165 * math.cos(swing))
    bend = swing + 0.45
    hand = (elbow[0] + 0.15 * math.sin(bend), elbow[1] - 0.15 * math.cos(bend))
    return [
        _line(shade(look.main, light), 0.062, shoulder, elbow),
        _line(shade(look.main, light), 0.052, elbow, hand),
        _disc(shade(look.skin, light), hand[0], hand[1], 0.03),
    ]


# --- bicycle and rider -----------------------------------------------------------------------------------------

_WHEEL = 0.205  # radius of a bicycle wheel, in heights of the rider's head above ground


def _cycle_wheel(x: float, phase: float) -> list[Shape]:
    turn = phase / _WHEEL
    spokes = []
    for index in range(3):
        angle = -turn + index * math.pi / 3
        dx, dy = 0.93 * _WHEEL * math.cos(angle), 0.93 * _WHEEL * math.sin(angle)
        spokes.append(_line(RIM, 0.007, (x - dx, _WHEEL - dy), (x + dx, _WHEEL + dy)))
    return [*spokes, _ring(TYRE, 0.03, x, _WHEEL, _WHEEL - 0.015), _disc(DARK, x, _WHEEL, 0.02)]


def bicycle(phase: float, look: Look) -> list[Part]:
    """A bicycle with its rider, whose feet turn the cranks; two labels, as COCO has them."""
    back, front = (-0.31, _WHEEL), (0.31, _WHEEL)
    crank, saddle, head = (-0.04, 0.20), (-0.13, 0.50), (0.215, 0.50)
    turn = -phase / (_WHEEL * 2.4)
    pedals = [(crank[0] + 0.075 * math.cos(turn + a), crank[1] + 0.075 * math.sin(turn + a)) for a in (0.0, math.pi)]
    frame, width = shade(look.paint, 1.15), 0.026
    machine = [
        *_cycle_wheel(back[0], phase),
        *_cycle_wheel(front[0], phase),
        _line(frame, width, back, crank, saddle, back),
        _line(frame, width, saddle, head, crank),
        _line(frame, width, front, head, (0.20, 0.57)),
        _line(DARK, 0.024, (0.20, 0.57), (0.27, 0.585)),
        _line(DARK, 0.04, (-0.19, 0.515), (-0.08, 0.515)),
        _disc(DARK, crank[0], crank[1], 0.035),
        _line(DARK, 0.018, pedals[0], pedals[1]),
    ]
    hip, shoulder, hand = (-0.13, 0.55), (0.06, 0.80), (0.235, 0.60)
    far = _two_bones(hip, pedals[1], 0.225, 1.0)
    near = _two_bones(hip, pedals[0], 0.225, 1.0)
    elbow = _two_bones(shoulder, hand, 0.145, -1.0)
    torso = _line(look.main, 0.13 * look.build, (-0.10, 0.58), (0.045, 0.775))
    rider = [
        _line(shade(look.second, 0.7), 0.07, hip, far, pedals[1]),
        torso,
        _line(look.second, 0.075, hip, near, pedals[0]),
        _line(DARK, 0.04, pedals[0], (pedals[0][0] + 0.05, pedals[0][1])),
        _line(shade(look.main, 0.85), 0.055, shoulder, elbow, hand),
        _disc(look.skin, hand[0], hand[1], 0.028),
        _disc(look.skin, 0.125, 0.895, 0.058, 0.066),
        _fill(frame, (0.045, 0.905), (0.06, 0.965), (0.12, 0.995), (0.185, 0.965), (0.205, 0.915)),
    ]
    return [Part("bicycle", tuple(machine)), Part("person", tuple(rider))]


# --- car -------------------------------------------------------------------------------------------------------


def _car_wheel(x: float, radius: float, phase: float) -> list[Shape]:
    turn = -phase / radius
    spokes = [
        _line(shade(RIM, 0.55), 0.03, (x, radius),
              (x + 0.13 * math.cos(turn + a), radius + 0.13 * math.sin(turn + a)))
        for a in (0.0, 2.09, 4.19)
    ]  # fmt: skip
    return [_disc(TYRE, x, radius, radius), _disc(RIM, x, radius, radius * 0.62), *spokes]


def car(phase: float, look: Look) -> list[Part]:
    """A car from the side; 2.8 heights long. ``build`` above 1 is an estate with a longer roof."""
    paint, dark = look.paint, shade(look.paint, 0.7)
    rear = -1.02 if look.build > 1.0 else -0.78
    radius = 0.225
    body = [
        _fill(paint, (-1.40, 0.22), (-1.40, 0.58), (-1.30, 0.64), (rear - 0.12, 0.66), (rear + 0.22, 0.98),
              (0.22, 1.0), (0.66, 0.66), (1.22, 0.58), (1.38, 0.48), (1.40, 0.22)),
        _fill(dark, (-1.40, 0.18), (-1.40, 0.34), (1.40, 0.34), (1.40, 0.18)),
        _fill(GLASS, (rear + 0.04, 0.66), (rear + 0.27, 0.91), (-0.24, 0.92), (-0.24, 0.66)),
        _fill(shade(GLASS, 1.2), (-0.16, 0.66), (-0.16, 0.92), (0.19, 0.92), (0.52, 0.66)),
        _line(dark, 0.018, (-0.20, 0.94), (-0.20, 0.30)),
        _line(dark, 0.018, (0.52, 0.62), (0.46, 0.30)),
        _line(shade(paint, 1.3), 0.02, (-1.30, 0.60), (1.15, 0.57)),
        _line(dark, 0.03, (-0.08, 0.55), (0.04, 0.55)),
        _fill((185, 235, 245), (1.26, 0.56), (1.37, 0.48), (1.37, 0.42), (1.22, 0.46)),
        _fill((40, 35, 190), (-1.39, 0.44), (-1.39, 0.58), (-1.28, 0.60), (-1.29, 0.46)),
        _disc(DARK, -0.86, 0.24, 0.27),
        _disc(DARK, 0.86, 0.24, 0.27),
    ]  # fmt: skip
    shapes = [*body, *_car_wheel(-0.86, radius, phase), *_car_wheel(0.86, radius, phase)]
    return [Part("car", tuple(shapes))]


# --- animals ---------------------------------------------------------------------------------------------------


def _paws(
    turn: float, hips: tuple[tuple[float, float], ...], stride: float, bone: float
) -> list[list[tuple[float, float]]]:
    """Hip, knee and paw of four legs at a trot: near hind, near fore, far hind, far fore."""
    legs = []
    for (x, y), offset, bend in zip(hips, (0.0, 0.5, 0.5, 0.0), (-1.0, 1.0, -1.0, 1.0), strict=True):
        dx, dy = _step(turn + offset, stride, 0.10)
        paw = (x + dx, 0.035 + dy)
        legs.append([(x, y), _two_bones((x, y), paw, bone, bend), paw])
    return legs


def dog(phase: float, look: Look) -> list[Part]:
    """A dog trotting: long snout, hanging ear, sickle tail that wags; about 1.45 heights long."""
    fur, dark = look.main, shade(look.main, 0.72)
    turn = phase / 0.9
    wag = 0.10 * math.sin(phase * 9.0)
    near_hind, near_fore, far_hind, far_fore = _paws(
        turn, ((-0.42, 0.46), (0.30, 0.46), (-0.36, 0.46), (0.36, 0.46)), 0.40, 0.24
    )
    shapes = [
        _line(dark, 0.10, *far_hind),
        _line(dark, 0.10, *far_fore),
        _line(fur, 0.075, (-0.50, 0.62), (-0.66, 0.70), (-0.72 + wag * 0.5, 0.88 + wag)),
        _line(fur, 0.30 * look.build, (-0.38, 0.56), (0.26, 0.56)),
        _disc(fur, 0.24, 0.55, 0.20, 0.19),
        _line(fur, 0.19, (0.30, 0.62), (0.46, 0.80)),
        _disc(fur, 0.50, 0.84, 0.145, 0.13),
        _line(fur, 0.105, (0.54, 0.81), (0.72, 0.775)),
        _disc(DARK, 0.765, 0.79, 0.032),
        _line(dark, 0.095, (0.42, 0.90), (0.37, 0.72)),
        _disc(DARK, 0.565, 0.875, 0.02),
        _line(look.paint, 0.045, (0.33, 0.74), (0.45, 0.67)),
        _line(fur, 0.12, *near_hind),
        _line(fur, 0.105, *near_fore),
    ]
    return [Part("dog", tuple(shapes))]


def cat(phase: float, look: Look) -> list[Part]:
    """A cat walking: round head with pointed ears, thin legs, stripes, and a long tail carried upright."""
    fur, dark = look.main, shade(look.main, 0.6)
    turn = phase / 0.75
    sway = 0.05 * math.sin(phase * 5.0)
    near_hind, near_fore, far_hind, far_fore = _paws(
        turn, ((-0.40, 0.36), (0.24, 0.36), (-0.35, 0.36), (0.29, 0.36)), 0.30, 0.185
    )
    stripes = [_line(dark, 0.035, (x, 0.52), (x - 0.03, 0.40)) for x in (-0.34, -0.20, -0.06, 0.08)]
    shapes = [
        _line(dark, 0.07, *far_hind),
        _line(dark, 0.07, *far_fore),
        _line(fur, 0.065, (-0.46, 0.46), (-0.60, 0.56), (-0.60 + sway, 0.80), (-0.50 + 2 * sway, 0.965)),
        _line(fur, 0.25 * look.build, (-0.36, 0.42), (0.20, 0.42)),
        *stripes,
        _disc(fur, 0.38, 0.58, 0.165, 0.145),
        _fill(fur, (0.25, 0.64), (0.27, 0.83), (0.37, 0.70)),
        _fill(fur, (0.39, 0.71), (0.48, 0.83), (0.51, 0.64)),
        _disc((90, 210, 190), 0.45, 0.61, 0.028),
        _disc((150, 150, 215), 0.535, 0.565, 0.02),
        _line(fur, 0.085, *near_hind),
        _line(fur, 0.075, *near_fore),
    ]
    return [Part("cat", tuple(shapes))]


FIGURES: Mapping[str, Callable[[float, Look], list[Part]]] = {
    "person": person,
    "bicycle": bicycle,
    "car": car,
    "cat": cat,
    "dog": dog,
}
