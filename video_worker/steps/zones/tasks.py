"""Which tasks of a camera's zones a run carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared_utils.config.classes import find_label
from shared_utils.config.zones.model import CrossTask, ObjectsTask, Task, Zone
from video_worker.steps.context import StepContext

AnyKind_co = TypeVar("AnyKind_co", bound=Task, covariant=True)
Kind = TypeVar("Kind", bound=Task)


@dataclass(frozen=True)
class ZoneTask(Generic[AnyKind_co]):
    """A task of a zone.

    Attributes:
        zone: the zone.
        number: place of the task in it, from 0.
        task: what is done.
    """

    zone: Zone
    number: int
    task: AnyKind_co


def tasks_of(context: StepContext, kind: type[Kind]) -> list[ZoneTask[Kind]]:
    """Return the tasks of a kind that apply to the run's source: to clips, or to a live camera."""
    if context.zones is None:
        return []
    source = "clips" if context.source.has_end else "live"
    return [
        ZoneTask(zone, number, task)
        for zone in context.zones.zones
        for number, task in enumerate(zone.tasks)
        if isinstance(task, kind) and task.when in (source, "both")
    ]


def needed_pages(context: StepContext) -> frozenset[str]:
    """Return the pages that tasks of the run depend on, by themselves or by the group of their zone."""
    if context.zones is None:
        return frozenset()
    of_groups = {group.name: group.page for group in context.zones.groups if group.on}
    needed = [page for one in tasks_of(context, Task) for page in (one.task.page, of_groups.get(one.zone.group or ""))]
    return frozenset(page for page in needed if page is not None)


def counted_tasks(context: StepContext) -> list[ZoneTask[Any]]:
    """Return the tasks that count objects."""
    return [*tasks_of(context, ObjectsTask), *tasks_of(context, CrossTask)]


def reported_labels(labels: Sequence[str], context: StepContext) -> frozenset[str] | None:
    """Return the labels that a task reports, in the model's spelling; None for all.

    Labels of the task that the model does not know are left out, and so are those that the run does not report.
    """
    known = {found for label in labels if (found := find_label(label, context.labels)) is not None}
    if not labels:
        return frozenset(context.options.classes) or None
    return frozenset(known & set(context.options.classes) if context.options.classes else known)
