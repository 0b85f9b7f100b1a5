"""What was found, as data frames: ``detections_log.jsonl``, the boxes files, and when cameras were watched.

The only module here that needs pandas and msgspec, which notebooks and tools have and workers do not.

::

    log = load_log("video")                       # one row a line: an analysed clip and run, failures too
    found = objects(latest(log))                  # one row a label and run
    boxes(log[log.camera == "door"], "video")     # one row a box
"""

from __future__ import annotations

import json
import logging
from array import array
from collections import Counter
from collections.abc import Iterator
from datetime import tzinfo
from operator import attrgetter
from pathlib import Path, PurePath
from typing import Annotated, Any

import msgspec
import pandas as pd
from tzlocal import get_localzone

from shared_utils.camera_log import CAMERA_LOG_NAME, read_intervals
from shared_utils.clips import BOXES_FOLDER, LOG_NAME, parse_clip_name
from shared_utils.detections_log import settled_size
from shared_utils.errors import SettingError

logger = logging.getLogger(__name__)

CHUNK_BYTES = 8_000_000
"""Of lines that are decoded at a time: what Python makes of them takes three times as much meanwhile."""

Text = str | None
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None
Number = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)] | None


class _Clip(msgspec.Struct, frozen=True, gc=False):
    sha256: Text = None
    started_at: Text = None
    duration_s: Number = None
    frames: Whole = None
    width: Whole = None
    height: Whole = None


class _Model(msgspec.Struct, frozen=True, gc=False):
    name: Text = None
    sha256: Text = None
    engine: Text = None
    conf: Number = None
    imgsz: Whole = None
    fps: Number = None


class _Timing(msgspec.Struct, frozen=True, gc=False):
    queued_s: Number = None
    decode_s: Number = None
    infer_s: Number = None
    total_s: Number = None


class _Options(msgspec.Struct, frozen=True, gc=False):
    min_hits: Whole = None


class _Brightness(msgspec.Struct, frozen=True, gc=False):
    mean: Number = None
    dark: bool | None = None


class _Line(msgspec.Struct, frozen=True, gc=False):
    ok: bool
    filename: Annotated[str, msgspec.Meta(min_length=1)]
    run_id: Text = None
    job_id: Text = None
    camera: Text = None
    error: Text = None
    detected: tuple[str, ...] = ()
    count: Whole = None
    timestamp: Text = None
    clip: _Clip = _Clip()
    model: _Model = _Model()
    timing: _Timing = _Timing()
    options: _Options = _Options()
    brightness: _Brightness = _Brightness()
    sampled_frames: Whole = None
    objects: msgspec.Raw = msgspec.Raw(b"")


class _Seen(msgspec.Struct, frozen=True, gc=False):
    label: str
    tracks: Whole = None
    hits: Whole = None
    max_conf: Number = None
    first_s: Number = None
    last_s: Number = None


_COLUMNS = {
    "run_id": ("str", "run_id"),
    "job_id": ("str", "job_id"),
    "filename": ("str", "filename"),
    "camera": ("category", "camera"),
    "ok": ("bool", "ok"),
    "error": ("str", "error"),
    "detected": ("labels", "detected"),
    "count": ("Int32", "count"),
    "timestamp": ("time", "timestamp"),
    "started_at": ("time", "clip.started_at"),
    "duration_s": ("float64", "clip.duration_s"),
    "frames": ("Int32", "clip.frames"),
    "width": ("Int32", "clip.width"),
    "height": ("Int32", "clip.height"),
    "clip_sha256": ("str", "clip.sha256"),
    "model": ("category", "model.name"),
    "model_sha256": ("category", "model.sha256"),
    "engine": ("category", "model.engine"),
    "conf": ("float64", "model.conf"),
    "imgsz": ("Int32", "model.imgsz"),
    "fps": ("float64", "model.fps"),
    "min_hits": ("Int32", "options.min_hits"),
    "sampled_frames": ("Int32", "sampled_frames"),
    "queued_s": ("float64", "timing.queued_s"),
    "decode_s": ("float64", "timing.decode_s"),
    "infer_s": ("float64", "timing.infer_s"),
    "total_s": ("float64", "timing.total_s"),
    "brightness": ("float64", "brightness.mean"),
    "dark": ("boolean", "brightness.dark"),
    "objects": ("raw", "objects"),
}
"""Column: its kind, and where it is in a line."""


class _Salvage(Exception):  # noqa: N818
    """A line that is none of ours; its text is the reason."""


def local_zone() -> tzinfo:
    """Return this machine's time zone, with its rules for daylight saving."""
    return get_localzone()


