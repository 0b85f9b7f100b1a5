"""From what the network says of each column to a text and its probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from video_worker.readers.seven_segment.alphabet import NOTHING, SYMBOLS

Plane = NDArray[np.float32]


def likelihoods(said: Plane) -> NDArray[np.float64]:
    """Return the logarithms of the probabilities of each symbol at each column.

    Args:
        said: symbols×columns, as the network puts it out.
    """
    shifted = said.astype(np.float64) - said.max(axis=0)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=0)))


def best_symbols(likely: NDArray[np.float64]) -> list[int]:
    """Return the symbols of the likeliest path, from left to right: neighbours that are the same are one symbol."""
    path = likely.argmax(axis=0)
    first = np.append(True, path[1:] != path[:-1])
    return [int(symbol) for symbol in path[first] if symbol != NOTHING]


def probability(likely: NDArray[np.float64], symbols: list[int]) -> float:
    """Return how probable it is that a crop says exactly `symbols`: the sum over all ways to place them."""
    states = np.full(2 * len(symbols) + 1, NOTHING)
    states[1::2] = symbols
    # a symbol may follow the one before it directly, unless they are the same
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    per_column = likely[states].T
    reached = np.full(len(states), -np.inf)
    reached[:2] = per_column[0, :2]
    for column in per_column[1:]:
        one = np.append(-np.inf, reached[:-1])
        two = np.where(skips, np.append([-np.inf, -np.inf], reached)[: len(states)], -np.inf)
        reached = np.logaddexp(np.logaddexp(reached, one), two) + column
    return float(np.exp(np.logaddexp.reduce(reached[-2:])))


def text_of(symbols: list[int]) -> str:
    """Return symbols as a text."""
    return "".join(SYMBOLS[symbol] for symbol in symbols)
