"""An event as a row of the page: time, what happened, details. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared_utils.contracts.events import TYPES, Event
from shared_utils.contracts.sidecars import EVENTS_FOLDER

MAX_TEXT = 120
"""Longer texts are cut: a reading may be anything."""


def event_row(event: Event, now: datetime) -> dict[str, Any]:
    """Return what the page shows of an event.

    Args:
        event: the event.
        now: the present time with its zone: the rows' times are in it, and those of other days have their date.
    """
    at = event.at.astimezone(now.tzinfo)
    clock = at.strftime("%H:%M:%S" if at.date() == now.date() else "%d %b %H:%M:%S")
    # of types that hold what happened, it is part of the title; of others it is what was read or seen
    happened = TYPES.get(event.type)
    what = f"{event.type} {event.value}" if happened and event.value is not None else event.type
    value = None if happened else event.value
    parts = [
        value,
        _label(event),
        None if event.confidence is None else f"{event.confidence:.2f}",
        f"in {event.zone}" if event.zone else None,
        event.filename,
        event.more.get("reason"),
    ]
    detail = " ".join(str(part) for part in parts if part not in (None, ""))
    return {
        "id": event.id,
        "type": event.type,
        "clock": clock,
        "what": what[:MAX_TEXT],
        "detail": detail[:MAX_TEXT],
        "picture": picture_name(event) is not None,
    }


def _label(event: Event) -> str | None:
    label, track = event.more.get("label"), event.more.get("track")
    if not isinstance(label, str) or not label:
        return None
    return f"{label} #{track}" if isinstance(track, int) else label


def picture_name(event: Event) -> str | None:
    """Return the name of an event's picture in the folder of events; None where it has none there."""
    folder, _, name = (event.picture or "").partition("/")
    return name if folder == EVENTS_FOLDER and name.endswith(".jpg") and "/" not in name and "\\" not in name else None
