"""Reads the text of a zone with four corners: the task ``read``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared_utils.config.zones.model import ReadTask
from shared_utils.errors import ReaderMissing
from video_worker.readers.base import RawReading
from video_worker.readers.registry import REMOTE
from video_worker.steps.base import Step
from video_worker.steps.context import StepContext
from video_worker.steps.values.value_step import Failure, ValueStep
from video_worker.steps.values.zone_crop import ZoneCrop
from video_worker.steps.zones.tasks import ZoneTask, tasks_of
from video_worker.values.cleaning import Cleaner
from video_worker.values.reports import Value


class Read(ValueStep[ReadTask]):
    """Reads one zone, by the engine of its task.

    The engine is loaded with the first look. One that is missing makes the zone unreadable, and no other.

    Args:
        context: of the run.
        task: the task, and its zone.
    """

    def __init__(self, context: StepContext, task: ZoneTask[ReadTask]) -> None:
        if task.task.engine in REMOTE and context.remote_pool is not None:
            context = replace(context, pool=context.remote_pool)
        super().__init__(context, task, task.task.every_s)
        self._readers = context.readers
        self._cleaner = Cleaner(task.task)

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return a step per task of the kind for this source."""
        return [cls(context, task) for task in tasks_of(context, ReadTask)]

    def look(self, crop: ZoneCrop) -> RawReading:
        """Return what the engine reads."""
        if self._readers is None:
            raise ReaderMissing("this program has no engines that read text")
        return self._readers.get(self.task.engine).read(crop.picture, self.task.mode)

    def judge(self, time_s: float, found: Any) -> Value:
        """Return the reading, cleaned."""
        return self._by_engine(self._cleaner.clean(time_s, found))

    def fail(self, time_s: float, failure: Failure) -> Value:
        """Return that nothing was read."""
        self._cleaner.miss(time_s)
        return self._by_engine(super().fail(time_s, failure))

    def interrupt(self) -> None:
        """Forget what the display said before."""
        self._cleaner.interrupt()

    def memory(self) -> Mapping[str, Any]:
        """Return what cleaning keeps."""
        return self._cleaner.state()

    def recall(self, memory: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`memory`."""
        self._cleaner.resume(memory, later_s)

    def recall_event(self, time_s: float, value: Value) -> None:
        """Take note of a reading that was reported after the state was saved."""
        self._cleaner.note(time_s, value)

    @classmethod
    def remark(cls, record: Mapping[str, Any]) -> str:
        """Return what was read in the zones of a clip, such as ``pressure: 28 readings, 2 unreadable``."""
        found = []
        for name, entry in record.get("zones", {}).items():
            if "unreadable" in entry:
                found.append(f"{name}: {entry['readings']} readings, {entry['unreadable']} unreadable")
        return "; ".join(found)

    def _by_engine(self, value: Value) -> Value:
        return replace(value, more={**value.more, "engine": self.task.engine})
