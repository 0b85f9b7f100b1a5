"""A drawn control panel with displays, lamps and pages: a camera picture whose readings are known.

Pure and deterministic: the same seed, size and time give the same pixels and the same truth. A change of a value takes
its time, as on real displays; a reflection wanders over the panel, and hides a display now and then. Both are in the
truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.figure_drawing import SensorNoise
from camera_emulator.panel import schedules
from camera_emulator.panel.displays import COUNTER_DIGITS, Displays, is_on, mixed
from camera_emulator.panel.glare import UNREADABLE, glare_of
from camera_emulator.panel.look import WIDTH, Box, Matrix, look_of, project
from camera_emulator.panel.pages import SPEED_BOX, draw_page
from camera_emulator.panel.plate import draw_plate
from camera_emulator.panel.schedules import Schedule, State
from camera_emulator.scene import check_size

Image = npt.NDArray[np.uint8]
Corners = list[tuple[float, float]]
"""Upper left, upper right, lower right, lower left; shares of the picture."""
Visibility = Literal["shown", "changing", "glare", "absent"]

DEVICES = ("pressure", "temperature", "counter", "message", "order", "screen", "speed", "alarm", "run")
CHANGE_S = {
    "pressure": 0.04, "temperature": 0.22, "counter": 0.5, "message": 0.10, "order": 0.45, "screen": 0.25,
    "speed": 0.04, "alarm": 0.10, "run": 0.10,
}  # fmt: skip
"""How long a change takes, seconds: an LED's is over within a frame's exposure, liquid crystals and drums are slow."""

_PLATE_FINER = 1.0  # pixels of the plate per pixel of the frame
_NOISE_SIGMA = 2.2  # grey levels; a small sensor indoors
_GLARE_GRID = 7  # points across and down a display at which the glare is looked at


@dataclass(frozen=True)
class Nudge:
    """Somebody knocks against the camera.

    Attributes:
        at_s: when.
        right, down: by which share of the picture's width or height things appear to move.
        turn: degrees clockwise, around the middle of the picture.
        zoom: factor by which things appear larger.
    """

    at_s: float
    right: float = 0.0
    down: float = 0.0
    turn: float = 0.0
    zoom: float = 1.0


@dataclass(frozen=True)
class Reading:
    """What a device displays at a moment.

    Attributes:
        value: of the display; ``on`` or ``off`` of a lamp; a page's name. None where there is none.
        state: ``shown`` where a person is sure of it, ``changing`` while it turns from `before` into `value`, ``glare``
            where a reflection hides it, ``absent`` where its page is not displayed.
        before: the value before, while it changes.
    """

    value: str | None
    state: Visibility
    before: str | None = None


class PanelScene:
    """The picture of the panel and its truth at any time.

    Args:
        seed: chooses how the panel looks, what it displays when, and where the glare is.
        size: width and height of a frame, pixels, both even.
        fps: how often the sensor noise changes, per second.
        noise: its standard deviation, grey levels; 0 for clean pictures.
        nudges: of the camera, in the order of time; each is added to those before it.
        glare: whether there is any.
    """

    def __init__(
        self,
        seed: int = 0,
        size: tuple[int, int] = (1280, 720),
        fps: float = 15.0,
        noise: float = _NOISE_SIGMA,
        nudges: Sequence[Nudge] = (),
        glare: bool = True,
    ) -> None:
        check_size(size)
        self.seed, self.size, self.fps = seed, size, fps
        self.look = look_of(seed)
        self._unit = _PLATE_FINER * size[0] / WIDTH
        self._displays = Displays(self.look, self._unit)
        self._plate = draw_plate(self.look, self._unit, np.random.default_rng([seed, 2]))
        self._noise = SensorNoise(np.random.default_rng([seed, 3]), size, noise)
        self._schedules = _schedules(seed, self.look.decimals)
        self._glare = glare_of(seed) if glare else None
        self.nudges = tuple(nudges)

    def frame(self, t: float) -> Image:
        """Return the frame at `t` seconds: BGR, uint8, (height, width, 3), a new array each time."""
        ambient = 1.0 + 0.05 * np.sin(t / 11.0 + self.seed) + 0.02 * np.sin(t / 2.9)
        plate = np.asarray(cv2.convertScaleAbs(self._plate, alpha=ambient), np.uint8)
        for name, picture in self._windows(t).items():
            left, top = (round(side * self._unit) for side in self.look.boxes[name][:2])
            # what reflects is lit like the plate
            lit = (
                cv2.convertScaleAbs(picture, alpha=ambient) if name in ("temperature", "counter", "order") else picture
            )
            plate[top : top + lit.shape[0], left : left + lit.shape[1]] = lit
        for name in ("alarm", "run"):
            self._put_lamp(plate, name, t)
        width, height = self.size
        to_pixels = np.diag([width, height, 1.0]) @ self._matrix(t) @ np.diag([1 / self._unit, 1 / self._unit, 1.0])
        image = cv2.warpPerspective(plate, to_pixels, self.size, flags=cv2.INTER_LINEAR, borderValue=(52, 50, 50))
        if self._glare is not None:
            self._glare.add(np.asarray(image, np.uint8), t)
        frame = np.asarray(image, np.uint8)
        self._noise.add(frame, np.random.default_rng([self.seed, 4, round(t * self.fps)]))
        return frame

    def truth(self, t: float) -> dict[str, Reading]:
        """Return what each device displays at `t` seconds, and whether a person could read it."""
        return {name: self.truth_of(name, t) for name in DEVICES}

    def places(self, t: float = 0.0) -> dict[str, Corners]:
        """Return the corners of each device at `t` seconds."""
        matrix = self._matrix(t)
        found = {}
        for name in DEVICES:
            left, top, right, bottom = self._box(name)
            corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
            found[name] = [(float(x), float(y)) for x, y in project(matrix, corners)]
        return found

    def nudged(self, t: float) -> Matrix:
        """Return the matrix that maps points of frames before any nudge to those of a frame at `t`, both 0..1."""
        found = np.eye(3)
        for nudge in self.nudges:
            if nudge.at_s <= t:
                found = _matrix_of(nudge, self.size) @ found
        return found

    def moment_of(self, page: str, begin: float = 0.0) -> float:
        """Return a moment at which a page is displayed, the screen does not change, and there is little glare."""
        number = round(begin * self.fps)
        while True:
            t = number / self.fps
            reading = self.truth_of("screen", t)
            glare = 0.0 if self._glare is None else self._glare.peak(t)
            if reading.value == page and reading.state == "shown" and glare < UNREADABLE / 2:
                return t
            number += 1

    def truth_of(self, name: str, t: float) -> Reading:
        """Return what one device displays at `t` seconds."""
        state = self._schedules[name].at(t)
        value, before = state.now or None, state.before or None
        if name == "speed":
            screen = self._schedules["screen"].at(t)
            if schedules.OVERVIEW not in (screen.now, screen.before if _is_changing("screen", screen) else screen.now):
                return Reading(None, "absent")
            if _is_changing("screen", screen):
                shown = value if screen.now == schedules.OVERVIEW else None
                return Reading(shown, "changing", value if shown is None else None)
        if _is_changing(name, state):
            return Reading(value, "changing", before)
        is_hidden = self._glare is not None and self._glare.peak(t) > UNREADABLE < self._strength(name, t)
        return Reading(value, "glare" if is_hidden else "shown")

    def _strength(self, name: str, t: float) -> float:
        """Return the glare over a device, where it is strongest."""
        if self._glare is None:
            return 0.0
        left, top, right, bottom = self._box(name)
        x, y = np.meshgrid(np.linspace(left, right, _GLARE_GRID), np.linspace(top, bottom, _GLARE_GRID))
        points = project(self._matrix(t), np.stack([x.ravel(), y.ravel()], axis=1))
        strengths = self._glare.strength(t, points)
        # a page is known by most of it, all else only as a whole
        return float(np.median(strengths) if name == "screen" else strengths.max())

    def _matrix(self, t: float) -> Matrix:
        """Return what maps units of the panel to shares of the picture."""
        return np.asarray(self.nudged(t) @ self.look.view, np.float64)

    def _box(self, name: str) -> Box:
        if name != "speed":
            return self.look.boxes[name]
        left, top, right, bottom = self.look.boxes["screen"]
        width, height = right - left, bottom - top
        a, b, c, d = SPEED_BOX
        return left + a * width, top + b * height, left + c * width, top + d * height

    def _windows(self, t: float) -> dict[str, Image]:
        """Return the pictures of the displays."""
        found = {}
        draws = {"pressure": self._displays.led, "temperature": self._displays.lcd, "message": self._displays.line}
        for name, draw in draws.items():
            state = self._schedules[name].at(t)
            found[name] = mixed(draw(state.before), draw(state.now), state.since_s / CHANGE_S[name])
        order, paper = self._schedules["order"].at(t), self._displays.order
        # electronic paper is cleared before it is written on
        written = 2 * order.since_s / CHANGE_S["order"] - 1
        cleared = mixed(paper(order.before), paper(""), written + 1)
        found["order"] = cleared if written <= 0 else mixed(paper(""), paper(order.now), written)
        counter = self._schedules["counter"].at(t)
        found["counter"] = self._displays.counter(
            counter.before, counter.now, min(1.0, counter.since_s / CHANGE_S["counter"])
        )
        screen, speed = self._schedules["screen"].at(t), self._schedules["speed"].at(t).now
        size = self._displays.size("screen")
        page = draw_page(screen.now, size, t, speed)
        if _is_changing("screen", screen):
            page = mixed(draw_page(screen.before, size, t, speed), page, screen.since_s / CHANGE_S["screen"])
        found["screen"] = page
        return found

    def _put_lamp(self, plate: Image, name: str, t: float) -> None:
        state = self._schedules[name].at(t)
        share = min(1.0, state.since_s / CHANGE_S[name])
        lamp, covered = self._displays.lamp(name, is_on(state.before) * (1 - share) + is_on(state.now) * share)
        left, top = (round(side * self._unit) for side in self.look.boxes[name][:2])
        part = plate[top : top + lamp.shape[0], left : left + lamp.shape[1]]
        part[:] = np.rint(part + (lamp.astype(np.float32) - part) * covered)


def _is_changing(name: str, state: State) -> bool:
    return state.since_s < CHANGE_S[name]


def _schedules(seed: int, decimals: int) -> dict[str, Schedule]:
    dice = {name: np.random.default_rng([seed, 5, number]) for number, name in enumerate(DEVICES)}
    span = (0.0, 99.9) if decimals == 1 else (0.0, 9.99)
    return {
        "pressure": Schedule(schedules.numbers(dice["pressure"], decimals, *span, 0.06 * span[1], (0.7, 1.6))),
        "temperature": Schedule(schedules.numbers(dice["temperature"], 1, -35.0, 130.0, 9.0, (0.9, 1.9))),
        "counter": Schedule(
            schedules.counts(dice["counter"], int(dice["counter"].integers(900_000)), (1.1, 2.6), COUNTER_DIGITS)
        ),
        "message": Schedule(schedules.messages(dice["message"])),
        "order": Schedule(schedules.orders(dice["order"])),
        "screen": Schedule(schedules.pages(dice["screen"])),
        "speed": Schedule(schedules.numbers(dice["speed"], 0, 800, 1900, 60.0, (1.0, 2.2))),
        "alarm": Schedule(schedules.switched(dice["alarm"], (1.0, 4.0), (2.0, 7.0))),
        "run": Schedule(schedules.switched(dice["run"], (4.0, 11.0), (1.0, 5.0))),
    }


def _matrix_of(nudge: Nudge, size: tuple[int, int]) -> Matrix:
    """Return what maps points before a nudge to those after it, both 0..1."""
    aspect = size[0] / size[1]
    angle = np.deg2rad(nudge.turn)
    cosine, sine = nudge.zoom * np.cos(angle), nudge.zoom * np.sin(angle)
    around = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    wide = np.diag([aspect, 1.0, 1.0])
    turned = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1.0]])
    back = np.array([[1, 0, 0.5 + nudge.right], [0, 1, 0.5 + nudge.down], [0, 0, 1.0]])
    return np.asarray(back @ np.linalg.inv(wide) @ turned @ wide @ around, np.float64)
