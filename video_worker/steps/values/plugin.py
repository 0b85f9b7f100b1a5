"""Asks a module of people's own for the value of a zone: the tasks whose name is none of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared_utils.config.zones.model import PluginTask
from shared_utils.errors import PluginFailed
from video_worker.steps.base import Step
from video_worker.steps.context import StepContext
from video_worker.steps.values.value_step import Failure, ValueStep
from video_worker.steps.values.zone_crop import ZoneCrop
from video_worker.steps.zones.tasks import ZoneTask, tasks_of
from video_worker.values.reports import Value


class Plugin(ValueStep[PluginTask]):
    """Asks one module about one zone. A module that is missing, wrong or hangs makes its zone unreadable, and no other.

    Args:
        context: of the run.
        task: the task, and its zone.
    """

    def __init__(self, context: StepContext, task: ZoneTask[PluginTask]) -> None:
        self._plugins = context.plugins
        if self._plugins is not None and context.pool is not None:
            context = replace(context, pool=self._plugins.pool(task.task.module))
        super().__init__(context, task, task.task.every_s)
        self._facts = {"name": task.zone.name, "camera": context.camera, "settings": dict(task.task.settings or {})}

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return a step per task of the kind for this source."""
        return [cls(context, task) for task in tasks_of(context, PluginTask)]

    def look(self, crop: ZoneCrop) -> Value | Failure:
        """Return what the module makes of the zone."""
        if self._plugins is None:
            return Failure("error", "this program has no folder of modules")
        try:
            found = self._plugins.ask(self.task.module, crop.picture, crop.mask, {**self._facts, "time_s": crop.time_s})
        except PluginFailed as error:
            return Failure("error", str(error))
        reason = "empty" if found.value is None else None
        return Value(found.value, found.confidence, reason, found.number)

    def judge(self, time_s: float, found: Any) -> Value:
        """Return the module's value: it has cleaned it itself."""
        del time_s
        return self._by_module(found)

    def fail(self, time_s: float, failure: Failure) -> Value:
        """Return that there is no value."""
        return self._by_module(super().fail(time_s, failure))

    def _by_module(self, value: Value) -> Value:
        return replace(value, more={**value.more, "module": self.task.module})
