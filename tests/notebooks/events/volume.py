"""A volume whose logs hold events: written by the writers of the contracts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared_utils.contracts.camera_log import append_camera_line, camera_line, camera_log_path
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.contracts.events import (
    Event,
    append_event,
    clip_events_path,
    event_to_dict,
    events_log_path,
    write_clip_events,
)
from shared_utils.contracts.json_lines import to_line

KYIV = "Europe/Kyiv"
START = datetime.fromisoformat("2026-02-23T14:00:00+02:00")
ZONES = hashlib.sha256(b"zones of the door").hexdigest()


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after :data:`START`."""
    return START + timedelta(seconds=seconds)


def happened(value: str, seconds: float, zone: str | None = "gate", **more: Any) -> Event:
    """Return a live event of an object in a zone."""
    camera = more.pop("camera", "door")
    keys = {"label": "person", "track": 1, "box": [0.1, 0.2, 0.3, 0.9], **more}
    return Event("object", at(seconds), camera, zone, value, 0.9, more=keys)


def reading(value: str | None, seconds: float, zone: str = "pressure", **more: Any) -> Event:
    """Return a live reading."""
    state = "unreadable" if value is None else "ok"
    keys = {"state": state, "text": value or "", "engine": "rapidocr", **more}
    return Event("reading", at(seconds), "door", zone, value, 0.9, more=keys)


def live(folder: Path, *events: Event) -> None:
    for event in events:
        append_event(events_log_path(folder), event)


def many_live(folder: Path, events: Iterable[Event]) -> None:
    """Write the log at once."""
    lines = (to_line(event_to_dict(event)) + "\n" for event in events)
    events_log_path(folder).write_text("".join(lines), encoding="utf-8")


def clip(
    folder: Path,
    begin: float,
    *events: Event,
    length_s: float = 30.0,
    run: str = "",
    sidecar: bool = True,
    zones_sha256: str | None = ZONES,
    zones: dict[str, Any] | None = None,
) -> str:
    """Append a clip's line to the log, and write its events, which have the times of live ones; return its run's id."""
    filename = f"{at(begin):%Y%m%d-%H%M%S}-door.mp4"
    run_id = f"run{begin:g}{run}"
    record = {"ok": True, "filename": filename, "detected": [], "count": 0, "timestamp": at(begin + 60).isoformat()}
    record |= {"schema": 2, "camera": "door", "run_id": run_id, "zones": zones or {}}
    record |= {"clip": {"started_at": at(begin).isoformat(), "duration_s": length_s}}
    if zones_sha256 is not None:
        record |= {"setup": {"zones_sha256": zones_sha256}}
    append_record(log_path(folder), record)
    if sidecar:
        own = [_of_clip(event, filename, run_id, begin, number) for number, event in enumerate(events)]
        write_clip_events(clip_events_path(folder, filename, run_id), own)
    return run_id


def _of_clip(event: Event, filename: str, run_id: str, begin: float, number: int) -> Event:
    t = (event.at - at(begin)).total_seconds()
    return Event(
        event.type,
        event.at,
        event.camera,
        event.zone,
        event.value,
        event.confidence,
        "clip",
        run_id,
        filename,
        t,
        id=f"{run_id} {number}",
        more=event.more,
    )


def watch(folder: Path, camera: str, *spans: tuple[float, float]) -> None:
    """Say in the camera log when `camera` was watched: seconds from and to."""
    for begin, end in spans:
        append_camera_line(camera_log_path(folder), camera_line(camera, "up", at(begin)))
        for number in range(1, int((end - begin) // 300) + 1):
            append_camera_line(camera_log_path(folder), camera_line(camera, "alive", at(begin + 300 * number)))
        append_camera_line(camera_log_path(folder), camera_line(camera, "down", at(end), "no connection"))
