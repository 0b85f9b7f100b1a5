"""Follows objects from track to track: an object that is out of sight for a short time stays the same one.

The tracker gives an object another number when it was hidden and came back elsewhere, and all objects do when live
analysis was restarted. Zones count objects, not numbers: a new track begins where a lost one ended, and has a label in
common with it, continues its object. What was out of sight counts in time that was watched: nobody leaves a zone
while the camera is down.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from video_worker.zones.boxes import BoxShares, box_of, centre_of, edges, point_of, size_of
from video_worker.zones.meetings import Colours, Meetings, View
from video_worker.zones.twins import Twins

LOST_S = 2.0
"""Seconds, watched, for which an object may be out of sight and be continued by another track."""
PAUSE_S = 2.0
"""Seconds between two frames from which nothing was watched in between."""
RETURN_S = 60.0
"""Longest pause, seconds, after which an object in the same place may be the one from before it."""
START_S = 1.0
"""Seconds from the beginning in which what is first seen was there before: a detector misses some frames."""
ARRIVE_S = 3.0
"""Seconds in which an object that appears has to move, or else it was there before and was not recognised."""
MOVED_SIZES = 0.25
"""Distance, in sizes, that is a move: edges of boxes tremble by some percent of the size."""
REACH_SIZES, REACH_SIZES_PER_S, REACH_S = 1.0, 1.0, 3.0
"""Distance, in sizes, at which a new track may continue a lost object, and what each second out of sight adds, up to so
many seconds."""
SAME_TRACK_REACH = 3.0
"""Factor for a track that goes on after a restart: the tracker knows how fast it was."""
MIN_LABEL_SHARE = 0.15
"""Share of an object's labels, by their scores, that the label of a new track must have had."""
MAX_SIZE_RATIO = 2.0
"""Factor by which their sizes may differ."""


class TrackBox(NamedTuple):
    """What a frame holds of a track.

    Attributes:
        track: its number.
        box: its best box; None where none is good enough to tell the place.
        labels: best score of each of its labels, in the order of their scores.
        colours: of the box; None where there is no picture.
    """

    track: int
    box: BoxShares | None
    labels: Mapping[str, float]
    colours: Colours | None = None


