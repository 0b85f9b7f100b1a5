"""Finds objects that are one: detectors give some objects two boxes for a while, and the tracker a track for each.

Somebody half hidden is found as a whole and as a part of the whole, again and again. Two boxes that cover the same area
and have a label in common are the same object when they do so for some time. Two people who pass each other overlap as
much, but only for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from video_worker.pipeline.box_geometry import iou, nested_share

SAME_IOU = 0.6
"""IoU from which two boxes cover the same area."""
PART_IOU, PART_SHARE = 0.4, 0.85
"""The same where this share of the smaller one lies within the larger one: a person, and the legs alone."""
APART_IOU, APART_SHARE = 0.4, 0.6
"""IoU and share below which they are apart; what begins on an object, and is not apart from it, belongs to it."""
JOIN_S = 0.4
"""Seconds for which two that were never apart have to cover the same area to be one."""
JOIN_LATE_S = 1.2
"""The same for two that were apart before."""
APART_S = 0.4
"""Seconds for which two have to be apart to be two again."""
MIN_SIMILARITY = 0.15
"""What the shares of the labels' scores have in common, from which two objects are alike."""
SLACK_S = 1e-6
"""Rounding of sums of seconds."""


class Seen(Protocol):
    """An object in sight; sizes are in heights of the picture, and `box` in shares of its sides."""

    number: int
    box: tuple[float, float, float, float]
    aspect: float
    known: dict[str, float]


@dataclass
class _Pair:
    """Two objects. `same_s`, `apart_s`: for how long they are the same, or apart, now; `were_apart`: ever before."""

    same_s: float = 0.0
    apart_s: float = 0.0
    were_apart: bool = False


@dataclass(frozen=True)
class _Bond:
    """That a twin belongs to an owner; `always`: since both are in sight."""

    owner: int
    always: bool


class Twins:
    """Watches all pairs of objects of one source."""

    def __init__(self) -> None:
        self._bonds: dict[int, _Bond] = {}
        self._pairs: dict[tuple[int, int], _Pair] = {}

    @property
    def numbers(self) -> set[int]:
        """Numbers of the objects that are second views of others."""
        return set(self._bonds)

    def owner_of(self, number: int) -> int | None:
        """Return the object that this one is a second view of; None where it is one of its own."""
        bond = self._bonds.get(number)
        return None if bond is None else bond.owner

    def update(self, seen: Sequence[Seen], step_s: float) -> tuple[list[int], list[int]]:
        """Take the objects in sight in a frame.

        Args:
            seen: objects in sight.
            step_s: seconds since the frame before.

        Returns:
            Numbers of twins that are objects of their own: those that were so before they became twins, and those that
            have never been any.
        """
        before: list[int] = []
        fresh: list[int] = []
        if len(seen) > 1:
            corners = np.array([one.box for one in seen], np.float64) * np.array([seen[0].aspect, 1.0] * 2)
            overlaps = iou(corners, corners)
            shares = np.stack([nested_share(box, corners) for box in corners])
            for one, other in combinations(range(len(seen)), 2):
                bond = self._see(seen[one], seen[other], overlaps[one, other], shares[one, other], step_s)
                if bond is not None:
                    (fresh if bond[1].always else before).append(bond[0])
        return before, fresh

    def begin(self, fresh: Seen, seen: Sequence[Seen]) -> None:
        """Take an object that was not seen before: one that begins on another one is a second view of it."""
        near = []
        for other in seen:
            corners = np.array([other.box, fresh.box], np.float64) * np.array([fresh.aspect, 1.0] * 2)
            share = float(nested_share(corners[1], corners[:1])[0])
            if share >= APART_SHARE and similarity(fresh.known, other.known) >= MIN_SIMILARITY:
                near.append((share, -other.number, other))
        if near:
            owner = max(near, key=lambda one: one[:2])[2].number
            self._join(fresh.number, self.owner_of(owner) or owner, always=True)

    def _see(self, one: Seen, other: Seen, overlap: float, share: float, step_s: float) -> tuple[int, _Bond] | None:
        """Take what two objects have in common; return the twin that parts, and what it was."""
        key = (min(one.number, other.number), max(one.number, other.number))
        pair = self._pairs.setdefault(key, _Pair())
        if overlap < APART_IOU and share < APART_SHARE:
            pair.same_s, pair.apart_s = 0.0, pair.apart_s + step_s
            if pair.apart_s < APART_S - SLACK_S:
                return None
            pair.were_apart = True
            return self._part(*key) or self._part(*key[::-1])
        pair.apart_s = 0.0
        is_same = overlap >= SAME_IOU or (overlap >= PART_IOU and share >= PART_SHARE)
        pair.same_s = pair.same_s + step_s if is_same else max(0.0, pair.same_s - step_s)
        wanted_s = JOIN_LATE_S if pair.were_apart else JOIN_S
        if pair.same_s >= wanted_s - SLACK_S and similarity(one.known, other.known) >= MIN_SIMILARITY:
            weak, strong = sorted((one, other), key=lambda found: (sum(found.known.values()), -found.number))
            self._join(weak.number, strong.number, always=not pair.were_apart)
        return None

    def _join(self, twin: int, owner: int, *, always: bool) -> None:
        if twin in self._bonds or owner in self._bonds:
            return
        self._bonds[twin] = _Bond(owner, always)
        for number, bond in self._bonds.items():
            if bond.owner == twin:
                self._bonds[number] = replace(bond, owner=owner)

    def _part(self, twin: int, owner: int) -> tuple[int, _Bond] | None:
        bond = self._bonds.get(twin)
        return (twin, self._bonds.pop(twin)) if bond is not None and bond.owner == owner else None

    def state(self) -> list[Any]:
        """Return which objects are second views of which others, as JSON takes it."""
        return [[twin, bond.owner, bond.always] for twin, bond in self._bonds.items()]

    def resume(self, state: Iterable[Any]) -> None:
        """Go on from a :meth:`state`.

        Raises:
            ValueError, TypeError: it is none.
        """
        self._bonds = {int(twin): _Bond(int(owner), bool(always)) for twin, owner, always in state}

    def forget(self, known: Iterable[int]) -> None:
        """Forget all objects but the `known` ones."""
        there = set(known)
        self._pairs = {key: pair for key, pair in self._pairs.items() if there.issuperset(key)}
        self._bonds = {twin: bond for twin, bond in self._bonds.items() if twin in there and bond.owner in there}


def similarity(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return what two sets of labels have in common, 0..1: by the shares of their scores."""
    one_sum, other_sum = sum(one.values()), sum(other.values())
    return sum(min(score / one_sum, other[label] / other_sum) for label, score in one.items() if label in other)
