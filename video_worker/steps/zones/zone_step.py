"""What the steps of zones have in common: what each object does, its label, and events that wait for the label."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar, cast

from shared_utils.config.zones.model import Task
from shared_utils.contracts.events import Event
from video_worker.pipeline.track_summary import MAX_STEP_S
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext, StepEvent, clock_state, seconds_ahead
from video_worker.steps.zones.follow import FOLLOWED
from video_worker.steps.zones.gates import Gate
from video_worker.steps.zones.tasks import ZoneTask, reported_labels
from video_worker.zones.following import LOST_S, Followed, FollowedObject
from video_worker.zones.votes import Votes

MAX_PENDING = 200
"""What one object did that waits until its label is known; of more, the oldest is dropped."""
SAME_S = 5.0
"""Seconds by which the times of one event may differ that another task has, or that is found again after a restart."""
MAX_REPORTS = 1000
"""What the tasks of one zone have reported and others of it may report as well; of more, the oldest is dropped."""
CHANGES = ("entered", "left", "crossed")
"""What depends on where an object is, and not on how long it has been there."""
TIME_DIGITS = 3
SHARE_DIGITS = 4
SCORE_DIGITS = 4

Machine = TypeVar("Machine")
"""What a step knows of one object in its zone."""


@dataclass(frozen=True)
class Happening:
    """Something that an object did in a zone.

    Attributes:
        value: what, as in the event.
        time_s: when.
        box: where, corners in 0..1 of the picture.
        more: further keys of the event.
        counted: whether it happened, or only adds to the time spent in the zone.
    """

    value: str
    time_s: float
    box: Sequence[float]
    more: Mapping[str, Any] = field(default_factory=dict)
    counted: bool = True


class ZoneReports:
    """What the tasks of one zone have reported: what two of them have in common is reported once."""

    def __init__(self) -> None:
        self._reports: deque[_Report] = deque(maxlen=MAX_REPORTS)

    def is_first(self, number: int, happening: Happening, label: str, task: int) -> bool:
        """Take what a task has to report of an object; return whether no other task has reported it before."""
        what = (number, happening.value, happening.more.get("direction"), label, happening.counted)
        for report in self._reports:
            if report.what == what and abs(report.time_s - happening.time_s) <= SAME_S and task not in report.tasks:
                report.tasks.add(task)
                return False
        self._reports.append(_Report(what, happening.time_s, {task}))
        return True


@dataclass
class _Report:
    """Something that was reported. `what`: object, value, direction and label; `tasks`: numbers of those it is of."""

    what: tuple[object, ...]
    time_s: float
    tasks: set[int]


@dataclass
class _Watched(Generic[Machine]):
    """An object.

    Attributes:
        pending: what it did, with its track at that time.
        label: that it was reported with.
        one: the object.
        changed_s: when it last came in, left or crossed.
    """

    machine: Machine
    votes: Votes = field(default_factory=Votes)
    pending: deque[tuple[Happening, int]] = field(default_factory=lambda: deque(maxlen=MAX_PENDING))
    label: str | None = None
    one: FollowedObject | None = None
    changed_s: float = -math.inf

    def note(self, happenings: Iterable[Happening], one: FollowedObject) -> None:
        """Keep what the object did until its label is known."""
        self.pending.extend((happening, one.track) for happening in happenings)


class ZoneStep(Step, Generic[Machine]):
    """Carries out one task of one zone, for every object in sight.

    An object counts where the summary of a clip would count it, under the label that the summary would give it if the
    labels of the task were its `classes`. In a clip that is known when the object is gone, or the clip has ended: only
    then events are emitted, with the time at which it happened. In front of a live camera they are emitted as soon as
    the object was seen often enough to count. It keeps the label that it has then: who comes in as a person goes out as
    one.

    Args:
        context: of the run.
        task: which task of which zone.
        labels: those that the task reports; none for all.
    """

    def __init__(self, context: StepContext, task: ZoneTask[Task], labels: Sequence[str]) -> None:
        self.zone = task.zone
        self._number = task.number
        self._source = context.source
        self._emit = context.emit
        self._options = context.options
        self._labels = reported_labels(labels, context)
        self._gate = Gate(context, task)
        self._objects: dict[int, _Watched[Machine]] = {}
        self._last_s: float | None = None
        self._resumed = False
        self._twins: Collection[int] = ()
        self._reported: list[tuple[object, object, float]] = []
        self._reports = ZoneReports()

    def share_reports(self, others: Sequence[ZoneStep[Any]]) -> None:
        """Report once what this task and others of the same zone have in common."""
        for other in others:
            other._reports = self._reports

    @property
    def name(self) -> str:
        """Name with those of the zone and of the task's place in it."""
        return f"{type(self).__name__} {self.zone.name} {self._number}"

    def make(self) -> Machine:
        """Return what is known of an object that was not seen before."""
        raise NotImplementedError

    def see(self, machine: Machine, time_s: float, one: FollowedObject) -> list[Happening]:
        """Take the place of an object in a frame; return what it did."""
        raise NotImplementedError

    def end(self, machine: Machine, one: FollowedObject, *, gone: bool) -> list[Happening]:
        """Take note that an object will not be seen again: it has `gone`, or else the scene has ended."""
        raise NotImplementedError

    def end_twin(self, machine: Machine, one: FollowedObject) -> list[Happening]:
        """Take note that what was reported as an object is a second view of another, and return what that ends."""
        del machine, one
        return []

    def count(self, happening: Happening, label: str) -> None:
        """Count what an object of that label did."""
        raise NotImplementedError

    def counts(self) -> Mapping[str, Any]:
        """Return what was counted so far, as JSON takes it."""
        raise NotImplementedError

    def resume_counts(self, counts: Mapping[str, Any]) -> None:
        """Go on from :meth:`counts`."""
        raise NotImplementedError

    def machine_state(self, machine: Machine) -> dict[str, Any]:
        """Return what is known of an object, as JSON takes it."""
        raise NotImplementedError

    def machine_of(self, state: dict[str, Any], later_s: float) -> Machine:
        """Return what a :meth:`machine_state` holds; its times are by `later_s` ahead of those to come."""
        raise NotImplementedError

    def shape(self) -> object:
        """Return what the objects' states depend on, as JSON takes it: a zone that was changed begins anew."""
        raise NotImplementedError

    def take(self, sample: Sample) -> None:
        """Take the frame's objects; while another page is displayed, or the group is off, the scene has ended."""
        followed = cast("Followed", sample.values[FOLLOWED])
        step_s = MAX_STEP_S if self._last_s is None else sample.time_s - self._last_s
        if not self._gate.is_open(sample):
            self.finish()
            self._last_s = sample.time_s
            return
        self._last_s = sample.time_s
        self._twins = followed.twins
        for one in followed.ended:
            self._end(self._objects.pop(one.number, None), one, gone=False)
        for one in followed.gone:
            self._end(self._objects.pop(one.number, None), one, gone=True)
        if self._resumed:
            self._resumed = False
            self._objects = {number: one for number, one in self._objects.items() if number in followed.known}
        for pair in followed.swapped:
            self._exchange(*pair)
        for one in followed.labelled:
            self._watched(one).votes.add(one.labels, step_s, self._options.conf, self._labels)
        for one in followed.seen:
            watched = self._watched(one)
            happenings = self.see(watched.machine, sample.time_s, one)
            watched.note(happenings, one)
            changes = [happening.time_s for happening in happenings if happening.value in CHANGES]
            watched.changed_s = max(watched.changed_s, *changes, -math.inf)
            if not self._source.has_end:
                self._flush(watched)

    def finish(self) -> None:
        """Take note that the source has ended: no label will change any more."""
        for watched in self._objects.values():
            if watched.one is not None:
                self._end(watched, watched.one, gone=(self._last_s or 0.0) - watched.one.seen_s > LOST_S)
        self._objects.clear()

    def _exchange(self, number: int, other: int, since_s: float) -> None:
        """Take note that the tracks of two were exchanged since then, when they were closest, until now.

        What both did since is right, whoever did it. Where they did something, what is known of their places
        belongs to the tracks; otherwise each goes on from the side on which it was then.
        """
        one, another = self._objects.get(number), self._objects.get(other)
        if one is not None and another is not None and max(one.changed_s, another.changed_s) >= since_s:
            one.machine, another.machine = another.machine, one.machine

    def _watched(self, one: FollowedObject) -> _Watched[Machine]:
        watched = self._objects.get(one.number)
        if watched is None:
            watched = self._objects[one.number] = _Watched(self.make())
        watched.one = one
        return watched

    def _end(self, watched: _Watched[Machine] | None, one: FollowedObject, *, gone: bool) -> None:
        if watched is None:
            return
        if one.number not in self._twins:
            watched.note(self.end(watched.machine, one, gone=gone), one)
            self._flush(watched)
        elif watched.label is not None:  # in front of a camera it was reported before that was known
            watched.note(self.end_twin(watched.machine, one), one)
            self._flush(watched)

    def _flush(self, watched: _Watched[Machine]) -> None:
        """Count and report what the object did, if it counts."""
        if not watched.pending:
            return
        if watched.label is None and watched.votes.count(self._options.min_hits):
            watched.label = watched.votes.label
        if watched.label is None:
            return
        while watched.pending:
            happening, track = watched.pending.popleft()
            if self._was_reported(happening):
                continue
            number = watched.one.number if watched.one is not None else 0
            if not self._reports.is_first(number, happening, watched.label, self._number):
                continue
            self.count(happening, watched.label)
            if happening.counted:
                box = [round(value, SHARE_DIGITS) for value in happening.box]
                more = {"label": watched.label, "track": track, **happening.more, "box": box}
                score = round(watched.votes.confidence(watched.label), SCORE_DIGITS)
                time_s = round(happening.time_s, TIME_DIGITS)
                self._emit(StepEvent("object", time_s, happening.value, self.zone.name, score, more=more))

    def state(self) -> Mapping[str, Any]:
        """Return the counts, and what every object is about to do."""
        objects = {
            str(number): {
                "machine": self.machine_state(watched.machine),
                "votes": watched.votes.state(),
                "pending": [[asdict(happening), track] for happening, track in watched.pending],
                "label": watched.label,
                "changed_s": watched.changed_s if math.isfinite(watched.changed_s) else None,
            }
            for number, watched in self._objects.items()
        }
        return {**clock_state(self._source), "shape": self.shape(), "counts": self.counts(), "objects": objects}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`; of a zone that was changed, with the counts alone."""
        self.resume_counts(state["counts"])
        if state["shape"] != self.shape():
            return
        later_s = seconds_ahead(state, self._source)
        objects: dict[int, _Watched[Machine]] = {}
        for number, entry in state["objects"].items():
            watched = _Watched(self.machine_of(entry["machine"], later_s), Votes.of_state(entry["votes"]))
            watched.label, changed_s = entry["label"], entry.get("changed_s")
            watched.changed_s = -math.inf if changed_s is None else changed_s + later_s
            for happening, track in entry["pending"]:
                noted = Happening(**{**happening, "time_s": happening["time_s"] + later_s})
                watched.pending.append((noted, track))
            objects[int(number)] = watched
        self._objects, self._resumed = objects, True

    def catch_up(self, event: Event) -> None:
        """Count what was reported after the state was saved; it is not reported again when it is found again."""
        began, label = self._source.started_at, event.more.get("label")
        if event.type != "object" or event.zone != self.zone.name or began is None or not isinstance(label, str):
            return
        if self._labels is not None and label not in self._labels:
            return
        dwell_s = event.more.get("dwell_s", 0.0)
        happening = Happening(
            str(event.value),
            (event.at - began).total_seconds(),
            (),
            {"direction": event.more.get("direction"), "dwell_s": dwell_s if isinstance(dwell_s, float) else 0.0},
        )
        self.count(happening, label)
        self._reported.append((happening.value, happening.more["direction"], happening.time_s))

    def _was_reported(self, happening: Happening) -> bool:
        """Return whether something was reported before a restart, and forget that."""
        for place, (value, direction, time_s) in enumerate(self._reported):
            near = abs(happening.time_s - time_s) <= SAME_S
            if near and happening.counted and (value, direction) == (happening.value, happening.more.get("direction")):
                del self._reported[place]
                return True
        return False