@dataclass(eq=False)
class FollowedObject:
    """An object, over all its tracks. Sizes and distances are in heights of the picture.

    Attributes:
        number: its own, from 1 in order of first sight.
        track: number of its last track.
        tracked: whether that track may be continued; False after a restart.
        box: where it was seen last.
        aspect: width of the picture by its height.
        first_s, seen_s: times of first and last sight, seconds from the source's first frame.
        origin: centre of the box, at first sight.
        at_start: whether it was there when the source, or a scene, began.
        moved: whether it has moved since it was first seen.
        arrived: whether it came in by itself: it moved soon after it was first seen.
        known: all labels that it ever had, with the sums of their scores.
        labels: those of this frame with their scores.
    """

    number: int
    track: int
    tracked: bool
    box: BoxShares
    aspect: float
    first_s: float
    seen_s: float
    origin: tuple[float, float]
    at_start: bool
    moved: bool = False
    arrived: bool = False
    known: dict[str, float] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    watched_s: float = 0.0

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of the box, (x, y) in heights of the picture."""
        return centre_of(self.box, self.aspect)

    @property
    def size(self) -> float:
        """Square root of the area."""
        return size_of(self.box, self.aspect)


@dataclass(frozen=True)
class Followed:
    """The objects of a frame.

    Attributes:
        seen: those in sight.
        gone: those that are out of sight for good.
        ended: those whose scene is over: another one begins with this frame.
        labelled: those in sight, or of which only boxes are that are too weak to tell the place.
        known: numbers of those that are in sight, or may come back.
        twins: numbers of those that are second views of others, and do not count; some may be among the gone.
        swapped: numbers of two that are exchanged from this frame on, as their tracks had swapped, and when they
            were closest to each other.
    """

    seen: Sequence[FollowedObject]
    gone: Sequence[FollowedObject]
    ended: Sequence[FollowedObject]
    labelled: Sequence[FollowedObject]
    known: Collection[int]
    twins: Collection[int] = ()
    swapped: Sequence[tuple[int, int, float]] = ()


class Follower:
    """Follows the objects of one source.

    Attributes:
        objects: all that are in sight, or may come back, by number.
    """

    def __init__(self) -> None:
        self.objects: dict[int, FollowedObject] = {}
        self._begun = 0
        self._last_s: float | None = None
        self._watched_s = 0.0
        self._began_s = 0.0
        self._twins = Twins()
        self._meetings = Meetings()

    def update(
        self, time_s: float, tracks: Sequence[TrackBox], ended_tracks: Collection[int], aspect: float, cut: bool
    ) -> Followed:
        """Take a frame's tracks; frames come in the order of time.

        Args:
            time_s: of the frame, seconds from the source's first one.
            tracks: those with a box in it.
            ended_tracks: numbers of those that will not be continued.
            aspect: width of the picture by its height.
            cut: whether another scene begins with it.
        """
        ended = list(self.objects.values()) if cut else []
        if cut:
            self.objects.clear()
        pause_s = math.inf if self._last_s is None else time_s - self._last_s
        gone: list[FollowedObject] = []
        if cut or pause_s > PAUSE_S:
            self._began_s = time_s
            gone = [one for one in self.objects.values() if time_s - one.seen_s > RETURN_S]
            for one in gone:
                del self.objects[one.number]
        else:
            self._watched_s += pause_s
        step_s = min(pause_s, PAUSE_S)
        self._last_s = time_s
        for one in self.objects.values():
            one.labels = {}
            if one.track in ended_tracks:
                one.tracked = False
        seen, labelled = self._assign(time_s, tracks, aspect)
        seen, labelled, never = self._without_twins(time_s, seen, labelled, aspect, step_s)
        swapped = self._exchange(time_s, seen, tracks, step_s)
        lost = [one for one in self.objects.values() if not one.tracked and self._watched_s - one.watched_s > LOST_S]
        for one in lost:
            del self.objects[one.number]
        gone += lost
        gone += never
        twins = self._twins.numbers | {one.number for one in never}
        self._twins.forget(self.objects)
        self._meetings.forget(self.objects)
        return Followed(seen, gone, ended, labelled, self.objects.keys(), twins, swapped)

    def _without_twins(
        self, time_s: float, seen: list[FollowedObject], labelled: list[FollowedObject], aspect: float, step_s: float
    ) -> tuple[list[FollowedObject], list[FollowedObject], list[FollowedObject]]:
        """Return the objects in sight, and those with any box, without second views of others.

        Where only the second view of an object is in sight, the object goes on there. The third list has second views
        that are none any more, and have never been objects: another object goes on, or begins, in their place.
        """
        never = []
        for one in seen:
            if one.first_s == time_s:
                self._twins.begin(one, [other for other in seen if other.first_s < time_s])
        _, fresh = self._twins.update(seen, step_s)
        places = {one.number: one for one in labelled}
        for number in fresh:
            twin = places.pop(number)
            never.append(self.objects.pop(number))
            box = TrackBox(twin.track, twin.box, twin.labels)
            there = [*places.values(), *(self.objects[one] for one in self._twins.numbers & self.objects.keys())]
            one = self._continued(time_s, [box], there, aspect).get(twin.track) or self._new(time_s, twin.box, aspect)
            one.track, one.tracked, one.labels = twin.track, True, twin.labels
            one.known = one.known or dict(twin.labels)
            self._move(one, time_s, twin.box, aspect)
            places[one.number] = one
        in_sight = {one.number for one in seen}
        for number in self._twins.numbers & places.keys():
            twin, owner = places.pop(number), self.objects.get(self._twins.owner_of(number) or 0)
            if owner is None:
                continue
            if number in in_sight and owner.number not in in_sight:
                owner.track, twin.track = twin.track, owner.track
                owner.tracked, twin.tracked = twin.tracked, owner.tracked
                self._move(owner, time_s, twin.box, aspect)
                in_sight.add(owner.number)
                owner.labels = {}
            owner.labels = _best(owner.labels, twin.labels)
            places[owner.number] = owner
        found = list(places.values())
        return [one for one in found if one.seen_s == time_s], found, never

    def _exchange(
        self, time_s: float, seen: Sequence[FollowedObject], tracks: Sequence[TrackBox], step_s: float
    ) -> list[tuple[int, int, float]]:
        """Exchange the tracks and places of objects in sight whose tracks swapped; return both, and when."""
        places = {found.track: View(found.box, found.colours) for found in tracks if found.box is not None}
        views = {one.number: places[one.track] for one in seen}
        swapped = []
        for first, second, since_s in self._meetings.update(
            seen, views, [view.box for view in places.values()], step_s
        ):
            one, other = self.objects[first], self.objects[second]
            for name in ("track", "tracked", "box", "seen_s", "watched_s", "labels"):
                mine, theirs = getattr(one, name), getattr(other, name)
                setattr(one, name, theirs)
                setattr(other, name, mine)
            swapped.append((first, second, time_s - since_s))
        return swapped

    def _assign(
        self, time_s: float, tracks: Sequence[TrackBox], aspect: float
    ) -> tuple[list[FollowedObject], list[FollowedObject]]:
        """Give each track its object; return the objects in sight, and those with any box."""
        objects = {one.track: one for one in self.objects.values() if one.tracked}
        there = [objects[found.track] for found in tracks if found.track in objects]
        fresh = [found for found in tracks if found.track not in objects]
        objects |= self._continued(time_s, fresh, there, aspect)
        seen: list[FollowedObject] = []
        labelled: list[FollowedObject] = []
        for found in tracks:
            one = objects.get(found.track)
            if one is None and found.box is not None:
                one = self._new(time_s, found.box, aspect)
            if one is None:
                continue
            one.track, one.tracked, one.labels = found.track, True, found.labels
            for label, score in found.labels.items():
                one.known[label] = one.known.get(label, 0.0) + score
            labelled.append(one)
            if found.box is not None:
                self._move(one, time_s, found.box, aspect)
                seen.append(one)
        return seen, labelled

    def _continued(
        self, time_s: float, fresh: Sequence[TrackBox], there: Sequence[FollowedObject], aspect: float
    ) -> dict[int, FollowedObject]:
        """Return which lost objects new tracks continue, by the tracks' numbers: the nearest first.

        After a restart, a track of the same number comes before all others.
        """
        lost = [one for one in self.objects.values() if one not in there and self._watched_s - one.watched_s <= LOST_S]
        pairs = [
            (found.track != one.track, away, found.track, one.number)
            for found in fresh
            for one in lost
            if found.box is not None
            and _resembles(one, found.labels)
            and (found.track == one.track or not edges(one.box) & edges(found.box))
            and (away := _distance(one, found.box, aspect)) <= _reach(time_s - one.seen_s, found.track == one.track)
        ]
        continued: dict[int, FollowedObject] = {}
        for *_, track, number in sorted(pairs):
            one = self.objects[number]
            if track not in continued and one not in continued.values():
                continued[track] = one
        return continued

    def _new(self, time_s: float, box: BoxShares, aspect: float) -> FollowedObject:
        self._begun += 1
        one = FollowedObject(self._begun, 0, False, box, aspect, time_s, time_s, (0.0, 0.0), False)
        one.origin = one.centre
        one.at_start = time_s - self._began_s <= START_S
        self.objects[one.number] = one
        return one

    def _move(self, one: FollowedObject, time_s: float, box: BoxShares, aspect: float) -> None:
        one.box, one.aspect, one.seen_s, one.watched_s = box, aspect, time_s, self._watched_s
        if not one.moved and math.dist(one.origin, one.centre) >= MOVED_SIZES * one.size:
            one.moved = True
            one.arrived = time_s - one.first_s <= ARRIVE_S

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        objects = []
        for one in self.objects.values():
            entry = asdict(one)
            del entry["labels"]
            objects.append(entry)
        twins = self._twins.state()
        return {
            "begun": self._begun,
            "watched_s": self._watched_s,
            "objects": objects,
            "twins": twins,
            "meetings": self._meetings.state(),
        }

    def resume(self, state: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`state`, as after a pause.

        Args:
            state: of an earlier follower.
            later_s: what its times are ahead of those to come.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        objects = []
        for entry in state["objects"]:
            places = {"box": box_of(entry["box"]), "origin": point_of(entry["origin"])}
            one = FollowedObject(**{**entry, "tracked": False, **places})
            one.first_s, one.seen_s = one.first_s + later_s, one.seen_s + later_s
            objects.append(one)
        self._begun, self._watched_s = int(state["begun"]), float(state["watched_s"])
        self.objects = {one.number: one for one in objects}
        self._twins.resume(state.get("twins", ()))
        self._meetings.resume(state.get("meetings", {}))


def _reach(out_s: float, same_track: bool) -> float:
    """Return how far from where it was seen last an object may be after so many seconds, in sizes."""
    reach = REACH_SIZES + REACH_SIZES_PER_S * min(out_s, REACH_S)
    return SAME_TRACK_REACH * reach if same_track else reach


def _resembles(one: FollowedObject, labels: Mapping[str, float]) -> bool:
    """Return whether the best label of a new track is one that an object had often enough."""
    total = sum(one.known.values())
    return bool(labels) and one.known.get(max(labels, key=lambda one: labels[one]), 0.0) >= MIN_LABEL_SHARE * total


def _best(labels: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    """Return the better score of each label, the best one first."""
    found = {label: max(labels.get(label, 0.0), others.get(label, 0.0)) for label in (*labels, *others)}
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _distance(one: FollowedObject, box: BoxShares, aspect: float) -> float:
    """Return how far a box is from where an object was seen last, in sizes; endless where it is of another size."""
    size = size_of(box, aspect)
    if not 1 / MAX_SIZE_RATIO <= size / one.size <= MAX_SIZE_RATIO:
        return math.inf
    return math.dist(one.centre, centre_of(box, aspect)) / min(one.size, size)
