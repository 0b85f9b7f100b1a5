"""The record of a run: a line of ``detections_log.jsonl`` (docs/contracts.md)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any, cast

from shared_utils.config.zones.files import LoadedZones
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.job_options import Options, options_as_dict
from shared_utils.contracts.record import SCHEMA, ClipEntry, ModelEntry, Record, SetupEntry, TimingEntry, ZoneEntry
from shared_utils.media.frames import ClipFacts
from video_worker.models.registry import LoadedModel
from video_worker.pipeline.run_names import RunNames
from video_worker.steps import STEPS

SECONDS_DIGITS = 3
KEYS_FIRST = (
    *("ok", "filename", "detected", "count", "timestamp"),
    *("schema", "camera", "run_id", "job_id", "objects", "zones", "clip", "model", "setup", "timing"),
    *("options", "versions"),
)
"""Keys of a record that come first, in this order; those of the replaced system where people look for them."""

FIRST_YEAR = 2001
"""Earlier years come from clocks that were never set: 1904 is the epoch of MP4 (ISO/IEC 14496-12, 8.2.2), 1970 that of
Unix, and many cameras begin at 2000."""
MAX_CLOCK_SKEW = timedelta(days=1)
"""How far a camera's clock may be ahead of this machine's."""

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def success(
    names: RunNames,
    options: Options,
    clip: ClipEntry,
    model: ModelEntry,
    timing: TimingEntry,
    results: Mapping[str, object],
    now: datetime,
) -> Record:
    """Return the record of a run that went well.

    Args:
        results: what the steps found: `detected`, `count`, `objects`, and keys of their own.
        now: the time of writing, with its zone.

    Raises:
        ValueError: a step adds a key that every record has.
    """
    found = {
        "ok": True,
        **_head(names, now),
        "clip": clip,
        "model": model,
        "timing": timing,
        "options": options_as_dict(options),
        "versions": versions(),
    }
    if taken := found.keys() & results.keys():
        raise ValueError(f"a step adds {min(taken)!r} to the record, which has that key already")
    found.update(results)
    if zones := results.get("zones"):
        found["zones"] = zones_entry(cast("Mapping[str, Mapping[str, Any]]", zones))
    first = {key: found[key] for key in KEYS_FIRST if key in found}
    return cast("Record", {**first, **found})


def failure(names: RunNames, error: str, now: datetime) -> Record:
    """Return the record of a run that failed by `error` and will not be tried again."""
    head = _head(names, now)
    return cast(
        "Record", {"ok": False, "filename": head["filename"], "error": error, "timestamp": head["timestamp"], **head}
    )


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of the libraries that a result may depend on, beside the engine's."""
    return {name: metadata.version(name) for name in ("av", "numpy", "opencv-python-headless")}


def clip_entry(filename: str, facts: ClipFacts, sha256: str) -> ClipEntry:
    """Return the record's ``clip``."""
    entry: ClipEntry = {
        "sha256": sha256,
        "started_at": started_at(filename, facts),
        "duration_s": round(facts.duration_s, SECONDS_DIGITS),
        "frames": facts.frames,
        "width": facts.width,
        "height": facts.height,
    }
    if facts.sizes:
        entry["sizes"] = [
            {"at_s": round(at, SECONDS_DIGITS), "width": width, "height": height} for at, width, height in facts.sizes
        ]
    if facts.notes:
        entry["notes"] = list(facts.notes)
    return entry


def model_entry(model: LoadedModel, options: Options) -> ModelEntry:
    """Return the record's ``model``."""
    entry: ModelEntry = {
        "name": model.name,
        "sha256": model.sha256,
        "engine": model.detector.engine,
        "conf": _short(options.conf),
        "imgsz": model.side(options.imgsz),
        "fps": _short(options.fps),
    }
    if model.device is not None:
        entry["device"] = model.device
    if model.fixed_wh is not None:
        entry["input"] = list(model.fixed_wh)
    return entry


def timing_entry(queued_s: float | None, decode_s: float, infer_s: float, total_s: float) -> TimingEntry:
    """Return the record's ``timing``, rounded."""
    return {
        "queued_s": None if queued_s is None else round(queued_s, SECONDS_DIGITS),
        "decode_s": round(decode_s, SECONDS_DIGITS),
        "infer_s": round(infer_s, SECONDS_DIGITS),
        "total_s": round(total_s, SECONDS_DIGITS),
    }


def zones_entry(zones: Mapping[str, Mapping[str, Any]]) -> dict[str, ZoneEntry]:
    """Return the record's ``zones``: what each zone counted, with all keys, whichever steps were at work."""
    entries: dict[str, ZoneEntry] = {}
    for name, counts in zones.items():
        entry: ZoneEntry = {"entered": {}, "left": {}, "crossed": {}, "dwell_s": 0.0, "readings": 0, "items": {}}
        entries[name] = cast("ZoneEntry", {**entry, **counts})
    return entries


def setup_entry(zones: LoadedZones) -> SetupEntry:
    """Return the record's ``setup``."""
    return {"zones_sha256": zones.sha256}


def _head(names: RunNames, now: datetime) -> dict[str, Any]:
    clip = parse_clip_name(names.filename)
    return {
        "filename": names.filename,
        "timestamp": now.isoformat(),
        "schema": SCHEMA,
        "camera": clip.camera if clip else None,
        "run_id": names.run_id,
        "job_id": names.job_id,
    }


def started_at(filename: str, facts: ClipFacts) -> str | None:
    """Return when the clip began, ISO 8601; None if that is unknown.

    By what capture wrote into it, else by its name, which is local time, else by when the file was made: many cameras
    and converters write their first second of 1970 or 1904 there, or the time of the conversion.
    """
    clip = parse_clip_name(filename)
    moment = _plausible_time(facts.started_at)
    if moment is None and clip is not None:
        moment = clip.started_at.astimezone()
    moment = moment or _plausible_time(facts.created_at)
    return moment.isoformat() if moment else None


def _plausible_time(text: str | None) -> datetime | None:
    if not text or not _ISO_TIME.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        # metadata is in UTC, whether or not it says so
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment if moment.year >= FIRST_YEAR and moment <= datetime.now(UTC) + MAX_CLOCK_SKEW else None
    except (ValueError, OverflowError):
        return None


def _short(number: float) -> float:
    return int(number) if number == int(number) else number


def describe(record: Mapping[str, Any]) -> str:
    """Return a run's outcome for people, such as ``found person ×1, car ×2 (150 frames, 2.2 s)``."""
    if not record["ok"]:
        return f"failed: {record['error']}"
    tracks = {entry["label"]: entry["tracks"] for entry in record["objects"]}
    found = ", ".join(f"{label} ×{tracks[label]}" for label in record["detected"])
    text = f"found {found}" if found else "nothing found"
    text += f" ({record['sampled_frames']} frames, {record['timing']['total_s']:.1f} s)"
    if record.get("damaged_packets"):
        text += "; the clip is damaged, what could be read was analysed"
    if notes := record.get("clip", {}).get("notes"):
        text += f"; {'; '.join(notes)}"
    remarks = [remark for step in STEPS if (remark := step.remark(record))]
    return "; ".join([text, *remarks])
