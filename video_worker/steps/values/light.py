"""Tells whether a lamp is on: the task ``light``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_utils.config.zones.model import LightTask
from video_worker.steps.base import Step
from video_worker.steps.context import StepContext
from video_worker.steps.values.value_step import ValueStep
from video_worker.steps.values.zone_crop import ZoneCrop
from video_worker.steps.zones.tasks import ZoneTask, tasks_of
from video_worker.values.lamps import LampState, lamp_level
from video_worker.values.reports import Value

ON, OFF = "on", "off"
LEVEL_DIGITS = 1


class Light(ValueStep[LightTask]):
    """Watches one lamp.

    Args:
        context: of the run.
        task: the task, and its zone.
    """

    event_type = "light"
    is_slow = False

    def __init__(self, context: StepContext, task: ZoneTask[LightTask]) -> None:
        super().__init__(context, task, task.task.every_s)
        self._lamp = LampState(task.task.on_above, task.task.off_below)

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return a step per task of the kind for this source."""
        return [cls(context, task) for task in tasks_of(context, LightTask)]

    def look(self, crop: ZoneCrop) -> float:
        """Return the level, 0..255."""
        return lamp_level(crop.picture, crop.mask, self.task.colour)

    def judge(self, time_s: float, found: Any) -> Value:
        """Return whether the lamp is on."""
        del time_s
        return Value(ON if self._lamp.update(found) else OFF, more={"level": round(found, LEVEL_DIGITS)})

    def memory(self) -> Mapping[str, Any]:
        """Return whether the lamp is on."""
        return {"on": self._lamp.is_on}

    def recall(self, memory: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`memory`."""
        del later_s
        self._lamp.is_on = memory["on"] is True

    def recall_event(self, time_s: float, value: Value) -> None:
        """Take note of a state that was reported after the other one was saved."""
        del time_s
        self._lamp.is_on = value.value == ON
