"""The stay of one object in a polygon: when it came in, when it left, and when it began to loiter.

An object is in a zone when its anchor is. It is out again when the anchor is clear of the outline
(:mod:`video_worker.zones.hysteresis`), for as long as a stay has to last to count: one that stands on the edge comes in
once and leaves once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from video_worker.zones.boxes import BoxShares, box_of
from video_worker.zones.following import FollowedObject
from video_worker.zones.geometry import (
    Anchor,
    anchors,
    distance_to_polygon,
    in_polygon,
    outline_shares,
    touches_polygon,
)
from video_worker.zones.hysteresis import Clearance, clear_distance, near_distance

ENTERED, LEFT, LOITERING = "entered", "left", "loitering"
SLACK_S = 1e-4
"""How much shorter than required a stay may be: times are rounded."""


@dataclass(frozen=True)
class StayRules:
    """When a stay counts.

    Attributes:
        polygon: corners (x, y) in 0..1 of the picture.
        anchor: which point of a box has to be in it; ``any``: some part of the box.
        min_s: shortest stay that counts.
        loiter_s: stay from which an object loiters; None for never.
    """

    polygon: tuple[tuple[float, float], ...]
    anchor: Anchor
    min_s: float
    loiter_s: float | None


@dataclass(frozen=True)
class StayChange:
    """Something that happened: ``entered``, ``left`` or ``loitering``; when, how long the stay was by then, the box.

    Attributes:
        counted: False for the end of a stay that nobody saw begin or end, which only adds to the time.
    """

    what: str
    time_s: float
    dwell_s: float
    box: BoxShares
    counted: bool = True


@dataclass
class Stay:
    """Watches one object.

    Attributes:
        since_s: when it came in, or was first seen inside; None while it is outside.
        counts: whether the stay is long enough to count.
        came_in: whether it was outside before.
        out_s: when it was last about to leave.
    """

    since_s: float | None = None
    counts: bool = False
    came_in: bool = False
    reported_in: bool = False
    loitered: bool = False
    out_s: float | None = None
    frames: int = 0
    frames_in: int = 0
    last_s: float | None = None
    last_box: BoxShares | None = None
    last_in: bool = False
    since_box: BoxShares | None = None
    out_box: BoxShares | None = None
    clearance: Clearance = field(default_factory=Clearance)

    def update(self, time_s: float, one: FollowedObject, rules: StayRules) -> list[StayChange]:
        """Take the place of the object in a frame; return what happened."""
        inside, distance = _place(one, rules)
        edge_s = self._edge_s(time_s, one, rules) if self.last_in != inside else time_s
        if inside:
            changes = self._inside(time_s, edge_s, one, rules)
        else:
            changes = self._outside(time_s, edge_s, distance, one, rules)
        self.last_s, self.last_box, self.last_in = time_s, one.box, inside
        return changes

    def end(self, one: FollowedObject, rules: StayRules, *, gone: bool) -> list[StayChange]:
        """Take note that the object will not be seen again; return what happened.

        Args:
            one: the object, as it was seen last.
            rules: of the zone.
            gone: whether it went away; False where the source or the scene has ended.
        """
        if self.since_s is None:
            return []
        outside = self.out_s is not None and self.clearance.clear_s is not None
        last_s = self.out_s if self.out_s is not None and (gone or outside) else one.seen_s
        changes = self._begin(last_s, one, rules) + self._loiter(last_s, one, rules)
        if self.counts:
            # what never moved did not go away: it is not recognised any more
            leaves = outside or (gone and (one.moved or self.came_in or self.out_s is not None))
            box = one.box if last_s == one.seen_s else self.out_box or one.box
            changes.append(StayChange(LEFT, last_s, last_s - self.since_s, box, leaves))
        self._reset()
        return changes

    def _inside(self, time_s: float, edge_s: float, one: FollowedObject, rules: StayRules) -> list[StayChange]:
        if self.since_s is None:
            self.since_s, self.since_box = edge_s, one.box
            self.came_in = self.last_s is not None
            self.frames = self.frames_in = 0
        self.frames += 1
        self.frames_in += 1
        self.out_s = None
        self.clearance.reset()
        if 2 * self.frames_in < self.frames:
            return []
        changes = self._begin(time_s, one, rules)
        changes += self._loiter(time_s, one, rules)
        return changes

    def _outside(
        self, time_s: float, edge_s: float, distance: float, one: FollowedObject, rules: StayRules
    ) -> list[StayChange]:
        if self.since_s is None:
            self._pass_through(time_s, one, rules)
        if self.since_s is None:
            return []
        self.frames += 1
        if self.out_s is None:
            self.out_s, self.out_box = edge_s, one.box
        self.clearance.update(time_s, distance, one.size)
        if not self.clearance.is_clear(time_s):
            if not self.counts and 2 * self.frames_in < self.frames:
                self._reset()
            return []
        if time_s - self.out_s < rules.min_s - SLACK_S:
            return []
        out_s = self.out_s
        changes = self._begin(out_s, one, rules) + self._loiter(out_s, one, rules)
        if self.counts:
            changes.append(StayChange(LEFT, out_s, out_s - self.since_s, self.out_box or one.box))
        self._reset()
        return changes

    def _begin(self, until_s: float, one: FollowedObject, rules: StayRules) -> list[StayChange]:
        """Count the stay if it has lasted long enough until `until_s`, and report who came in once that is known."""
        if self.since_s is None or (not self.counts and until_s - self.since_s < rules.min_s - SLACK_S):
            return []
        self.counts = True
        appeared = self.since_s == one.first_s and one.arrived and not one.at_start
        if self.reported_in or not (self.came_in or appeared):
            return []
        self.reported_in = True
        return [StayChange(ENTERED, self.since_s, 0.0, self.since_box or one.box)]

    def _loiter(self, until_s: float, one: FollowedObject, rules: StayRules) -> list[StayChange]:
        """Report once who stays for long."""
        loiter_s = rules.loiter_s
        if self.since_s is None or loiter_s is None or not self.counts or self.loitered:
            return []
        if until_s - self.since_s < loiter_s - SLACK_S:
            return []
        self.loitered = True
        return [StayChange(LOITERING, self.since_s + loiter_s, loiter_s, one.box)]

    def _pass_through(self, time_s: float, one: FollowedObject, rules: StayRules) -> None:
        """Begin and end a stay between two frames, where the way from one to the next leads through the polygon."""
        if self.last_s is None or self.last_box is None or rules.anchor == "any":
            return
        step_s = time_s - self.last_s
        if step_s < rules.min_s - SLACK_S:
            return
        before, after = (anchors(box, rules.anchor)[0] for box in (self.last_box, one.box))
        shares = outline_shares(before, after, rules.polygon)
        if shares:
            self.since_s, self.out_s = self.last_s + shares[0] * step_s, self.last_s + shares[-1] * step_s
            self.since_box = self.out_box = one.box
            self.came_in = True
            self.frames = self.frames_in = 1

    def _edge_s(self, time_s: float, one: FollowedObject, rules: StayRules) -> float:
        """Return when the anchor passed the outline, between this frame and the one before."""
        if self.last_s is None or self.last_box is None:
            return time_s
        shares = [0.5]
        if rules.anchor != "any":
            before, after = (anchors(box, rules.anchor)[0] for box in (self.last_box, one.box))
            shares = outline_shares(before, after, rules.polygon) or shares
        # the last time in, the first time out
        return self.last_s + (shares[0] if self.last_in else shares[-1]) * (time_s - self.last_s)

    def _reset(self) -> None:
        self.since_s = self.out_s = None
        self.counts = self.came_in = self.reported_in = self.loitered = False
        self.frames = self.frames_in = 0
        self.clearance.reset()

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        return asdict(self)

    @classmethod
    def of_state(cls, state: dict[str, Any], later_s: float) -> Stay:
        """Return the stay of a :meth:`state`, whose times are by `later_s` ahead of those to come."""
        stay = cls(**{**state, "clearance": Clearance(**state["clearance"])})
        for key in ("since_s", "out_s", "last_s"):
            value = getattr(stay, key)
            setattr(stay, key, None if value is None else value + later_s)
        for key in ("last_box", "since_box", "out_box"):
            box = getattr(stay, key)
            setattr(stay, key, None if box is None else box_of(box))
        stay.clearance.reset()
        return stay


def _place(one: FollowedObject, rules: StayRules) -> tuple[bool, float]:
    """Return whether an object is in the polygon, and how far from its outline, in heights of the picture."""
    scale = np.array([one.aspect, 1.0])
    polygon: NDArray[np.float64] = np.asarray(rules.polygon) * scale
    box = np.asarray(one.box, np.float64) * np.tile(scale, 2)
    if rules.anchor == "any":
        return bool(touches_polygon(box, polygon)[0]), _gap(box, polygon, one.size)
    points: Sequence[Any] = anchors(box, rules.anchor)[0]
    return bool(in_polygon(points, polygon)[0]), float(distance_to_polygon(points, polygon)[0])


def _gap(box: NDArray[np.float64], polygon: NDArray[np.float64], size: float) -> float:
    """Return how far a box is from a polygon, as far as that matters: none of it, near, or clear."""
    for distance in (clear_distance(size), near_distance(size)):
        if not touches_polygon(box + np.array([-distance, -distance, distance, distance]), polygon)[0]:
            return distance
    return 0.0
