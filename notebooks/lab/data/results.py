"""Results as data frames: ``detections_log.jsonl``, the boxes files, and when cameras were watched.

Events, readings and counts of zones are frames of :mod:`notebooks.lab.events`.

::

    log = load_log("video")                       # one row per line: an analysed clip and run, failures too
    found = objects(latest(log))                  # one row per label and run
    boxes(log[log.camera == "door"], "video")     # one row per box
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from notebooks.lab import messages
from notebooks.lab.data.boxes_files import BoxesLines
from notebooks.lab.data.columns import coded, local_zone, localized, read_times, taken, vector, whole
from notebooks.lab.data.line_types import BOX_COLUMNS, FLAGS, NO_WHOLE, STEP_COLUMNS
from notebooks.lab.data.log_lines import Codes, Columns, read_columns
from notebooks.lab.data.log_objects import ObjectEntry, read_objects_column
from shared_utils.contracts.boxes import COLUMNS, boxes_path
from shared_utils.contracts.camera_log import camera_log_path, read_intervals
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.detections_log import LOG_NAME, log_path
from shared_utils.errors import FormatError, SettingError
from video_worker.steps.declarations import Kind

logger = logging.getLogger(__name__)

NAMED = 10
"""Runs with invalid values that are named; of more, the number is."""

_FIRST = (
    "run_id",
    "job_id",
    "filename",
    "camera",
    "ok",
    "error",
    "detected",
    "count",
    "timestamp",
    "started_at",
    "duration_s",
    "frames",
    "width",
    "height",
    "clip_sha256",
    "model",
    "model_sha256",
    "engine",
    "conf",
    "imgsz",
    "fps",
    "min_hits",
    "classes",
    "aspect",
    "asked_imgsz",
    "input",
    "sampled_frames",
    "queued_s",
    "decode_s",
    "infer_s",
    "total_s",
)
ORDER = (*_FIRST, *(column.name for column in STEP_COLUMNS if column.name not in _FIRST), "objects", "zones")
"""The columns of :func:`load_log`; docs/analysis.md says what they mean. The worker's steps declare some of them."""


def load_log(path: str | Path, *, zone: tzinfo | str | None = None) -> pd.DataFrame:
    """Return the log as a frame: one row per line, in the order of the log.

    Lines that are torn or not of ours are skipped, and so are repetitions of a run; values of the wrong kind are
    left empty. What was is counted in ``attrs["skipped"]`` and ``attrs["mended"]``, and logged in one line. A missing
    log is an empty frame: nothing has been analysed yet.

    Args:
        path: the log, or the shared volume that holds it.
        zone: the time zone of the times; this machine's, if None.

    Raises:
        FormatError: every line is of a later version.
        SettingError: it is no file, or cannot be read; or there is no such folder.
    """
    path = _log_path(Path(path))
    zone = local_zone() if zone is None else zone
    columns = read_columns(path, partial(read_times, zone=zone))
    frame = _frame(columns)
    newer = next((reason for reason in columns.skipped if reason.startswith("of schema")), None)
    if newer and frame.empty:
        raise FormatError(f"{path.name}: every line is {newer}")
    frame["started_at"] = frame["started_at"].dt.tz_convert(zone)
    frame["timestamp"] = frame["timestamp"].dt.tz_convert(zone)
    _fill_from_names(frame, zone)
    frame = _without_repetitions(frame, columns)
    frame.attrs.update(skipped=dict(columns.skipped), mended=columns.mended)
    _log_skipped(path.name, columns)
    return frame


def _log_path(path: Path) -> Path:
    try:
        if path.is_dir() and path.name != LOG_NAME:
            return log_path(path)
        if path.parent.is_dir():
            return path
    except OSError as error:
        raise SettingError(f"{path} cannot be read as a log: {error.strerror}") from None
    raise SettingError(f"{path.parent} is no folder: give the log, or the shared volume that holds it")


def _log_skipped(name: str, columns: Columns) -> None:
    parts = [f"{count} {reason}" for reason, count in columns.skipped.items()]
    text = f"lines skipped: {', '.join(parts)}" if parts else ""
    if columns.mended:
        text += f"{'; ' * bool(text)}lines kept without invalid values: {columns.mended}"
    if text:
        logger.warning(messages.LOG_LINES_ODD, name, text)


