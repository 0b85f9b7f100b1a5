"""What each device of the panel displays when: pure, endless, and the same for each seed."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator

OVERVIEW, RECIPE, ALARM = "overview", "recipe", "alarm"
PAGES = (OVERVIEW, RECIPE, ALARM)
DARK = ""
"""The screen displays no page."""
ON, OFF = "on", "off"

MESSAGE_CHARACTERS = 16
_MESSAGES: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("PUMP {} READY", ((1, 9),)),
    ("FILLING {} %", ((10, 99),)),
    ("HEATER ON", ()),
    ("VALVE {} OPEN", ((1, 12),)),
    ("BATCH {} OK", ((1000, 9999),)),
    ("STEP {} OF {}", ((2, 8), (9, 19))),
    ("DOOR CLOSED", ()),
    ("CYCLE {} S", ((12, 95),)),
    ("MOTOR {} RUN", ((1, 6),)),
    ("LEVEL {}.{} %", ((10, 99), (0, 9))),
    ("WAIT FOR START", ()),
    ("PRESS KEY F{}", ((1, 8),)),
)
"""Lines, and the range of each number in them."""
_ORDER_LETTERS = "ACEFHKLMNPRTUVWXY"
"""Those of an order's number: letters that look like digits are not used for such numbers."""


@dataclass(frozen=True)
class State:
    """What a device displays.

    Attributes:
        now, before: the value, and the one before it.
        since_s: time since it changed.
    """

    now: str
    before: str
    since_s: float


class Schedule:
    """The values of a device over time.

    Args:
        steps: moments from 0 on, rising, and the values from then on, without an end.
    """

    def __init__(self, steps: Iterator[tuple[float, str]]) -> None:
        self._steps = steps
        self._times: list[float] = []
        self._values: list[str] = []

    def at(self, t: float) -> State:
        """Return what it displays at `t` seconds, 0 or later."""
        while not self._times or self._times[-1] <= t:
            moment, value = next(self._steps)
            self._times.append(moment)
            self._values.append(value)
        index = bisect.bisect_right(self._times, t) - 1
        if index == 0:
            return State(self._values[0], self._values[0], math.inf)
        return State(self._values[index], self._values[index - 1], t - self._times[index])


def numbers(
    dice: Rng, decimals: int, low: float, high: float, step: float, every_s: tuple[float, float]
) -> Iterator[tuple[float, str]]:
    """Yield a number that wanders between bounds, and changes each time."""
    unit = 10.0**-decimals
    t, value = 0.0, float(dice.uniform(low, high))
    while True:
        yield t, f"{value:.{decimals}f}"
        t += float(dice.uniform(*every_s))
        shift = float(dice.normal(0, step))
        value += math.copysign(max(abs(shift), unit), shift)
        # it turns back at its bounds
        value = low + abs(value - low) if value < low else high - abs(high - value) if value > high else value


def counts(dice: Rng, start: int, every_s: tuple[float, float], digits: int) -> Iterator[tuple[float, str]]:
    """Yield a number that rises by one each time."""
    t, value = 0.0, start
    while True:
        yield t, f"{value % 10**digits:0{digits}d}"
        t += float(dice.uniform(*every_s))
        value += 1


def messages(dice: Rng) -> Iterator[tuple[float, str]]:
    """Yield lines of words and numbers."""
    t, before = 0.0, ""
    while True:
        line, ranges = _MESSAGES[int(dice.integers(len(_MESSAGES)))]
        text = line.format(*(_number(dice, *one) for one in ranges))
        if text != before:
            yield t, text
            t += float(dice.uniform(1.6, 3.4))
        before = text


def orders(dice: Rng) -> Iterator[tuple[float, str]]:
    """Yield numbers of orders, such as ``K4821-07``."""
    t = 0.0
    while True:
        letter = _ORDER_LETTERS[int(dice.integers(len(_ORDER_LETTERS)))]
        yield t, f"{letter}{_number(dice, 1000, 9999)}-{_number(dice, 1, 99):02d}"
        t += float(dice.uniform(1.8, 3.6))


def pages(dice: Rng) -> Iterator[tuple[float, str]]:
    """Yield names of pages; :data:`DARK` now and then."""
    t, before = 0.0, OVERVIEW
    yield t, before
    while True:
        t += float(dice.uniform(3.0, 7.0) * (1.6 if before == OVERVIEW else 1.0))
        others = [page for page in (*PAGES, DARK) if page != before]
        weights = np.array([{OVERVIEW: 3.0, DARK: 0.6}.get(page, 1.5) for page in others])
        before = str(dice.choice(others, p=weights / weights.sum()))
        yield t, before


def switched(dice: Rng, on_s: tuple[float, float], off_s: tuple[float, float]) -> Iterator[tuple[float, str]]:
    """Yield ``on`` and ``off`` by turns."""
    t, state = 0.0, ON if dice.random() < 0.5 else OFF
    while True:
        yield t, state
        t += float(dice.uniform(*(on_s if state == ON else off_s)))
        state = OFF if state == ON else ON


def _number(dice: Rng, low: int, high: int) -> int:
    return int(dice.integers(low, high + 1))
