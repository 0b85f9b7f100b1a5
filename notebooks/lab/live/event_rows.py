"""An event as a row of the page: time, what happened, details. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeGuard

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
    score = event.more.get("score") if event.confidence is None else event.confidence
    parts = [
        value,
        _label(event),
        f"{score:.2f}" if _is_number(score) else None,
        event.more.get("direction") if isinstance(event.more.get("direction"), str) else None,
        f"in {event.zone}" if event.zone else None,
        *_extent(event),
        event.filename,
        *_outcome(event),
        event.more.get("reason") or event.more.get("error"),
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


def _extent(event: Event) -> list[str]:
    """Return how much moved, and for how long something lasted."""
    share, duration_s = event.more.get("share"), event.more.get("dwell_s", event.more.get("duration_s"))
    found = [f"{100 * share:.1f} % of the picture"] if _is_number(share) else []
    return found + ([f"after {duration_s:.1f} s"] if _is_number(duration_s) and event.type != "clip" else [])


def _outcome(event: Event) -> list[str]:
    """Return what was found in a clip."""
    detected = event.more.get("detected")
    if not isinstance(detected, list):
        return []
    return [", ".join(str(label) for label in detected) or "nothing found"]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def picture_name(event: Event) -> str | None:
    """Return the name of an event's picture in the folder of events; None where it has none there."""
    folder, _, name = (event.picture or "").partition("/")
    return name if folder == EVENTS_FOLDER and name.endswith(".jpg") and "/" not in name and "\\" not in name else None