def load_log(path: str | Path, *, zone: tzinfo | str | None = None) -> pd.DataFrame:
    """Return the log as a frame: one row a line, in the order of the log.

    Lines that are torn or not of ours are passed over; values of the wrong kind are left empty. What was is counted
    in ``attrs["skipped"]`` and ``attrs["mended"]``, and logged in one line. A missing log is an empty frame: nothing
    has been analysed yet.

    Args:
        path: the log, or the shared volume that holds it.
        zone: the time zone of the times; this machine's, if None.

    Raises:
        SettingError: it is no file, or can not be read.
    """
    path = Path(path)
    if path.is_dir():
        path = path / LOG_NAME
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    interned: dict[Any, Any] = {}
    skipped: Counter[str] = Counter()
    getters = {name: attrgetter(where) for name, (_, where) in _COLUMNS.items()}
    for records in _records(path, skipped):
        for name, (kind, _) in _COLUMNS.items():
            values: Any = list(map(getters[name], records))
            if kind == "labels":
                values = [interned.setdefault(value, value) for value in values]
            elif kind == "category":
                values = [interned.setdefault(value, value) for value in values]
            elif kind == "raw":
                values = [bytes(value).decode("utf-8", "replace") for value in values]
            elif kind == "time":
                values = [pd.Series(_times(values))]
            elif kind in ("float64", "Int32", "boolean", "bool"):
                values = [pd.Series(values, dtype=kind)]
            columns[name] += values
    frame = pd.DataFrame({name: _column(kind, columns.pop(name)) for name, (kind, _) in _COLUMNS.items()}, copy=False)
    zone = zone or local_zone()
    _fill_from_names(frame, zone)
    for name in ("timestamp", "started_at"):
        frame[name] = frame[name].dt.tz_convert(zone)
    mended = skipped.pop("mended", 0)
    frame.attrs.update(skipped=dict(skipped), mended=mended)
    if skipped or mended:
        reasons = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
        kept = f"{mended} with odd values, kept without them" if mended else ""
        logger.warning("%s: %s", path.name, "; ".join(filter(None, (f"passed over {reasons}" * bool(reasons), kept))))
    return frame


def _column(kind: str, values: list[Any]) -> pd.Series:
    if kind in ("float64", "Int32", "boolean", "bool"):
        return pd.concat(values, ignore_index=True) if values else pd.Series([], dtype=kind)
    if kind == "time":
        return pd.concat(values, ignore_index=True) if values else pd.Series(pd.DatetimeIndex([], tz="UTC"))
    if kind in ("labels", "raw"):
        return pd.Series(values, dtype=object)
    return pd.Series(values, dtype=kind)


def _times(values: list[Any]) -> pd.DatetimeIndex:
    return pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce").as_unit("us")


def _fill_from_names(frame: pd.DataFrame, zone: tzinfo | str) -> None:
    missing = frame["started_at"].isna() | frame["camera"].isna()
    if not missing.any():
        return
    names = [parse_clip_name(name) for name in frame.loc[missing, "filename"]]
    index = frame.index[missing]
    starts = pd.Series(pd.to_datetime([name and name.started_at for name in names]), index=index).dt.as_unit("us")
    starts = starts.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").dt.tz_convert("UTC")
    frame["started_at"] = frame["started_at"].fillna(starts)
    cameras = pd.Series([name and name.camera for name in names], index=index, dtype=object)
    frame["camera"] = frame["camera"].astype(object).fillna(cameras).astype("category")


def _records(path: Path, skipped: Counter[str]) -> Iterator[list[_Line]]:
    decode = msgspec.json.Decoder(_Line).decode
    for lines in _lines(path):
        records = []
        for line in lines:
            try:
                records.append(decode(line))
            except (msgspec.DecodeError, ValueError, RecursionError):
                record = _salvaged(line, skipped)
                if record is not None:
                    records.append(record)
        yield records


