"""Events: something that happened in front of a camera, or to a program.

One line has the same keys wherever it is: in ``events_log.jsonl`` (seen live), in ``events/<stem>.<run_id>.jsonl`` (the
events of a run over a clip, after the header of a sidecar), and on the Redis stream::

    {"schema": 1, "id": "01a2…", "type": "reading", "at": "2026-02-23T14:48:31.120+02:00", "camera": "press-3",
     "zone": "pressure", "value": "12.4", "confidence": 0.97, "source": "live", "run_id": null, "filename": null,
     "t": null, "picture": "events/01a2….jpg"}

Readers ignore types and keys that they do not know. Keys of a type's own, such as ``state``, follow the common ones.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared_utils.contracts.json_lines import (
    append_line,
    parse_object,
    read_objects,
    read_objects_backwards,
)
from shared_utils.contracts.sidecars import EVENTS_FOLDER, SidecarWriter, check_schema, read_header, sidecar_name
from shared_utils.errors import FormatError

EVENTS_LOG_NAME = "events_log.jsonl"
SCHEMA = 1
TYPES: Mapping[str, tuple[str, ...]] = {
    "motion": ("started", "ended"),
    "clip": ("saved", "analysed"),
    "camera": ("up", "down"),
    "object": ("seen", "entered", "left", "crossed", "loitering"),
    "reading": (),
    "light": (),
    "page": (),
    "item": ("in", "out"),
    "service": ("started", "stopped", "trouble"),
}
"""Known types, and what may have happened, which is in ``value``; those without hold what was read or seen there."""


def make_event_id(now_s: float | None = None) -> str:
    """Return a new id: a UUID of version 7 (RFC 9562, section 5.7).

    Args:
        now_s: seconds since the epoch; the present time if None.
    """
    milliseconds = int((time.time() if now_s is None else now_s) * 1000)
    number = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=number))


def event_id_time(event_id: str) -> float | None:
    """Return when an id was made, seconds since the epoch; None for a text that is no id of :func:`make_event_id`."""
    try:
        number = uuid.UUID(event_id)
    except ValueError:
        return None
    return (number.int >> 80) / 1000 if number.version == 7 and str(number) == event_id else None


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes:
        type: see :data:`TYPES`; readers meet others of later versions.
        at: when it happened, with its zone.
        camera: name of the camera; None for a program's.
        zone: name of the zone, where it happened in one.
        value: what happened, was read or seen.
        confidence: 0..1, where there is one.
        source: ``live`` or ``clip``.
        run_id: of the run that found it in a clip.
        filename: of that clip.
        t: seconds from its first frame.
        picture: path of a picture on the shared volume.
        id: UUID of version 7, which sorts by the time it was made.
        more: keys of the type's own.
    """

    type: str
    at: datetime
    camera: str | None = None
    zone: str | None = None
    value: Any = None
    confidence: float | None = None
    source: str = "live"
    run_id: str | None = None
    filename: str | None = None
    t: float | None = None
    picture: str | None = None
    id: str = field(default_factory=make_event_id)
    more: Mapping[str, Any] = field(default_factory=dict)


SEARCH_BYTES = 8_000_000
"""Most of the log that is searched for live events: 20,000 of them."""
MAX_REFERENCES = 40
"""Most live events that the event of a clip refers to."""
_DELAY = timedelta(minutes=1)
"""Live events of several cameras and zones are logged some seconds after they happen, and not in their order."""
_KEYS = ("schema", "id", *(one.name for one in fields(Event) if one.name not in ("id", "more")))
"""Common keys of a line, in their order."""
_TEXTS = ("camera", "zone", "run_id", "filename", "picture")


def events_log_path(video_dir: Path) -> Path:
    """Return the path of the log of live events."""
    return video_dir / EVENTS_LOG_NAME


def clip_events_path(video_dir: Path, filename: str, run_id: str) -> Path:
    """Return the path of the events of a run over the clip `filename`."""
    return video_dir / EVENTS_FOLDER / sidecar_name(filename, run_id)


def event_to_dict(event: Event) -> dict[str, Any]:
    """Return an event as a line or a message of the stream holds it."""
    line: dict[str, Any] = {"schema": SCHEMA, "id": event.id}
    for key in _KEYS[2:]:
        line[key] = getattr(event, key)
    line["at"] = event.at.astimezone().isoformat(timespec="milliseconds")
    return line | {key: value for key, value in event.more.items() if key not in line}


