"""The passages of one object over a line: one for each time that it really goes over.

An anchor that has met the line has crossed it when it is clear of the line (:mod:`video_worker.zones.hysteresis`) a
moment later. One that turns back before has not. Ways around the ends of a line are none over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from video_worker.zones.boxes import BoxShares, box_of
from video_worker.zones.following import FollowedObject
from video_worker.zones.geometry import LEFT, RIGHT, Anchor, anchors, crossings, distance_to_line
from video_worker.zones.hysteresis import Clearance, near_distance

BEYOND_S, BEYOND_FRAMES = 0.15, 2
"""Seconds and frames for which an anchor must be beyond the line: a box that is wrong in one frame crosses nothing."""
DIRECTIONS = {LEFT: "left", RIGHT: "right"}


@dataclass(frozen=True)
class LineRules:
    """What is crossed.

    Attributes:
        line: both ends, (x, y) in 0..1 of the picture.
        anchor: which point of a box has to cross; ``any``: the first of nine points all over the box.
    """

    line: tuple[tuple[float, float], tuple[float, float]]
    anchor: Anchor


@dataclass(frozen=True)
class Crossing:
    """A crossing: ``left`` or ``right``, when the line was met, and the first box after that."""

    direction: str
    time_s: float
    box: BoxShares


@dataclass
class _Point:
    """One anchor. `net`: crossings to the right since it was clear; `met_s`: time of the last; `frames`: since then."""

    net: int = 0
    frames: int = 0
    met_s: float = 0.0
    met_box: BoxShares = (0.0, 0.0, 0.0, 0.0)
    distance: float = 0.0
    ready: bool = False
    clearance: Clearance = field(default_factory=Clearance)

    def update(self, time_s: float, sign: int, met_s: float, distance: float, one: FollowedObject) -> int:
        """Take a movement; return the side to which the anchor has crossed, 0 for none."""
        if sign:
            self.net, self.met_s, self.met_box, self.frames = self.net + sign, met_s, one.box, 0
            self.clearance.reset()
        self.distance = distance
        self.clearance.update(time_s, distance, one.size)
        self.frames += 1
        if not self.clearance.is_clear(time_s):
            return 0
        if self.net and (time_s - self.met_s < BEYOND_S or self.frames < BEYOND_FRAMES):
            return 0
        return self._settle()

    def end(self, size: float) -> int:
        """Take note that nothing more will be seen; return the side to which the anchor has crossed, 0 for none."""
        return self._settle() if self.distance >= near_distance(size) else 0

    def _settle(self) -> int:
        side = int(np.sign(self.net)) if self.ready else 0
        self.net, self.ready = 0, True
        return side


class Passages:
    """Watches one object."""

    def __init__(self) -> None:
        self._points: list[_Point] = []
        self._places: list[list[float]] = []
        self._last_s = 0.0
        self._crossed: list[int] = []
        self._total = 0
        self._whole = True

    def update(self, time_s: float, one: FollowedObject, rules: LineRules) -> list[Crossing]:
        """Take the place of the object in a frame; return what was crossed."""
        places = anchors(one.box, rules.anchor)[0]
        scale = np.array([one.aspect, 1.0])
        distances = distance_to_line(places * scale, np.asarray(rules.line) * scale)
        found: list[Crossing] = []
        if not self._points:
            # on the line it has no side yet
            self._points = [_Point(ready=bool(distance >= near_distance(one.size))) for distance in distances]
            self._crossed = [0] * len(self._points)
            signs, shares = np.zeros(len(places), np.int64), np.zeros(len(places))
        else:
            signs, shares = crossings(self._places, places, rules.line)
        step_s = time_s - self._last_s
        for number, point in enumerate(self._points):
            met_s = self._last_s + float(shares[number]) * step_s
            side = point.update(time_s, int(signs[number]), met_s, float(distances[number]), one)
            found += self._count(number, side)
        self._places, self._last_s = places.tolist(), time_s
        return found

    def end(self, one: FollowedObject) -> list[Crossing]:
        """Take note that the object will not be seen again; return what it has crossed."""
        sides = [point.end(one.size) for point in self._points]
        return [crossing for number, side in enumerate(sides) for crossing in self._count(number, side)]

    def _count(self, number: int, side: int) -> list[Crossing]:
        """Return the passage that the crossing of one anchor is; none where another one has crossed before.

        Several anchors cross one after the other: the first one counts. After that the object goes back when all of it
        has come over and an anchor crosses back, or when all that came over has crossed back.
        """
        if not side:
            return []
        self._crossed[number] += side
        if all(one == self._total for one in self._crossed):
            self._whole = True
            return []
        beyond = [one - self._total for one in self._crossed]
        passes = any(one * side > 0 for one in beyond) if self._whole else all(one * side > 0 for one in beyond)
        if not passes:
            return []
        self._total += side
        self._whole = all(one == self._total for one in self._crossed)
        return [Crossing(DIRECTIONS[side], self._points[number].met_s, self._points[number].met_box)]

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        return {
            "points": [asdict(point) for point in self._points],
            "places": self._places,
            "last_s": self._last_s,
            "crossed": self._crossed,
            "total": self._total,
            "whole": self._whole,
        }

    @classmethod
    def of_state(cls, state: dict[str, Any], later_s: float) -> Passages:
        """Return the passages of a :meth:`state`, whose times are by `later_s` ahead of those to come."""
        found = cls()
        for entry in cast("Sequence[dict[str, Any]]", state["points"]):
            times = {"met_s": entry["met_s"] + later_s, "clearance": Clearance(), "met_box": box_of(entry["met_box"])}
            found._points.append(_Point(**{**entry, **times}))
        found._places, found._last_s = state["places"], state["last_s"] + later_s
        found._crossed, found._total, found._whole = list(state["crossed"]), state["total"], state["whole"]
        return found
