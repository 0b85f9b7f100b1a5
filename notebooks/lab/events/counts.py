"""Counts of zones as a data frame: who entered, left and crossed, per hour and zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from notebooks.lab.data.activity import midnight
from notebooks.lab.data.columns import localized
from notebooks.lab.data.log_lines import loads
from notebooks.lab.data.results import load_log, uptime
from notebooks.lab.events.doubles import find_doubles, kinds
from notebooks.lab.events.frames import read_events
from shared_utils.errors import SettingError

COUNTED = ("entered", "left", "crossed_left", "crossed_right", "loitering")
"""Columns of counts."""
MICROSECOND = pd.Timedelta(microseconds=1)
MAX_ROWS = 5_000_000
"""Of a frame: a second of a year would be 31 million."""
_KEYS = ["camera", "zone", "label"]


def zone_counts(
    video_dir: str | Path,
    every: str = "h",
    *,
    days: float | None = None,
    log: pd.DataFrame | None = None,
    watched: pd.DataFrame | None = None,
    zone: tzinfo | str | None = None,
) -> pd.DataFrame:
    """Return how many objects entered, left and crossed: one row per zone, label and hour, also where there were none.

    Columns: ``camera``, ``zone``, ``label``, ``start`` (of the hour, local), :data:`COUNTED` and ``watched_h``, for how
    much of it the camera was watched, hours. Where it was not watched at all and nothing was counted, counts are
    missing: nobody knows. Without ``cameras_log.jsonl`` all of ``watched_h`` is missing, and counts are 0.

    Events count as :func:`notebooks.lab.events.events` returns them, so that what was seen live and in a clip counts
    once. Clips whose events file is gone, as it is deleted with the clip, count by their line of the log, at the
    time at which they begin.

    Args:
        video_dir: the shared volume.
        every: length of a row's time: minutes, hours or days, such as ``"15min"``, ``"h"`` or ``"D"``. Hours are those
            of the wall clock.
        days: how far back from the last event or sign of life; None for all.
        log: a frame of :func:`notebooks.lab.data.results.load_log`, to read it only once.
        watched: a frame of :func:`notebooks.lab.data.results.uptime`, for the same reason.
        zone: the time zone of the times; this machine's, if None.

    Raises:
        FormatError: as for :func:`notebooks.lab.events.events`.
        SettingError: so, or `every` is something else, or so short that there were millions of rows.
    """
    step = _step(every)
    log = load_log(video_dir, zone=zone) if log is None else log
    found = read_events(video_dir, types="object", log=log, zone=zone)
    recorded = pd.DataFrame(
        _recorded(found.clips[~found.clips["there"]]), columns=["run_id", "at", *_KEYS, "kind", "column", "count"]
    )
    recorded["zones_sha256"] = recorded["run_id"].map(found.clips.set_index("run_id")["zones_sha256"])
    double = find_doubles(found.events, found.in_clip, found.clips, known=recorded)
    rows = _happenings(found.events[~double])
    if len(recorded):
        recorded["at"] = pd.Series(pd.DatetimeIndex(recorded["at"])).dt.tz_convert(found.events["at"].dt.tz)
        rows = pd.concat([rows, recorded[list(rows.columns)]], ignore_index=True)
    watched = uptime(video_dir) if watched is None else watched
    if days is not None and len(rows):
        rows, watched = _recent(rows, watched, pd.Timedelta(days=days))
    frame = _table(rows, step, watched, every)
    frame.attrs = found.events.attrs | {"doubles": int(double.sum())}
    return frame


def _recent(rows: pd.DataFrame, watched: pd.DataFrame, length: pd.Timedelta) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what lies in the last part of the time."""
    ends = [rows["at"].max()] + ([watched["end"].max()] if len(watched) else [])
    begin = max(ends) - length
    watched = watched[watched["end"] > begin]
    return rows[rows["at"] >= begin], watched.assign(start=watched["start"].clip(lower=begin))


def _step(every: str) -> pd.offsets.BaseOffset:
    try:
        step = pd.tseries.frequencies.to_offset(every)
        if isinstance(step, pd.offsets.Tick | pd.offsets.Day) and step.n > 0:
            return step
    except ValueError:
        pass
    raise SettingError(f"every is {every!r}: give minutes, hours or days, such as '15min', 'h' or 'D'")


