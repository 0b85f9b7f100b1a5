"""Numbers of displays: parsing, how fast they may change, and counters that only rise. Pure: no file, no clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared_utils.config.zones.model import CounterRules

AGREEING = 3
"""Refused numbers in a row, each near the one before, from which they count: the display did jump, or the number before
was wrong."""
GAP_S = 60.0
"""Time without a reading after which a counter's rise has to be confirmed by a second one: there is much room for wrong
digits by then, and what was too high once would never be corrected."""
SLOW_SHARE = 1.5
"""The same for counters that are read seldom, in intervals of the readings."""
MINUTE_S = 60.0
MAX_DIGITS = 15
"""Of a number: more are not exact as JSON's numbers."""

_NUMBER = re.compile(rf"([+-]?)([0-9]{{0,{MAX_DIGITS}}})(?:\.([0-9]{{0,{MAX_DIGITS}}}))?")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2014": "-"})


@dataclass(frozen=True)
class Number:
    """A number as a display shows it.

    Attributes:
        value: the number.
        digits: how many it has, leading zeros included.
        decimals: how many of them follow the point.
    """

    value: Decimal
    digits: int
    decimals: int

    @property
    def step(self) -> Decimal:
        """Worth of its last digit."""
        return Decimal(1).scaleb(-self.decimals)

    def with_value(self, value: Decimal) -> str:
        """Return another value as the same display would show it, with a decimal point, and without blanks."""
        sign = "-" if value.is_signed() else ""
        digits = str(int(abs(value).scaleb(self.decimals))).rjust(self.digits, "0")
        return f"{sign}{digits[: -self.decimals]}.{digits[-self.decimals :]}" if self.decimals else f"{sign}{digits}"


def parse_number(text: str) -> Number | None:
    """Return the number that a text is; None for anything else.

    Blanks are left out. A comma is the decimal point where it is the only separator, as in ``12,4``; of two kinds, the
    last one is, as in ``1.234,5``.
    """
    plain = "".join(text.split()).translate(_MINUS)
    point, comma = plain.rfind("."), plain.rfind(",")
    if point >= 0 and comma >= 0:
        plain = plain.replace("," if comma < point else ".", "")
    plain = plain.replace(",", ".")
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return None
    sign, whole, part = match.group(1), match.group(2), match.group(3) or ""
    if not 0 < len(whole + part) <= MAX_DIGITS:
        return None
    return Number(Decimal(f"{sign}{whole or 0}.{part}"), len(whole + part), len(part))


class StepRule:
    """A number that changes by at most so much per second.

    Args:
        max_step_per_s: greatest change per second. The last digit may change by one at any time.
    """

    def __init__(self, max_step_per_s: float) -> None:
        self._rate = Decimal(repr(max_step_per_s))
        self._last: tuple[Decimal, float] | None = None
        self._refused: tuple[Decimal, float] | None = None
        self._agreeing = 0

    def accepts(self, time_s: float, number: Number) -> bool:
        """Take a number, in the order of time; return whether it can be right."""
        if self._last is None or self._is_near(self._last, time_s, number):
            self.note(time_s, number.value)
            return True
        agrees = self._refused is not None and self._is_near(self._refused, time_s, number)
        self._agreeing = self._agreeing + 1 if agrees else 1
        self._refused = number.value, time_s
        if self._agreeing < AGREEING:
            return False
        self.note(time_s, number.value)
        return True

    def note(self, time_s: float, value: Decimal) -> None:
        """Take note of a number that is right."""
        self._last, self._refused, self._agreeing = (value, time_s), None, 0

    def _is_near(self, before: tuple[Decimal, float], time_s: float, number: Number) -> bool:
        room = self._rate * Decimal(max(0.0, time_s - before[1])) + number.step
        return abs(number.value - before[0]) <= room

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        return {"last": _pair(self._last), "refused": _pair(self._refused), "agreeing": self._agreeing}

    def resume(self, state: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`state`, whose times are by `later_s` ahead.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        self._last, self._refused = _of_pair(state["last"], later_s), _of_pair(state["refused"], later_s)
        self._agreeing = int(state["agreeing"])


class CounterRule:
    """A counter that only rises, by at most so much per minute.

    It begins with two readings that agree: a first one that was too high would never be corrected. A digit that is
    half rolled is read as the lower one, where the digits behind it show that it rolls: 1399 or 1200 between 1299 and
    1300 is 1299. What cannot be told is refused.

    Args:
        rules: greatest rise, and where it begins.
        every_s: time between two readings.
    """

    def __init__(self, rules: CounterRules, every_s: float) -> None:
        self._rate = Decimal(repr(rules.max_per_min))
        self._start = None if rules.start is None else Decimal(repr(rules.start))
        self._gap_s = max(GAP_S, SLOW_SHARE * every_s)
        self._last: tuple[Decimal, float] | None = None
        self._unconfirmed: tuple[Decimal, float] | None = None

    def take(self, time_s: float, number: Number) -> Decimal | None:
        """Take a reading, in the order of time; return the counter's value; None where it cannot be told."""
        value = number.value
        before, self._unconfirmed = self._unconfirmed, None
        if self._last is None:
            if self._start is not None and value < self._start:
                return None
        elif not self._follows(self._last, time_s, value, number.step):
            return self._half_rolled(time_s, number)
        elif self._follows(self._last, min(time_s, self._last[1] + self._gap_s), value, number.step):
            self.note(time_s, value)
            return value
        if before is None or not self._follows(before, time_s, value, number.step):
            self._unconfirmed = value, time_s
            return None
        self.note(time_s, value)
        return value

    def note(self, time_s: float, value: Decimal) -> None:
        """Take note of a value that is right."""
        self._last, self._unconfirmed = (value, time_s), None

    def _follows(self, before: tuple[Decimal, float], time_s: float, value: Decimal, step: Decimal) -> bool:
        room = self._rate * Decimal(max(0.0, time_s - before[1])) / Decimal(MINUTE_S) + step
        return before[0] <= value <= before[0] + room

    def _half_rolled(self, time_s: float, number: Number) -> Decimal | None:
        """Return the lower of the two values between which the counter rolls; None where none of them can be."""
        last = (self._last or (number.value, time_s))[0]
        found = {value for value in _lower_ones(number) if value in (last, last + number.step)}
        if len(found) != 1:
            return None
        value = found.pop()
        self.note(time_s, value)
        return value

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        return {"last": _pair(self._last), "unconfirmed": _pair(self._unconfirmed)}

    def resume(self, state: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`state`, whose times are by `later_s` ahead.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        self._last, self._unconfirmed = _of_pair(state["last"], later_s), _of_pair(state["unconfirmed"], later_s)


def _lower_ones(number: Number) -> Iterator[Decimal]:
    """Yield the values at which a counter begins to roll that may be read so: 9 and 0 mixed behind a digit."""
    whole = int(number.value.scaleb(number.decimals))
    for count in range(1, number.digits):
        below = 10**count
        if not set(str(whole % below).rjust(count, "0")) <= {"0", "9"}:
            return
        for ahead in (whole // below, whole // below - 1):
            if ahead >= 0:
                yield Decimal(ahead * below + below - 1).scaleb(-number.decimals)


def _pair(value: tuple[Decimal, float] | None) -> list[Any] | None:
    return None if value is None else [f"{value[0]:f}", value[1]]


def _of_pair(pair: Any, later_s: float) -> tuple[Decimal, float] | None:
    if pair is None:
        return None
    text, time_s = pair
    if not _NUMBER.fullmatch(str(text)):
        raise ValueError(f"{text!r} is no number of a state")
    return Decimal(text), float(time_s) + later_s