def _frame(columns: Columns) -> pd.DataFrame:
    """Return the columns as a frame, giving each of them up in turn: a long log is not held twice."""
    made: dict[str, Any] = {}
    for name in list(columns.texts):
        made[name] = pd.Series(columns.texts.pop(name), dtype="str")
    for name, pieces in columns.times.items():
        made[name] = pd.Series(
            pieces[0].append(pieces[1:]) if pieces else pd.DatetimeIndex([], dtype="datetime64[us, UTC]")
        )
    for name in list(columns.numbers):
        made[name] = pd.Series(vector(columns.numbers.pop(name), "float64"))
    for name in list(columns.wholes):
        made[name] = whole(columns.wholes.pop(name))
    made["ok"] = pd.Series(vector(columns.flags["ok"], "int8")).astype(bool)
    for name in FLAGS[1:]:
        made[name] = whole(array("i", columns.flags.pop(name))).astype("boolean")
    made["detected"] = taken(columns.label_sets(), columns.detected, "object")
    made["objects"] = pd.Series(columns.objects, dtype=object)
    made["zones"] = pd.Series(columns.zones, dtype=object)
    # the last one, which a code of -1 takes, is for none
    made["error"] = taken([*columns.errors.values_in_order, None], columns.error, "str")
    made["camera"] = coded(columns.camera, columns.cameras)
    models = columns.models()
    for name, where in (("model", "name"), ("model_sha256", "sha256"), ("engine", "engine")):
        made[name] = taken([getattr(model, where) for model in models], columns.model, "category")
    for name, kind in (("conf", "float64"), ("imgsz", "Int32"), ("fps", "float64")):
        made[name] = taken([getattr(model, name) for model in models], columns.model, kind)
    inputs = ["×".join(map(str, model.input)) if model.input else None for model in models]
    made["input"] = taken(inputs, columns.model, "category")
    options = columns.option_sets()
    made["min_hits"] = taken([one.min_hits for one in options], columns.options, "Int32")
    # the last one, which a code of -1 takes, is for lines without options
    made["aspect"] = taken([*(one.aspect for one in options), None], columns.options, "category")
    made["asked_imgsz"] = taken([*(one.imgsz for one in options), None], columns.options, "Int32")
    made["classes"] = taken([*(tuple(one.classes or ()) for one in options), ()], columns.options, "object")
    return pd.DataFrame({name: made[name] for name in ORDER}, copy=False)


def _fill_from_names(frame: pd.DataFrame, zone: tzinfo | str) -> None:
    """Take camera and time from the clip's name where the line does not tell: old lines, failures."""
    missing = frame["started_at"].isna() | frame["camera"].isna()
    if not missing.any():
        return
    names = [parse_clip_name(name) for name in frame.loc[missing, "filename"]]
    index = frame.index[missing]
    starts = pd.DatetimeIndex([name.started_at if name else None for name in names], dtype="datetime64[us]")
    frame["started_at"] = frame["started_at"].fillna(pd.Series(localized(starts, zone), index=index))
    cameras = pd.Series([name.camera if name else None for name in names], index=index, dtype=object)
    known = frame["camera"].cat.categories.union(pd.Index(cameras.dropna().unique()))
    frame["camera"] = frame["camera"].cat.set_categories(known).fillna(cameras.astype(pd.CategoricalDtype(known)))