def _recorded(clips: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Yield the counts of clips' lines of the log: run, time, camera, zone, label, kind of task, column, count."""
    for run_id, start, camera, text in zip(
        clips["run_id"], clips["start"], clips["camera"], clips["zones"], strict=True
    ):
        zones = loads(text or "null")
        for name, entry in zones.items() if isinstance(zones, dict) else ():
            if not isinstance(entry, dict):
                continue
            for column in ("entered", "left"):
                for label, count in _numbers(entry.get(column)):
                    yield run_id, start, camera, name, label, "stay", column, count
            crossed = entry.get("crossed")
            for label, ways in crossed.items() if isinstance(crossed, dict) else ():
                for way, count in _numbers(ways):
                    yield run_id, start, camera, name, label, "cross", f"crossed_{way}", count


def _numbers(found: object) -> Iterator[tuple[str, int]]:
    for name, count in found.items() if isinstance(found, dict) else ():
        if isinstance(count, int) and not isinstance(count, bool) and 0 < count < 2**31:
            yield name, count


def _happenings(events: pd.DataFrame) -> pd.DataFrame:
    """Return what counts of `events`: ``at``, ``camera``, ``zone``, ``label``, ``column``, ``count``."""
    column = events["value"].astype(object)
    crossed = kinds(events) == "cross"
    column = column.mask(crossed, "crossed_" + events["direction"].astype("str").fillna(""))
    counts = column.isin(COUNTED) & events["zone"].notna() & events["label"].notna()
    rows = events.loc[counts, ["at", *_KEYS]].astype(dict.fromkeys(_KEYS, object))
    return rows.assign(column=column[counts], count=1)


def _table(rows: pd.DataFrame, step: pd.offsets.BaseOffset, watched: pd.DataFrame, every: str) -> pd.DataFrame:
    series = rows[_KEYS].drop_duplicates().sort_values(_KEYS, ignore_index=True)
    edges = _edges(rows, step, watched, MAX_ROWS // max(len(series), 1))
    if edges is None:
        raise SettingError(f"every is {every!r}: that makes more than {MAX_ROWS:,} rows; give a longer time, or days")
    starts = edges[:-1]
    table = pd.DataFrame(
        {
            **{name: np.repeat(series[name].to_numpy(object), len(starts)) for name in _KEYS},
            "start": starts.take(np.tile(np.arange(len(starts)), len(series))),
        }
    )
    numbers = np.zeros((len(series), len(starts), len(COUNTED)), np.int64)
    if len(rows):
        place = series.reset_index(names="place").merge(rows.reset_index(drop=True).reset_index(names="row"), on=_KEYS)
        place = place.sort_values("row")
        bins = _seconds(edges).searchsorted(_seconds(pd.DatetimeIndex(rows["at"])), side="right") - 1
        columns = rows["column"].map({name: number for number, name in enumerate(COUNTED)}).to_numpy(int)
        np.add.at(numbers, (place["place"].to_numpy(), bins, columns), rows["count"].to_numpy())
    hours = _watched_hours(series["camera"], edges, watched)
    unknown = np.ravel(hours == 0.0) & (numbers.reshape(-1, len(COUNTED)).sum(axis=1) == 0)
    for number, name in enumerate(COUNTED):
        values = numbers[:, :, number].ravel()
        table[name] = pd.Series(pd.arrays.IntegerArray(values, unknown.copy()))
    table["watched_h"] = np.ravel(hours)
    return table.astype(dict.fromkeys(_KEYS, "category"))


def _edges(
    rows: pd.DataFrame, step: pd.offsets.BaseOffset, watched: pd.DataFrame, most: int
) -> pd.DatetimeIndex | None:
    """Return the edges of the table's times, from the first to the last that was watched or counted.

    None where those are more than `most` times.
    """
    zone = rows["at"].dt.tz
    if rows.empty:
        return pd.DatetimeIndex([], dtype=f"datetime64[us, {zone}]")
    moments = [rows["at"].min(), rows["at"].max()]
    if len(watched):
        # what ends on the hour has nothing of the next one
        moments += [watched["start"].min().tz_convert(zone), watched["end"].max().tz_convert(zone) - MICROSECOND]
    first, last = min(moments), max(moments)
    begin = midnight(first, zone)
    if isinstance(step, pd.offsets.Tick):
        begin += int((first - begin) / step) * step
    length = step if isinstance(step, pd.offsets.Tick) else pd.Timedelta(days=step.n)
    if (last - begin) / length > most:
        return None
    # a day may have 23 hours
    periods = int((last - begin) / length) + 3
    if isinstance(step, pd.offsets.Tick):
        edges = pd.date_range(begin, periods=periods, freq=step).as_unit("us")
    else:
        # where clocks change at midnight, a day begins at one o'clock, or twice
        days = pd.date_range(begin.tz_localize(None).normalize(), periods=periods, freq=step)
        edges = localized(days, zone).as_unit("us")
    return edges[: edges.searchsorted(last, side="right") + 1]


def _watched_hours(cameras: pd.Series, edges: pd.DatetimeIndex, watched: pd.DataFrame) -> Any:
    """Return for how long each of `cameras` was watched between each two edges, hours; NaN where no camera log is."""
    found = np.full((len(cameras), max(len(edges) - 1, 0)), np.nan)
    if watched.empty:
        return found
    for row, camera in enumerate(cameras):
        own = watched[watched["camera"] == camera]
        ends = np.ravel(np.column_stack([_seconds(pd.DatetimeIndex(own[name])) for name in ("start", "end")]))
        if not len(ends):
            found[row] = 0.0
            continue
        # intervals do not overlap: every second step of the time is watched
        lengths = np.diff(ends) * (np.arange(len(ends) - 1) % 2 == 0)
        known = np.concatenate([[0.0], np.cumsum(lengths)])
        found[row] = np.diff(np.interp(_seconds(edges), ends, known)) / 3600
    return found


def _seconds(moments: pd.DatetimeIndex) -> Any:
    return moments.tz_convert("UTC").as_unit("us").asi8 / 1e6
