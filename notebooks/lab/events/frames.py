"""Events as a data frame: what was seen live, and what the last run over each clip found, each of them once."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from notebooks.lab import messages
from notebooks.lab.data.columns import coded, local_zone, read_times, vector, whole
from notebooks.lab.data.results import latest, load_log
from notebooks.lab.events.doubles import find_doubles
from notebooks.lab.events.event_lines import (
    CODED,
    CORNERS,
    NUMBERS,
    TEXTS,
    WHOLES,
    EventColumns,
    read_files,
    read_log,
)
from shared_utils.contracts.events import EVENTS_LOG_NAME, events_log_path
from shared_utils.contracts.sidecars import EVENTS_FOLDER, sidecar_name
from shared_utils.errors import FormatError, SettingError

logger = logging.getLogger(__name__)

ORDER = (
    *("id", "type", "at", "camera", "zone", "value", "confidence", "source", "run_id", "filename", "t", "picture"),
    *("label", "track", "direction", "dwell_s", *CORNERS),
    *(
        "state",
        "reason",
        "text",
        "number",
        "unit",
        "engine",
        "module",
        "level",
        "score",
        "readings",
        "min",
        "max",
        "task",
    ),
)
"""The columns of :func:`events`; docs/analysis.md says what they mean."""


@dataclass(frozen=True)
class Found:
    """Events as they were read, doubles included.

    Attributes:
        events: in no order; columns :data:`ORDER`.
        in_clip: of each event, whether it is of a clip.
        clips: the last run of each clip that was analysed with zones: ``camera``, ``start``, ``end``, ``run_id``,
            ``filename``, ``zones_sha256``, ``zones`` and ``there``, whether its events are there.
    """

    events: pd.DataFrame
    in_clip: pd.Series
    clips: pd.DataFrame


def events(
    video_dir: str | Path,
    *,
    types: str | Collection[str] | None = None,
    log: pd.DataFrame | None = None,
    zone: tzinfo | str | None = None,
) -> pd.DataFrame:
    """Return what happened, by time: one row per event, live and in clips.

    Of a clip, the events of its last good run count. What was seen both live and in a clip is there once: while a clip
    lasts, its analysis decides for the tasks that it carries out (see :mod:`notebooks.lab.events.doubles`).

    Lines that are torn, not of ours or repeated are skipped, and values of the wrong kind are left empty. How many that
    were is in ``attrs["skipped"]`` and ``attrs["mended"]``, and logged in one line; ``attrs["doubles"]`` counts what
    was seen twice. A missing log is an empty one.

    Args:
        video_dir: the shared volume.
        types: of the events that are wanted, such as ``"object"`` or ``{"reading", "light"}``; None for all.
        log: a frame of :func:`notebooks.lab.data.results.load_log`, to read it only once, or a part of it, for the
            clips that are wanted.
        zone: the time zone of the times; this machine's, if None.

    Raises:
        FormatError: there are lines, and all are of a later version.
        SettingError: there is no such folder, or a file cannot be read.
    """
    found = read_events(video_dir, types=types, log=log, zone=zone)
    double = find_doubles(found.events, found.in_clip, found.clips)
    attrs = found.events.attrs | {"doubles": int(double.sum())}
    frame = found.events[~double].sort_values("at", kind="stable", ignore_index=True)
    frame.attrs = attrs
    return frame


def read_events(
    video_dir: str | Path, *, types: str | Collection[str] | None, log: pd.DataFrame | None, zone: tzinfo | str | None
) -> Found:
    """Return all events, doubles included; arguments and errors as for :func:`events`."""
    folder = Path(video_dir)
    if not folder.is_dir():
        raise SettingError(f"{folder} is no folder: give the shared volume")
    zone = local_zone() if zone is None else zone
    clips = clips_with_zones(folder, load_log(folder, zone=zone) if log is None else log, zone)
    columns = EventColumns()
    kept = {types} if isinstance(types, str) else None if types is None else set(types)
    times = partial(read_times, zone=zone)
    read_log(events_log_path(folder), columns, kept, times)
    live = len(columns.texts["id"])
    there = clips[clips["there"]]
    names = zip(there["filename"], there["run_id"], strict=True)
    paths = [folder / EVENTS_FOLDER / sidecar_name(name, run_id) for name, run_id in names]
    unreadable = read_files(paths, columns, kept, times)
    frame = _frame(columns, zone)
    frame, in_clip = _clean(frame, pd.Series(range(len(frame))) >= live, columns)
    if frame.empty and (later := [reason for reason in columns.skipped if "of schema" in reason]):
        raise FormatError(f"{EVENTS_LOG_NAME}: every line is {later[0]}")
    frame.attrs = {"skipped": dict(columns.skipped), "mended": columns.mended}
    _log_odd(columns, unreadable)
    return Found(frame, in_clip, clips)


def clips_with_zones(folder: Path, log: pd.DataFrame, zone: tzinfo | str) -> pd.DataFrame:
    """Return the last good run of each clip of `log` that was analysed with zones; see :attr:`Found.clips`."""
    runs = latest(log)
    runs = runs[runs["zones_sha256"].notna() & runs["run_id"].notna() & runs["started_at"].notna()]
    clips = runs[["run_id", "filename", "zones_sha256", "zones"]].copy()
    clips.insert(0, "camera", runs["camera"].astype(object))
    clips["start"] = runs["started_at"].dt.tz_convert(zone)
    clips["end"] = clips["start"] + pd.to_timedelta(runs["duration_s"].fillna(0.0), unit="s").dt.as_unit("us")
    try:
        names = {entry.name for entry in os.scandir(folder / EVENTS_FOLDER)}
    except OSError:
        names = set()
    there = [sidecar_name(*one) in names for one in zip(clips["filename"], clips["run_id"], strict=True)]
    clips["there"] = pd.Series(there, index=clips.index, dtype=bool)
    return clips.sort_values("start", kind="stable", ignore_index=True)


def _frame(columns: EventColumns, zone: tzinfo | str) -> pd.DataFrame:
    """Return the columns as a frame, giving each of them up in turn: a long log is not held twice."""
    made: dict[str, Any] = {}
    for name in TEXTS:
        made[name] = pd.Series(columns.texts.pop(name), dtype="str")
    for name in CODED:
        made[name] = coded(columns.coded.pop(name), columns.codes[name])
    for name in (*NUMBERS, *CORNERS):
        made[name] = pd.Series(vector(columns.numbers.pop(name), "float64"))
    for name in WHOLES:
        made[name] = whole(columns.wholes.pop(name), "int64")
    pieces = columns.times
    at = pieces[0].append(pieces[1:]) if pieces else pd.DatetimeIndex([], dtype="datetime64[us, UTC]")
    made["at"] = pd.Series(at).dt.tz_convert(zone)
    return pd.DataFrame({name: made[name] for name in ORDER}, copy=False)


def _clean(frame: pd.DataFrame, in_clip: pd.Series, columns: EventColumns) -> tuple[pd.DataFrame, pd.Series]:
    """Drop events without a time, and repetitions: a log that was put together from two."""
    undated, again = frame["at"].isna(), frame["id"].duplicated()
    if undated.any():
        columns.skipped["without a time"] += int(undated.sum())
    if (again & ~undated).any():
        columns.skipped["of an event that is there already"] += int((again & ~undated).sum())
    bad = undated | again
    if not bad.any():
        return frame, in_clip
    return frame[~bad].reset_index(drop=True), in_clip[~bad].reset_index(drop=True)


def _log_odd(columns: EventColumns, unreadable: int) -> None:
    parts = [f"{count} {reason}" for reason, count in columns.skipped.items()]
    texts = [f"lines skipped: {', '.join(parts)}"] if parts else []
    if columns.mended:
        texts.append(f"lines kept without invalid values: {columns.mended}")
    if unreadable:
        texts.append(f"events files of clips that cannot be read: {unreadable}")
    if texts:
        logger.warning(messages.LOG_LINES_ODD, "events", "; ".join(texts))