def _lines(path: Path) -> Iterator[list[bytes]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingError(f"{path} can not be read as a log: {error.strerror}") from None
    with file:
        left = settled_size(file.fileno())
        while left > 0 and (lines := file.readlines(min(CHUNK_BYTES, left))):
            left -= sum(map(len, lines))
            yield lines


def _salvaged(line: bytes, skipped: Counter[str]) -> _Line | None:
    if not line.strip():
        return None
    try:
        found = json.loads(line, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        skipped["torn" if not line.endswith(b"\n") else "no JSON"] += 1
        return None
    if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
        skipped["foreign"] += 1
        return None
    objects = found.get("objects")
    found["objects"] = None
    odd: list[str] = []
    record = _convert(_Line, found, odd)
    if record is None:
        skipped["foreign"] += 1
        return None
    if isinstance(objects, list):
        text = json.dumps([one for one in objects if isinstance(one, dict)]).encode()
        record = msgspec.structs.replace(record, objects=msgspec.Raw(text))
    if odd:
        skipped["mended"] += 1
    return record


def _convert(kind: Any, found: dict[str, Any], odd: list[str]) -> Any:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = found.get(field.encode_name)
        if value is None or field.type is msgspec.Raw:
            continue
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            if isinstance(value, dict):
                values[field.name] = _convert(field.type, value, odd)
                continue
            odd.append(field.name)
            continue
        try:
            values[field.name] = msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError:
            odd.append(field.name)
    try:
        return kind(**values)
    except TypeError:
        return None


def latest(log: pd.DataFrame) -> pd.DataFrame:
    """Return the last good run of each clip, in the order of the log."""
    return log[log["ok"]].drop_duplicates("filename", keep="last")


def objects(log: pd.DataFrame) -> pd.DataFrame:
    """Return what was seen: one row a label and run of `log`, a frame of :func:`load_log` or a part of it.

    Lines of old, which hold labels alone, have rows without numbers.
    """
    decode = msgspec.json.Decoder(list[_Seen]).decode
    positions = array("q")
    seen: list[_Seen] = []
    for position, (text, labels) in enumerate(zip(log["objects"], log["detected"], strict=True)):
        if text:
            try:
                entries = decode(text)
            except msgspec.DecodeError:
                entries = [
                    one
                    for entry in json.loads(text)
                    if isinstance(entry, dict) and (one := _convert(_Seen, entry, [])) is not None
                ]
        else:
            entries = [_Seen(label) for label in labels]
        positions.extend([position] * len(entries))
        seen += entries
    rows = log.iloc[list(positions)].reset_index(drop=True)
    frame = rows[["run_id", "filename", "camera", "started_at"]].copy()
    frame["label"] = pd.Series([one.label for one in seen], dtype="category")
    for name, kind in (
        ("tracks", "Int32"),
        ("hits", "Int32"),
        ("max_conf", "float64"),
        ("first_s", "float64"),
        ("last_s", "float64"),
    ):
        frame[name] = pd.Series(list(map(attrgetter(name), seen)), dtype=kind)
    for end in ("first", "last"):
        frame[f"{end}_at"] = rows["started_at"] + pd.to_timedelta(frame[f"{end}_s"], unit="s").dt.as_unit("us")
    frame["detected"] = pd.Series(
        [one.label in labels for one, labels in zip(seen, rows["detected"], strict=True)], dtype=bool
    )
    for name in ("model", "conf"):
        frame[name] = rows[name]
    return frame


class _Frame(msgspec.Struct, frozen=True, gc=False):
    t: float
    frame: int
    boxes: list[tuple[str, float, float, float, float, float, int | None]]


_BOX_COLUMNS = ("run_id", "filename", "t", "frame", "label", "conf", "x1", "y1", "x2", "y2", "track", "at")


def iter_boxes(rows: pd.DataFrame, video_dir: str | Path, min_conf: float = 0.1) -> Iterator[pd.DataFrame]:
    """Yield the boxes of each run of `rows` in turn, as :func:`boxes` gives them; nothing for runs without a file."""
    folder = Path(video_dir) / BOXES_FOLDER
    decode = msgspec.json.Decoder(_Frame).decode
    missing = torn = 0
    for filename, run_id, started_at in zip(rows["filename"], rows["run_id"], rows["started_at"], strict=True):
        path = folder / f"{PurePath(filename).stem}.{run_id}.jsonl"
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            missing += 1
            continue
        table: list[tuple[Any, ...]] = []
        for line in lines:
            try:
                frame = decode(line)
            except (msgspec.DecodeError, ValueError):
                torn += 1
                continue
            table += [(frame.t, frame.frame, *box) for box in frame.boxes if box[1] >= min_conf]
        found = pd.DataFrame(table, columns=["t", "frame", "label", "conf", "x1", "y1", "x2", "y2", "track"])
        found.insert(0, "run_id", run_id)
        found.insert(1, "filename", filename)
        found["track"] = found["track"].astype("Int32")
        found["at"] = started_at + pd.to_timedelta(found["t"], unit="s").dt.as_unit("us")
        yield found
    if missing or torn:
        logger.warning("boxes: %d of %d runs have no file; %d torn lines passed over", missing, len(rows), torn)


def boxes(rows: pd.DataFrame, video_dir: str | Path, min_conf: float = 0.1) -> pd.DataFrame:
    """Return every box of the runs of `rows`: one row a box.

    Args:
        rows: a frame of :func:`load_log`, or a part of it.
        video_dir: the shared volume.
        min_conf: score from which boxes are kept, 0..1.
    """
    found = list(iter_boxes(rows, video_dir, min_conf))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(_BOX_COLUMNS))


def uptime(video_dir: str | Path, *, zone: tzinfo | str | None = None) -> pd.DataFrame:
    """Return when each camera was being watched: one row an interval, columns ``camera``, ``start``, ``end``."""
    intervals = read_intervals(Path(video_dir) / CAMERA_LOG_NAME)
    frame = pd.DataFrame({"camera": pd.Series([one.camera for one in intervals], dtype="category")})
    for name in ("start", "end"):
        times = pd.to_datetime([getattr(one, name) for one in intervals], utc=True).as_unit("us")
        frame[name] = pd.Series(times).dt.tz_convert(zone or local_zone())
    return frame
