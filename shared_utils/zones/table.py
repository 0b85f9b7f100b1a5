"""A camera's zones as a table of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared_utils.config.zones.model import Task, Zone, Zones, task_name

HEAD = ("zone", "shape", "task", "when", "labels", "details")
MAX_LABELS = 40
"""Characters of labels that are listed."""
GAP = "  "


def zones_table(zones: Zones) -> str:
    """Return the zones and pages of a camera as lines of text: one per task, and one per zone or page without any."""
    rows = [HEAD, *(row for zone in zones.zones for row in _rows(zone))]
    rows += [(page.name, "page", "", "", "", f"like {page.reference} from {page.min_score:g}") for page in zones.pages]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    return "\n".join(
        GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _rows(zone: Zone) -> Iterator[Sequence[str]]:
    shape = "line" if zone.line is not None else f"{len(zone.points or ())} corners"
    notes = ["motion ignored"] if zone.ignore_motion else []
    notes += [f"group {zone.group}"] if zone.group else []
    if not zone.tasks:
        yield zone.name, shape, "", "", "", ", ".join(notes)
    for task in zone.tasks:
        labels = ", ".join(getattr(task, "labels", ())) or ("all" if hasattr(task, "labels") else "")
        if len(labels) > MAX_LABELS:
            labels = f"{labels[:MAX_LABELS]}…"
        yield zone.name, shape, task_name(task), task.when, labels, ", ".join([*notes, *_details(task)])


def _details(task: Task) -> Iterator[str]:
    """Yield the task's own settings, as its file spells them."""
    for name in task.__struct_fields__:
        value = getattr(task, name)
        if name not in ("when", "labels", "module") and value is not None:
            yield f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
