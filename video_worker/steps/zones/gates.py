"""When a task is carried out: while its page is displayed, and its zone's group is switched on."""

from __future__ import annotations

from typing import Any

from video_worker.steps.base import Sample
from video_worker.steps.context import StepContext
from video_worker.steps.zones.frame_values import pages_of
from video_worker.steps.zones.tasks import ZoneTask


class Gate:
    """Tells whether a task is to be carried out on a frame.

    Args:
        context: of the run.
        task: the task, and its zone.
    """

    def __init__(self, context: StepContext, task: ZoneTask[Any]) -> None:
        groups = context.zones.groups if context.zones is not None else ()
        group = next((one for one in groups if one.name == task.zone.group), None)
        self._is_on = group is None or group.on
        wanted = (task.task.page, group.page if group is not None else None)
        self._pages = frozenset(page for page in wanted if page is not None)

    def is_open(self, sample: Sample) -> bool:
        """Return whether the task is to be carried out on this frame."""
        return self._is_on and self._pages <= pages_of(sample)
