"""What drawn displays show: numbers, times and messages as such displays have them."""

from __future__ import annotations

import numpy as np

MESSAGES = ("Err", "E-{d}", "E{dd}", "Lo", "H{d}", "0FF", "0n", "---", "----", "{dd}.{d}C", "{dd}C", "{dd}F", "F{d}",
            "P{d}", "P{dd}", "L{d}", "HELP", "Er{d}", "n{d}", "r{dd}", "C{d}.{d}", "{d}H", "EEEE", "no")  # fmt: skip


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(str(digit) for digit in rng.integers(10, size=count))


def _number(rng: np.random.Generator, cells: int) -> str:
    blanks = int(rng.integers(cells)) if rng.random() < 0.35 else 0
    minus = cells - blanks > 1 and rng.random() < 0.15
    count = cells - blanks - minus
    text = _digits(rng, count)
    if rng.random() < 0.6:
        place = count - int(rng.choice([1, 2, 3, count, 0], p=[0.45, 0.3, 0.1, 0.1, 0.05]))
        text = text[: max(place, 1)] + "." + text[max(place, 1) :]
    front = " " * blanks
    return ("-" + front if rng.random() < 0.3 else front + "-") + text if minus else front + text


def _message(rng: np.random.Generator, cells: int) -> str:
    text = str(rng.choice(MESSAGES))
    for mark in ("{dd}", "{d}", "{d}"):
        text = text.replace(mark, _digits(rng, len(mark) - 2), 1)
    text = text if rng.random() < 0.8 else text + _digits(rng, 2)
    return text[: cells + text.count(".")]


def content(rng: np.random.Generator, cells: int) -> str:
    """Return a text for so many cells; a space is a cell that is dark, a point belongs to the cell before it."""
    way = rng.random()
    if way < 0.72:
        return _number(rng, cells)
    if way < 0.82 and cells >= 3:
        hours = _digits(rng, min(2, cells - 2))
        text = f"{hours}:{_digits(rng, 2)}"
        return text + (":" + _digits(rng, 2) if cells >= 6 else "")
    if way < 0.91:
        return _message(rng, cells)
    # any mix, so that the network relies on no rule of numbers
    places = rng.random((2, cells))
    digits = _digits(rng, cells)
    return "".join(
        (" " if blank < 0.12 else digit) + "." * int(point < 0.25)
        for digit, blank, point in zip(digits, places[0], places[1], strict=True)
    )
