"""Counts the objects that enter and leave a zone, and how long they stay: the task ``objects``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_utils.config.zones.model import ObjectsTask
from video_worker.steps.base import Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, Kind, LogColumn, RecordKey
from video_worker.steps.zones.tasks import ZoneTask, tasks_of
from video_worker.steps.zones.zone_step import TIME_DIGITS, Happening, ZoneStep
from video_worker.zones.following import FollowedObject
from video_worker.zones.stays import ENTERED, LEFT, Stay, StayChange, StayRules


@dataclass
class _Counts:
    """What was counted. `entered`, `left`: by label; `dwell_s`: of all stays together."""

    entered: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    dwell_s: float = 0.0


class Objects(ZoneStep[Stay]):
    """Watches the stays of all objects in one zone.

    What is inside when a clip begins, or is recognised in its first second, is inside and has not entered; what is
    inside at its end has not left. Their time counts. What appears inside later has entered if it moves within a few
    seconds, else it was there before; what disappears inside has left, unless it never moved.

    Args:
        context: of the run.
        task: the task, and its zone.
    """

    adds = Adds(
        keys=(
            RecordKey(
                "zones",
                "of each zone with a task for clips: `entered` and `left` by label, `dwell_s` of all stays together, "
                "seconds; `crossed` by label and direction; `readings` that gave a value, and where the zone is "
                "read, `unreadable` ones; `items`. Absent where there are no such zones",
                '{"gate": {"entered": {"person": 1}, "left": {"person": 1}, "crossed": {}, "dwell_s": 12.4, '
                '"readings": 0, "items": {}}}',
            ),
        ),
        columns=(
            LogColumn(
                "zones_sha256",
                ("setup", "zones_sha256"),
                Kind.TEXT,
                "SHA-256 of the file of zones that the clip was analysed with; missing where there was none",
            ),
        ),
    )

    def __init__(self, context: StepContext, task: ZoneTask[ObjectsTask]) -> None:
        super().__init__(context, task, task.task.labels)
        self._rules = StayRules(self.zone.points or (), task.task.anchor, task.task.min_s, task.task.loiter_s)
        self._counted = _Counts()
        self._all: Sequence[Objects] = (self,)

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return a step per task of the kind for this source."""
        found = [cls(context, task) for task in tasks_of(context, ObjectsTask)]
        for step in found:
            # the tasks of one zone share an entry of the record, which the first one writes
            step._all = [other for other in found if other.zone is step.zone]
            step.share_reports(step._all)
        return found

    def make(self) -> Stay:
        """Return the stay of an object that was not seen before."""
        return Stay()

    def see(self, machine: Stay, time_s: float, one: FollowedObject) -> list[Happening]:
        """Take the place of an object in a frame; return what it did."""
        return [_happening(change) for change in machine.update(time_s, one, self._rules)]

    def end(self, machine: Stay, one: FollowedObject, *, gone: bool) -> list[Happening]:
        """Take note that an object will not be seen again."""
        return [_happening(change) for change in machine.end(one, self._rules, gone=gone)]

    def end_twin(self, machine: Stay, one: FollowedObject) -> list[Happening]:
        """Return that it has left, if it was reported to have entered: nobody stays inside for ever."""
        changes = machine.end(one, self._rules, gone=True) if machine.reported_in else []
        return [_happening(change) for change in changes if change.what == LEFT]

    def count(self, happening: Happening, label: str) -> None:
        """Count an entry, or the end of a stay."""
        if happening.value == ENTERED:
            self._counted.entered[label] += 1
        elif happening.value == LEFT:
            self._counted.left[label] += happening.counted
            self._counted.dwell_s += happening.more["dwell_s"]

    def counts(self) -> Mapping[str, Any]:
        """Return what was counted so far; the time of stays that go on is not in it."""
        found = self._counted
        return {"entered": dict(found.entered), "left": dict(found.left), "dwell_s": found.dwell_s}

    def resume_counts(self, counts: Mapping[str, Any]) -> None:
        """Go on from earlier counts."""
        self._counted = _Counts(Counter(counts["entered"]), Counter(counts["left"]), counts["dwell_s"])

    def machine_state(self, machine: Stay) -> dict[str, Any]:
        """Return a stay as JSON takes it."""
        return machine.state()

    def machine_of(self, state: dict[str, Any], later_s: float) -> Stay:
        """Return the stay of a state."""
        return Stay.of_state(state, later_s)

    def shape(self) -> object:
        """Return the polygon and the anchor."""
        return [[list(point) for point in self._rules.polygon], self._rules.anchor]

    def result(self) -> Mapping[str, object]:
        """Return the zone's entry in `zones`."""
        if self._all[0] is not self:
            return {}
        total = _Counts()
        for step in self._all:
            step.finish()
            total.entered += step._counted.entered
            total.left += step._counted.left
            total.dwell_s += step._counted.dwell_s
        return {
            "zones": {
                self.zone.name: {
                    "entered": dict(sorted(total.entered.items())),
                    "left": dict(sorted(total.left.items())),
                    "dwell_s": round(total.dwell_s, TIME_DIGITS),
                }
            }
        }

    @classmethod
    def remark(cls, record: Mapping[str, Any]) -> str:
        """Return what happened in the zones of a clip, of lines as well, such as ``gate: person in ×1``."""
        found = []
        for name, entry in record.get("zones", {}).items():
            done = [f"{label} in ×{count}" for label, count in entry["entered"].items()]
            done += [f"{label} out ×{count}" for label, count in entry["left"].items()]
            for label, ways in entry["crossed"].items():
                done += [f"{label} to the {way} ×{count}" for way, count in ways.items()]
            if done:
                found.append(f"{name}: {', '.join(done)}")
        return "; ".join(found)


def _happening(change: StayChange) -> Happening:
    more = {} if change.what == ENTERED else {"dwell_s": round(change.dwell_s, TIME_DIGITS)}
    return Happening(change.what, change.time_s, change.box, more, change.counted)
