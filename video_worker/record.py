"""The record of a run: a line of ``detections_log.jsonl`` (DESIGN 3.3)."""

from __future__ import annotations

import functools
import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from shared_utils.clips import boxes_name, parse_clip_name
from shared_utils.schemas import SCHEMA, ClipEntry, ModelEntry, Options, Record, TimingEntry, options_as_dict
from video_worker.frames import ClipFacts
from video_worker.models import LoadedModel

SECONDS_DIGITS = 3

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class RunNames:
    """What a run and its clip are called.

    Attributes:
        filename: bare name of the clip's file.
        run_id: of the run; see :func:`make_run_id`.
        job_id: of its job; None without a queue.
    """

    filename: str
    run_id: str
    job_id: str | None

    def boxes_path(self, folder: Path) -> Path:
        """Return the run's boxes file in `folder`."""
        return folder / boxes_name(self.filename, self.run_id)


def make_run_id(created_at: datetime, source: str) -> str:
    """Return the id of a run: a UUID (version 7) that sorts by the time it was asked for.

    The same arguments give the same id, so that a job that is done again, because its worker died, is the same run.

    Args:
        created_at: when the run was asked for.
        source: what tells it from others of that millisecond.
    """
    milliseconds = int(created_at.timestamp() * 1000)
    rest = int.from_bytes(hashlib.sha256(f"{milliseconds} {source}".encode()).digest()[:10])
    number = (milliseconds & ((1 << 48) - 1)) << 80 | rest
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=number))


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
    """
    base = {"ok": True, **_head(names, now)}
    found = dict(results)
    # the five keys of old come first, where people look for them
    for key in ("detected", "count"):
        base[key] = found.pop(key)
    ordered = {key: base[key] for key in ("ok", "filename", "detected", "count", "timestamp")}
    rest = {
        "objects": found.pop("objects"),
        "clip": clip,
        "model": model,
        "timing": timing,
        "options": options_as_dict(options),
        "versions": versions(),
        **found,
    }
    return cast("Record", {**ordered, **base, **rest})


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
    return {
        "sha256": sha256,
        "started_at": _started_at(filename, facts.started_at),
        "duration_s": round(facts.duration_s, SECONDS_DIGITS),
        "frames": facts.frames,
        "width": facts.width,
        "height": facts.height,
    }


def model_entry(model: LoadedModel, options: Options) -> ModelEntry:
    """Return the record's ``model``."""
    return {
        "name": model.name,
        "sha256": model.sha256,
        "engine": model.detector.engine,
        "conf": _short(options.conf),
        "imgsz": options.imgsz,
        "fps": _short(options.fps),
    }


def timing_entry(queued_s: float | None, decode_s: float, infer_s: float, total_s: float) -> TimingEntry:
    """Return the record's ``timing``, rounded."""
    return {
        "queued_s": None if queued_s is None else round(queued_s, SECONDS_DIGITS),
        "decode_s": round(decode_s, SECONDS_DIGITS),
        "infer_s": round(infer_s, SECONDS_DIGITS),
        "total_s": round(total_s, SECONDS_DIGITS),
    }


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


def _started_at(filename: str, told: str | None) -> str | None:
    """Return when the clip began: by its metadata, else by its name, which is local time; None if neither tells."""
    if told and _ISO_TIME.match(told):
        try:
            moment = datetime.fromisoformat(told)
        except ValueError:
            moment = None
        if moment is not None:
            # creation_time is in UTC, whether or not it says so
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    clip = parse_clip_name(filename)
    return clip.started_at.astimezone().isoformat() if clip else None


def _short(number: float) -> float:
    return int(number) if number == int(number) else number


def in_words(record: Mapping[str, Any]) -> str:
    """Return a run's outcome for people, such as ``found person ×1, car ×2 (150 frames, 2.2 s)``."""
    if not record["ok"]:
        return f"failed: {record['error']}"
    tracks = {entry["label"]: entry["tracks"] for entry in record["objects"]}
    found = ", ".join(f"{label} ×{tracks[label]}" for label in record["detected"])
    text = f"found {found}" if found else "nothing found"
    text += f" ({record['sampled_frames']} frames, {record['timing']['total_s']:.1f} s)"
    if record.get("damaged_packets"):
        text += "; the clip is damaged, what could be read was analysed"
    if record.get("brightness", {}).get("dark"):
        text += "; the picture is dark throughout: is the camera covered?"
    return text
