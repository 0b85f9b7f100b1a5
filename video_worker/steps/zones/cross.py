"""Counts the objects that cross a line, by direction: the task ``cross``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared_utils.config.zones.model import CrossTask
from video_worker.steps.base import Step
from video_worker.steps.context import StepContext
from video_worker.steps.zones.tasks import ZoneTask, tasks_of
from video_worker.steps.zones.zone_step import Happening, ZoneStep
from video_worker.zones.following import FollowedObject
from video_worker.zones.passages import Crossing, LineRules, Passages

CROSSED = "crossed"


class Cross(ZoneStep[Passages]):
    """Watches the passages of all objects over one line.

    ``left`` and ``right`` are those of somebody who walks on the picture from the line's first point to its second.
    Over a line from the bottom of the picture to its top, what moves to the left edge of the picture crosses to the
    left.

    Args:
        context: of the run.
        task: the task, and its zone.
    """

    def __init__(self, context: StepContext, task: ZoneTask[CrossTask]) -> None:
        super().__init__(context, task, task.task.labels)
        if self.zone.line is None:
            raise ValueError(f"zone {self.zone.name!r} is no line")
        self._rules = LineRules(self.zone.line, task.task.anchor)
        self._crossed: Counter[tuple[str, str]] = Counter()
        self._all: Sequence[Cross] = (self,)

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return a step per task of the kind for this source."""
        found = [cls(context, task) for task in tasks_of(context, CrossTask)]
        for step in found:
            # the tasks of one zone share an entry of the record, which the first one writes
            step._all = [other for other in found if other.zone is step.zone]
            step.share_reports(step._all)
        return found

    def make(self) -> Passages:
        """Return the passages of an object that was not seen before."""
        return Passages()

    def see(self, machine: Passages, time_s: float, one: FollowedObject) -> list[Happening]:
        """Take the place of an object in a frame; return what it crossed."""
        return _happenings(machine.update(time_s, one, self._rules))

    def end(self, machine: Passages, one: FollowedObject, *, gone: bool) -> list[Happening]:
        """Take note that an object will not be seen again."""
        del gone
        return _happenings(machine.end(one))

    def count(self, happening: Happening, label: str) -> None:
        """Count a crossing."""
        self._crossed[label, happening.more["direction"]] += 1

    def counts(self) -> Mapping[str, Any]:
        """Return what was counted so far, by label and direction."""
        return {CROSSED: _by_label(self._crossed)}

    def resume_counts(self, counts: Mapping[str, Any]) -> None:
        """Go on from earlier counts."""
        self._crossed = Counter(
            {(label, way): count for label, ways in counts[CROSSED].items() for way, count in ways.items()}
        )

    def machine_state(self, machine: Passages) -> dict[str, Any]:
        """Return passages as JSON takes them."""
        return machine.state()

    def machine_of(self, state: dict[str, Any], later_s: float) -> Passages:
        """Return the passages of a state."""
        return Passages.of_state(state, later_s)

    def shape(self) -> object:
        """Return the line and the anchor."""
        return [[list(point) for point in self._rules.line], self._rules.anchor]

    def result(self) -> Mapping[str, object]:
        """Return the zone's entry in `zones`."""
        if self._all[0] is not self:
            return {}
        total: Counter[tuple[str, str]] = Counter()
        for step in self._all:
            step.finish()
            total += step._crossed
        return {"zones": {self.zone.name: {CROSSED: _by_label(total)}}}


def _by_label(crossed: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (label, way), count in sorted(crossed.items()):
        found.setdefault(label, {})[way] = count
    return found


def _happenings(found: Iterable[Crossing]) -> list[Happening]:
    return [Happening(CROSSED, one.time_s, one.box, {"direction": one.direction}) for one in found]
