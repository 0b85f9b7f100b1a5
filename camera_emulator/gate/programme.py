"""Who comes to the gate, when, and which way each one takes: from a seed.

Visits of one to four figures, with quiet seconds in between. Each figure takes a **way**: it passes through, lingers,
stands on an edge, or turns back somewhere. Several figures follow one another, pass one another, meet and stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, count, pairwise

import numpy as np

from camera_emulator.figure_drawing import HALF_LENGTHS, HORIZON, PERSON_HEIGHT
from camera_emulator.figures import Look, random_look
from camera_emulator.gate.ground import GATE, LOITER_S, MEETING, MIN_S, STOPS, YARD, edges_at, line_at

QUIET_S = (3.0, 5.0)
FIRST_QUIET_S = (4.0, 5.0)
SPEEDS = {"person": (0.10, 0.17), "car": (0.15, 0.25)}
"""Widths of the picture per second."""
TALL = {"person": 1.0, "car": 0.67}
"""Heights, in heights of a person at the same place."""
NEAR, FAR, ROAD_NEAR, ROAD_FAR = (0.865, 0.915), (0.545, 0.575), (0.765, 0.80), (0.655, 0.68)
"""Bands of the ground for feet and wheels."""

WAYS = {
    "passes": 0.24,
    "lingers": 0.14,
    "stands on an edge": 0.14,
    "turns back before the yard": 0.10,
    "turns back before the gate": 0.12,
    "turns back behind the gate": 0.10,
    "turns back behind the yard": 0.06,
    "goes to and fro": 0.10,
}
"""Ways of who is alone, and how often."""
VISITS = {"one": 0.45, "two pass each other": 0.14, "two meet": 0.12, "two in a row": 0.10, "several": 0.19}
"""Kinds of visits, and how often."""
SLOWING, SLOWING_STEP_S = (0.8, 0.6, 0.4, 0.2), 0.2
"""Who stops has these shares of the speed before, for so many seconds each; who goes on has them in reverse."""
HIDDEN_S, HIDDEN_SHARE = 2.5, 0.18
"""Longest time that somebody may be behind another, and how near, in heights of the figure, both are then."""
DRAWS = 20
"""Draws of places and pauses, after which another speed is drawn as well."""
SURE_S = 0.8
"""Seconds by which a stay is longer or shorter than what tells it from another kind."""


@dataclass(frozen=True)
class Passage:
    """One figure's way.

    Attributes:
        number: from 1, in the order of visits.
        kind: ``person`` or ``car``.
        way: what it does, in words.
        look: its colours.
        ground: where its feet or wheels are, in heights of the picture.
        tall: its height, in heights of the picture.
        points: its way: time in seconds, and x of its middle in widths of the picture.
    """

    number: int
    kind: str
    way: str
    look: Look
    ground: float
    tall: float
    points: tuple[tuple[float, float], ...]

    @property
    def start_s(self) -> float:
        """When it begins, out of sight."""
        return self.points[0][0]

    @property
    def end_s(self) -> float:
        """When it ends, out of sight."""
        return self.points[-1][0]


class Programme:
    """All visits of a seed; there is no last one.

    Args:
        seed: chooses who comes.
        aspect: width of the picture by its height.
    """

    def __init__(self, seed: int, aspect: float) -> None:
        self._seed = seed
        self._aspect = aspect
        self._visits: list[tuple[Passage, ...]] = []

    def visit(self, index: int) -> tuple[Passage, ...]:
        """Return the passages of a visit, from 0."""
        while len(self._visits) <= index:
            self._visits.append(self._next())
        return self._visits[index]

    def _next(self) -> tuple[Passage, ...]:
        rng = np.random.default_rng([self._seed, 5, len(self._visits)])
        before = self._visits[-1] if self._visits else ()
        start_s = max((one.end_s for one in before), default=0.0)
        start_s += float(rng.uniform(*(QUIET_S if before else FIRST_QUIET_S)))
        number = before[-1].number + 1 if before else 1
        return tuple(_Cast(rng, self._aspect, start_s, number).visit())


class _Cast:
    """Makes the passages of one visit."""

    def __init__(self, rng: np.random.Generator, aspect: float, start_s: float, number: int) -> None:
        self._rng = rng
        self._aspect = aspect
        self._start_s = start_s
        self._number = number

    def visit(self) -> list[Passage]:
        """Return the passages, of which each is in sight."""
        first = self._number
        while True:
            self._number = first
            found = self._draw()
            if not any(_hides(one, other) for one, other in combinations(found, 2)):
                return found

    def _draw(self) -> list[Passage]:
        kind = self._pick(VISITS)
        if kind == "two pass each other":
            return self._pass_each_other()
        if kind == "two meet":
            return self._meet()
        if kind == "two in a row":
            return self._in_a_row()
        if kind == "several":
            return self._several()
        return [self._single(self._start_s)]

    def _pass_each_other(self) -> list[Passage]:
        """Two people on one pavement, from opposite sides; one of them may linger."""
        band, rightwards = self._pavement(), self._flip()
        later_s = self._start_s + self._between(0.0, 2.0)
        second = "lingers" if self._rng.random() < 0.3 else "passes"
        return [
            self._passage("person", "passes", band, rightwards, self._start_s),
            self._passage("person", second, band, not rightwards, later_s),
        ]

    def _meet(self) -> list[Passage]:
        """Two people who stop in front of each other, and then pass, or go back where they came from."""
        band, goes_back = self._pavement(), self._flip()
        while True:
            ways = self._meeting(band, goes_back)
            if all(_is_sure(points, ground) for ground, points in ways):
                way = "meets and goes back" if goes_back else "meets and passes"
                return [self._make("person", way, ground, points) for ground, points in ways]

    def _meeting(self, band: tuple[float, float], goes_back: bool) -> list[tuple[float, list[tuple[float, float]]]]:
        """Return the grounds and ways of two people who arrive at the same time."""
        pause_s = self._between(2.0, 4.0)
        legs = []
        for rightwards in (True, False):
            ground, speed = self._between(*band), self._between(*SPEEDS["person"])
            start, beyond = (self._outside("person", ground, at_left=left) for left in (rightwards, not rightwards))
            stop = MEETING[0] if rightwards else MEETING[1]
            legs.append((ground, speed, start, stop, start if goes_back else beyond))
        arrivals = [walk(0.0, start, [(stop, 0.0)], speed, brakes=True)[-1][0] for _, speed, start, stop, _ in legs]
        ways = []
        for arrives_s, (ground, speed, start, stop, end) in zip(arrivals, legs, strict=True):
            begin_s = self._start_s + max(arrivals) - arrives_s
            ways.append((ground, walk(begin_s, start, [(stop, pause_s), (end, 0.0)], speed)))
        return ways

    def _in_a_row(self) -> list[Passage]:
        """Two people on one pavement, one behind the other, or two cars in one lane."""
        rightwards = self._flip()
        kind = "car" if self._rng.random() < 0.35 else "person"
        band = _lane(rightwards) if kind == "car" else self._pavement()
        speed = self._between(*SPEEDS[kind])
        later_s = self._start_s + (0.55 / speed if kind == "car" else self._between(1.5, 3.0))
        return [self._passage(kind, "passes", band, rightwards, at_s, speed) for at_s in (self._start_s, later_s)]

    def _several(self) -> list[Passage]:
        """Three or four figures, each on its own way, that cross one another."""
        found: list[Passage] = []
        lanes: set[bool] = set()
        pavements = [NEAR, NEAR, FAR, FAR]
        for _ in range(int(self._rng.integers(3, 5))):
            at_s, rightwards = self._start_s + self._between(0.0, 3.5), self._flip()
            way = self._pick({"passes": 0.7, "lingers": 0.15, "turns back behind the gate": 0.15})
            if self._rng.random() < 0.35 and rightwards not in lanes:
                lanes.add(rightwards)  # one car per lane: they would drive into each other
                found.append(self._passage("car", "passes", _lane(rightwards), rightwards, at_s))
            else:
                band = pavements.pop(int(self._rng.integers(len(pavements))))
                found.append(self._passage("person", way, band, rightwards, at_s))
        return found

    def _single(self, at_s: float) -> Passage:
        rightwards, way = self._flip(), self._pick(WAYS)
        if self._rng.random() < 0.3:
            return self._passage("car", way, _lane(rightwards), rightwards, at_s)
        return self._passage("person", way, self._pavement(), rightwards, at_s)

    def _passage(
        self, kind: str, way: str, band: tuple[float, float], rightwards: bool, at_s: float, speed: float | None = None
    ) -> Passage:
        ground = self._between(*band)
        pace = self._between(*SPEEDS[kind]) if speed is None else speed
        for draw in count():
            if draw >= DRAWS:
                pace = self._between(*SPEEDS[kind])
            start = self._outside(kind, ground, at_left=rightwards)
            end = start if way.startswith("turns back") else self._outside(kind, ground, at_left=not rightwards)
            stops = self._stops(way, ground, rightwards)
            points = walk(at_s, start, [*stops, (end, 0.0)], pace)
            if _is_sure(points, ground):
                return self._make(kind, way, ground, points)
        raise AssertionError

    def _stops(self, way: str, ground: float, rightwards: bool) -> list[tuple[float, float]]:
        """Return where the figure stops on its way, and for how long."""
        places = [self._between(*stop) for stop in STOPS]
        first, second, third, last = places if rightwards else reversed(places)
        short_s, long_s = self._between(0.8, 2.0), self._between(3.0, 9.0)
        if way == "lingers":
            return [(second if self._flip() else third, long_s)]
        if way == "stands on an edge":
            return [(self._edge(ground), self._between(1.5, 4.0))]
        if way == "goes to and fro":
            return [(second, short_s), (third, short_s), (second, short_s)]
        turns = {"before the yard": first, "before the gate": second, "behind the gate": third, "behind the yard": last}
        return [(turns[way.removeprefix("turns back ")], short_s)] if way.startswith("turns back") else []

    def _edge(self, ground: float) -> float:
        """Return a place on an edge of the yard, or on the gate's line."""
        return float(self._rng.choice([*edges_at(YARD, ground), line_at(GATE, ground) or 0.0]))

    def _make(self, kind: str, way: str, ground: float, points: list[tuple[float, float]]) -> Passage:
        number, self._number = self._number, self._number + 1
        return Passage(number, kind, way, random_look(kind, self._rng), ground, _tall(kind, ground), tuple(points))

    def _outside(self, kind: str, ground: float, *, at_left: bool) -> float:
        reach = HALF_LENGTHS[kind] * _tall(kind, ground) / self._aspect
        return -reach if at_left else 1 + reach

    def _pavement(self) -> tuple[float, float]:
        return NEAR if self._rng.random() < 0.7 else FAR

    def _flip(self) -> bool:
        return bool(self._rng.random() < 0.5)

    def _between(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def _pick(self, weights: dict[str, float]) -> str:
        names, shares = list(weights), np.array(list(weights.values()))
        return str(self._rng.choice(names, p=shares / shares.sum()))


def _tall(kind: str, ground: float) -> float:
    return TALL[kind] * PERSON_HEIGHT * (ground - HORIZON)


def _lane(rightwards: bool) -> tuple[float, float]:
    """Return the lane of the road: cars keep to the right."""
    return ROAD_NEAR if rightwards else ROAD_FAR


def walk(
    start_s: float, start: float, stops: Sequence[tuple[float, float]], speed: float, *, brakes: bool = False
) -> list[tuple[float, float]]:
    """Return a way from one stop to the next, as times and places; nobody stops or starts all at once.

    Args:
        start_s: when it begins.
        start: where.
        stops: places, and how long each stop is; 0 for none.
        speed: widths of the picture per second.
        brakes: whether it ends at the last place, even if that is no stop.
    """
    points = [(start_s, start)]
    waits = False
    for number, (stop, pause_s) in enumerate(stops):
        ends = bool(pause_s) or (brakes and number == len(stops) - 1)
        time_s, x = points[-1]
        away, forward = abs(stop - x), 1.0 if stop > x else -1.0
        paces = [*(reversed(SLOWING) if waits else ()), 1.0, *(SLOWING if ends else ())]
        eased = sum(pace * speed * SLOWING_STEP_S for pace in paces if pace < 1)
        if eased > away:  # too near to reach the full speed
            paces, eased = [1.0], 0.0
        for pace in paces:
            step = pace * speed * SLOWING_STEP_S if pace < 1 else away - eased
            time_s, x = time_s + step / (pace * speed), x + forward * step
            points.append((time_s, x))
        points[-1] = (time_s, stop)
        if pause_s:
            points.append((time_s + pause_s, stop))
        waits = bool(pause_s)
    return points


def meetings(points: Sequence[tuple[float, float]], edge: float) -> list[tuple[float, float, int]]:
    """Return when a way goes over an edge at x `edge`: when it meets it, when it leaves it, and to which side.

    Both times are the same unless it stands on the edge. The side is 1 to the right and -1 to the left.
    """
    found: list[tuple[float, float, int]] = []
    side = _side(points[0][1], edge)
    since_s: float | None = None
    for (from_s, before), (to_s, after) in pairwise(points):
        now = _side(after, edge)
        if now == 0:
            since_s = to_s if since_s is None else since_s
            continue
        if now != side:
            met_s = from_s + (edge - before) / (after - before) * (to_s - from_s)
            found.append((met_s if since_s is None else since_s, met_s, now))
        side, since_s = now, None
    return found


def stays_in(
    name: str, points: Sequence[tuple[float, float]], ground: float
) -> list[tuple[float, float, float, float]]:
    """Return when a way comes into a polygon and leaves it, each as the first and the last moment that it may be."""
    low, high = edges_at(name, ground)
    met = sorted((*meetings(points, low), *meetings(points, high)))
    return [(*begin[:2], *end[:2]) for begin, end in zip(met[::2], met[1::2], strict=True)]


def _hides(one: Passage, other: Passage) -> bool:
    """Return whether one of two figures on the same pavement hides the other for so long that nobody could count it."""
    if one.kind != other.kind or abs(one.ground - other.ground) > max(high - low for low, high in (NEAR, FAR)):
        return False
    times = np.arange(max(one.start_s, other.start_s), min(one.end_s, other.end_s), 0.1)
    first, second = (np.interp(times, *np.array(each.points).T) for each in (one, other))
    in_sight = (first > 0) & (first < 1)
    near = np.abs(first - second) < HIDDEN_SHARE * one.tall
    return float(np.count_nonzero(near & in_sight)) * 0.1 > HIDDEN_S


def _side(x: float, edge: float) -> int:
    return (x > edge) - (x < edge)


def _is_sure(points: Sequence[tuple[float, float]], ground: float) -> bool:
    """Return whether it is beyond doubt which stays count, and who loiters."""
    for begin_s, began_s, end_s, ended_s in stays_in(YARD, points, ground):
        shortest, longest = end_s - began_s, ended_s - begin_s
        if shortest < MIN_S + SURE_S / 2 or (shortest < LOITER_S + SURE_S and longest > LOITER_S - SURE_S):
            return False
    return True