def _without_repetitions(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Drop good runs that are there already, as after a log was put together from two."""
    runs = frame.loc[frame["ok"], "run_id"]
    again = runs[runs.notna() & runs.duplicated()].index
    if not len(again):
        return frame
    columns.skipped["of a run that is there already"] += len(again)
    return pd.DataFrame(frame.drop(again).reset_index(drop=True))


def latest(log: pd.DataFrame) -> pd.DataFrame:
    """Return the last good run of each clip, in the order of the log."""
    return log[log["ok"]].drop_duplicates("filename", keep="last")


def objects(log: pd.DataFrame) -> pd.DataFrame:
    """Return what was seen: one row per label and run of `log`, a frame of :func:`load_log` or a part of it.

    Lines of old, which hold labels alone, have rows without numbers.
    """
    invalid: dict[int, str] = {}
    entries = read_objects_column(log["objects"], invalid)
    for row, what in list(invalid.items())[:NAMED]:
        logger.warning(messages.OBJECTS_ODD, *log.iloc[row][["filename", "run_id"]], what)
    if len(invalid) > NAMED:
        logger.warning(messages.MORE_OBJECTS_ODD, len(invalid) - NAMED)
    old = [bool(labels) and not text for text, labels in zip(log["objects"], log["detected"], strict=True)]
    if any(old):
        entries = [
            [ObjectEntry(label) for label in labels] if is_old else found
            for is_old, found, labels in zip(old, entries, log["detected"], strict=True)
        ]
    rows = log[["run_id", "filename", "camera", "started_at", "detected", "model", "conf"]]
    rows = rows.iloc[[row for row, found in enumerate(entries) for _ in found]].reset_index(drop=True)
    seen = [one for found in entries for one in found]
    frame = rows[["run_id", "filename", "camera", "started_at"]].copy()
    labels = Codes()
    frame["label"] = coded(array("i", [labels[one.label] for one in seen]), labels)
    for name in ("tracks", "hits"):
        frame[name] = whole(array("i", [NO_WHOLE if one is None else one for one in map(attrgetter(name), seen)]))
    frame["also"] = pd.Series([_describe(one.also) for one in seen], dtype="str")
    for name in ("max_conf", "first_s", "last_s"):
        frame[name] = pd.Series(list(map(attrgetter(name), seen)), dtype="float64")
    for end in ("first", "last"):
        frame[f"{end}_at"] = rows["started_at"] + pd.to_timedelta(frame[f"{end}_s"], unit="s").dt.as_unit("us")
    frame["detected"] = [one.label in labels for one, labels in zip(seen, rows["detected"], strict=True)]
    frame["detected"] = frame["detected"].astype(bool)
    for name in ("model", "conf"):
        frame[name] = rows[name]
    return frame


def _describe(also: dict[str, int] | None) -> str | None:
    """Return other labels of an entry with their sampled frames, such as ``bus ×3, truck ×1``."""
    return ", ".join(f"{label} ×{hits}" for label, hits in also.items()) if also else None


_BOX_KINDS: dict[str, str] = {
    "t": "float64",
    "frame": "Int32",
    "label": "category",
    **dict.fromkeys(("conf", "x1", "y1", "x2", "y2"), "float64"),
    "track": "Int64",
}
_STEP_KINDS: dict[Kind, str] = {Kind.NUMBER: "float64", Kind.WHOLE: "Int64", Kind.FLAG: "boolean", Kind.TEXT: "str"}
_BOX_KINDS |= {name: _STEP_KINDS[kind] for name, kind in BOX_COLUMNS.items()}


def iter_boxes(rows: pd.DataFrame, video_dir: str | Path, min_conf: float = 0.1) -> Iterator[pd.DataFrame]:
    """Yield the boxes of each run of `rows` in turn, read when it is asked for; see :func:`boxes`.

    Runs whose file is not there (it goes with its clip, when room is made) give none; how many that were, and how many
    lines could not be read, is logged in one line at the end.

    Raises:
        FormatError: a file is of a later version.
    """
    good = rows[rows["ok"]]
    missing = unread = 0
    starts: Any = good["started_at"].array
    for number, (filename, run_id) in enumerate(zip(good["filename"], good["run_id"], strict=True)):
        try:
            lines = BoxesLines(boxes_path(Path(video_dir), str(filename), str(run_id)))
        except OSError:
            missing += 1
            continue
        table = lines.rows(min_conf)
        unread += lines.skipped
        times = pd.Series(starts[number : number + 1].repeat(len(table)))
        yield _box_frame(table, times, (str(run_id), str(filename)), lines.columns)
    if missing or unread:
        logger.warning(messages.BOXES_MISSING, missing, len(good), unread)


def _box_frame(
    table: list[tuple[Any, ...]],
    started_at: pd.Series,
    run: tuple[str, str] | None = None,
    columns: Sequence[str] = COLUMNS,
) -> pd.DataFrame:
    names = ["t", "frame", *("conf" if name == "score" else name for name in columns)]
    frame = pd.DataFrame.from_records(table, columns=names)
    if names != list(_BOX_KINDS):  # steps' own columns follow; files of before a step was added lack its columns
        frame = frame.reindex(columns=[*_BOX_KINDS, *(name for name in names if name not in _BOX_KINDS)])
    frame = frame.astype(_BOX_KINDS)
    # a text per run, not per box
    codes = array("i", bytes(array("i").itemsize * len(table)))
    for place, name in enumerate(("run_id", "filename")):
        values = [run[place]] if run else []
        kept = pd.Categorical.from_codes(vector(codes, "int32"), pd.Index(values, dtype="str"))
        frame.insert(place, name, pd.Series(kept))
    frame["at"] = started_at + pd.to_timedelta(frame["t"], unit="s").dt.as_unit("us")
    return frame


def boxes(rows: pd.DataFrame, video_dir: str | Path, min_conf: float = 0.1) -> pd.DataFrame:
    """Return the boxes of the runs of `rows`: one row per box, x and y in pixels of the clip.

    Args:
        rows: a frame of :func:`load_log`, or a part of it.
        video_dir: the shared volume.
        min_conf: score from which boxes are kept, 0..1. The files hold those from 0.1 up.

    Raises:
        FormatError: a file is of a later version.
    """
    found = [frame for frame in iter_boxes(rows, video_dir, min_conf) if len(frame)]
    if not found:
        return _box_frame([], rows["started_at"].iloc[:0])
    # categories of their own would make plain columns of text when put together
    for name in ("run_id", "filename", "label"):
        known = pd.Index(sorted(set().union(*(frame[name].cat.categories for frame in found))))
        for frame in found:
            frame[name] = frame[name].cat.set_categories(known)
    return pd.concat(found, ignore_index=True)


def uptime(video_dir: str | Path, *, zone: tzinfo | str | None = None) -> pd.DataFrame:
    """Return when each camera was being watched: one row an interval, columns ``camera``, ``start``, ``end``."""
    intervals = read_intervals(camera_log_path(Path(video_dir)))
    frame = pd.DataFrame({"camera": pd.Series([one.camera for one in intervals], dtype="category")})
    for name in ("start", "end"):
        times = pd.to_datetime([getattr(one, name) for one in intervals], utc=True).as_unit("us")
        frame[name] = pd.Series(times).dt.tz_convert(zone or local_zone())
    return frame