def event_from_dict(entry: Mapping[str, Any], path: Path) -> Event | None:
    """Return the event that a line holds; None for an object that is not an event.

    Args:
        entry: the line.
        path: where it is from, for messages.

    Raises:
        FormatError: it is of a later version.
    """
    check_schema(entry, path, SCHEMA)
    event_id, kind, at = entry.get("id"), entry.get("type"), entry.get("at")
    if not (isinstance(event_id, str) and event_id and isinstance(kind, str) and kind and isinstance(at, str)):
        return None
    try:
        moment = datetime.fromisoformat(at)
        # a time without its zone is local
        moment = moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError):
        return None
    texts = {key: value if isinstance(value := entry.get(key), str) else None for key in _TEXTS}
    source = entry.get("source")
    return Event(
        type=kind,
        at=moment,
        value=entry.get("value"),
        confidence=_number(entry.get("confidence")),
        source=source if isinstance(source, str) else "live",
        t=_number(entry.get("t")),
        id=event_id,
        more={key: value for key, value in entry.items() if key not in _KEYS},
        **texts,
    )


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None


def append_event(path: Path, event: Event) -> None:
    """Append an event to the log of live events, on disk when this returns.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    append_line(path, event_to_dict(event))


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of the log, oldest first. Lines that are torn or hold something else are skipped.

    A missing log is an empty one.

    Raises:
        OSError: it cannot be read.
        FormatError: a line is of a later version.
    """
    for entry in read_objects(path):
        event = event_from_dict(entry, path)
        if event is not None:
            yield event


def read_last_events(path: Path, max_bytes: int) -> list[Event]:
    """Return the last events of the log, oldest first: those in its last `max_bytes`.

    Lines of a later version are skipped. A missing log is an empty one.

    Raises:
        OSError: it cannot be read.
    """
    return list(_read_backwards(path, max_bytes))[::-1]


def find_live_objects(path: Path, camera: str, start: datetime, end: datetime) -> list[str]:
    """Return the ids of the ``object`` events of a camera that were seen live between two times, oldest first.

    The log of live events is read from its end backwards, until it is older than `start`, and at most its last
    :data:`SEARCH_BYTES`; of more events than :data:`MAX_REFERENCES`, the oldest are returned. A missing log is an
    empty one.

    Args:
        path: the log.
        camera: name of the camera.
        start, end: with their zones; both included.

    Raises:
        OSError: the log cannot be read.
    """
    found: list[str] = []
    for event in _read_backwards(path, SEARCH_BYTES):
        # one that is reported late, such as who left a camera that was away, says nothing about those before it
        reported = event_id_time(event.id) or 0.0
        if max(event.at.timestamp(), reported) < (start - _DELAY).timestamp():
            break
        if event.type == "object" and event.camera == camera and start <= event.at <= end:
            found.append(event.id)
    return found[::-1][:MAX_REFERENCES]


def _read_backwards(path: Path, max_bytes: int) -> Iterator[Event]:
    """Yield the events in the last `max_bytes` of the log, newest first; those of a later version are skipped."""
    for entry in read_objects_backwards(path, max_bytes):
        with suppress(FormatError):
            event = event_from_dict(entry, path)
            if event is not None:
                yield event


def write_clip_events(path: Path, events: Iterable[Event]) -> None:
    """Write the events of a run over a clip; the file appears when it is complete.

    Raises:
        OSError: it cannot be written.
    """
    writer = SidecarWriter(path, SCHEMA, _KEYS)
    try:
        for event in events:
            writer.write(event_to_dict(event))
        writer.publish()
    finally:
        writer.close()


def read_clip_events(path: Path) -> list[Event]:
    """Return the events of a run over a clip. Lines that are torn or hold something else are skipped.

    Raises:
        OSError: it cannot be read; FileNotFoundError: the run left none.
        FormatError: the file is of a later version.
    """
    content = path.read_bytes()
    header = read_header(content, path, SCHEMA, _KEYS, ())
    entries = (parse_object(line) for line in content[header.start :].splitlines())
    found = (event_from_dict(entry, path) for entry in entries if entry is not None)
    return [event for event in found if event is not None]
