"""A camera's zones as a table of text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from shared_utils.config.validation import Model
from shared_utils.config.zones.model import Group, Task, Zone, Zones, task_name

HEAD = ("zone", "shape", "task", "when", "labels", "details")
MAX_LABELS = 40
"""Characters of labels that are listed."""
GAP = "  "


def zones_table(zones: Zones) -> str:
    """Return the zones, pages and groups of a camera as lines: one per task, zone without any, page and group."""
    rows = [HEAD, *(row for zone in zones.zones for row in _rows(zone))]
    rows += [(page.name, "page", "", "", "", f"like {page.reference} from {page.min_score:g}") for page in zones.pages]
    rows += [(group.name, "group", "", "", "", _switch(group)) for group in zones.groups]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    return "\n".join(
        GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _switch(group: Group) -> str:
    return ("on" if group.on else "off") + (f", while page {group.page} is displayed" if group.page else "")


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
        if name not in ("when", "labels", "module") and value not in (None, ()):
            yield f"{name} {_spelt(value)}"


def _spelt(value: object) -> str:
    """Return a value as JSON, rules without what they leave open; single words and numbers as they are."""
    if isinstance(value, Model):
        value = {key: one for key in value.__struct_fields__ if (one := getattr(value, key)) not in (None, "")}
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
