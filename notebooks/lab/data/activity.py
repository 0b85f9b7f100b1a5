"""Activity: clips and sightings by day, hour and weekday, and per hour in which a camera was watched.

Frames in, frames out; no pictures. Times are local throughout, days and hours are those of the wall clock: on the day
that daylight saving begins there is no hour 2 in Berlin, when it ends there are two, and rates know it.

An hour in which nothing was seen and one that nobody watched are distinguished by `watched`, a frame of
:func:`notebooks.lab.data.results.uptime`: rates are per watched hour, and missing where there was none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, tzinfo

import numpy as np
import pandas as pd

from notebooks.lab.data.results import latest, objects

QUARTER_S = 900
"""Watched time is counted in quarters of an hour: all time zones, and all their changes, are whole ones."""
MIN_WATCHED_H = 0.25
"""Hours that must have been watched before a rate says anything: one clip in a minute is not sixty an hour."""
VISIT_GAP = pd.Timedelta(seconds=60)
"""Sightings of a label by one camera that are closer than this are one visit: clips that follow each other."""
NO_CAMERA = "other files"
"""Stands for the camera of files that are no clips of ours."""


def clips_of(log: pd.DataFrame) -> pd.DataFrame:
    """Return the analysed clips whose time is known, by time: the last good run of each.

    Columns: ``filename``, ``camera``, ``started_at``, ``duration_s``, ``detected``, ``day`` (local midnight, without a
    zone), ``hour`` and ``weekday`` (0: Monday). ``attrs["undated"]`` counts those whose time nobody knows.
    """
    runs = latest(log)
    clips = runs.loc[runs["started_at"].notna(), ["filename", "camera", "started_at", "duration_s", "detected"]].copy()
    clips["camera"] = _cameras(clips["camera"])
    clips = clips.sort_values("started_at", kind="stable", ignore_index=True)
    _add_calendar(clips, "started_at")
    clips.attrs = {"undated": len(runs) - len(clips)}
    return clips


def sightings_of(log: pd.DataFrame) -> pd.DataFrame:
    """Return what was detected: one row per label and clip, by time.

    Columns: those of :func:`notebooks.lab.data.results.objects` and ``stay_s``, seconds from first to last sight;
    where the
    log does not tell when in its clip a label was seen, it is taken for its beginning.
    """
    seen = objects(latest(log))
    seen = seen[seen["detected"] & seen["started_at"].notna()].copy()
    seen["camera"] = _cameras(seen["camera"])
    seen["stay_s"] = seen["last_s"] - seen["first_s"]
    for end in ("first_at", "last_at"):
        seen[end] = seen[end].fillna(seen["started_at"])
    return seen.sort_values("first_at", kind="stable", ignore_index=True)


def _cameras(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), NO_CAMERA).astype(str)


def _add_calendar(frame: pd.DataFrame, column: str) -> None:
    wall = frame[column].dt.tz_localize(None)
    frame["day"], frame["hour"], frame["weekday"] = wall.dt.normalize(), wall.dt.hour, wall.dt.day_of_week


# -- watched time


def watched_quarters(watched: pd.DataFrame) -> pd.DataFrame:
    """Return the time that cameras were watched in pieces of up to 15 minutes.

    Columns: ``camera``, ``day``, ``hour``, ``weekday`` (local, of the piece's start) and ``hours``, its length.
    """
    cameras: list[str] = []
    numbers, hours = [np.array([], np.int64)], [np.array([], float)]
    for camera, start, end in zip(watched["camera"], watched["start"], watched["end"], strict=True):
        first, last = start.timestamp() / QUARTER_S, end.timestamp() / QUARTER_S
        covered = np.arange(int(first), int(np.ceil(last)))
        cameras += [str(camera)] * len(covered)
        numbers.append(covered)
        hours.append((np.minimum(covered + 1, last) - np.maximum(covered, first)) * QUARTER_S / 3600)
    at = pd.to_datetime(np.concatenate(numbers) * QUARTER_S, unit="s", utc=True)
    pieces = pd.DataFrame({"camera": pd.Series(cameras, dtype=object), "hours": np.concatenate(hours)})
    pieces["at"] = pd.Series(at).dt.tz_convert(watched["start"].dt.tz)
    _add_calendar(pieces, "at")
    return pieces.drop(columns="at")


def days_between(*frames: pd.DataFrame) -> pd.DatetimeIndex:
    """Return all days from the first to the last ``day`` of any of `frames`."""
    days = pd.concat([frame["day"] for frame in frames])
    if days.empty:
        return pd.DatetimeIndex([], name="day")
    return pd.date_range(days.min(), days.max(), name="day")


def by_day(clips: pd.DataFrame, watched: pd.DataFrame) -> pd.DataFrame:
    """Return clips and watched hours by day and camera: index ``day`` (each, also empty ones), columns by two levels,
    ``clips`` and ``watched_h`` over the cameras."""
    pieces = watched_quarters(watched)
    days = days_between(clips, pieces)
    cameras = sorted({*clips["camera"], *pieces["camera"]})
    counts = clips.groupby(["day", "camera"]).size().unstack(fill_value=0)
    hours = pieces.groupby(["day", "camera"])["hours"].sum().unstack(fill_value=0)
    parts = {
        "clips": counts.reindex(index=days, columns=cameras, fill_value=0).astype(int),
        "watched_h": hours.reindex(index=days, columns=cameras, fill_value=0.0).astype(float),
    }
    return pd.concat(parts, axis=1)


def part(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return ``clips`` or ``watched_h`` of :func:`by_day`, one column per camera."""
    return pd.DataFrame(table[name] if len(table.columns) else table)


def by_hour(clips: pd.DataFrame, watched: pd.DataFrame) -> pd.DataFrame:
    """Return clips by hour of the day, 0..23: columns ``clips``, ``watched_h`` (camera hours) and ``rate``, clips per
    watched hour; missing where fewer than :data:`MIN_WATCHED_H` were watched."""
    counts = clips.groupby("hour").size().reindex(range(24), fill_value=0)
    hours = watched_quarters(watched).groupby("hour")["hours"].sum().reindex(range(24), fill_value=0.0)
    return pd.DataFrame({"clips": counts, "watched_h": hours, "rate": _rate(counts, hours)})


def by_weekday_and_hour(clips: pd.DataFrame, watched: pd.DataFrame) -> pd.DataFrame:
    """Return the same by weekday (index ``weekday``, 0: Monday, ``hour``)."""
    cells = pd.MultiIndex.from_product([range(7), range(24)], names=["weekday", "hour"])
    counts = clips.groupby(["weekday", "hour"]).size().reindex(cells, fill_value=0)
    hours = watched_quarters(watched).groupby(["weekday", "hour"])["hours"].sum().reindex(cells, fill_value=0.0)
    return pd.DataFrame({"clips": counts, "watched_h": hours, "rate": _rate(counts, hours)})


def _rate(counts: pd.Series, hours: pd.Series) -> pd.Series:
    return counts / hours.where(hours >= MIN_WATCHED_H)


# -- what was seen


def by_label(seen: pd.DataFrame) -> pd.DataFrame:
    """Return one row per label, most clips first: ``clips``, ``visits``, ``objects`` (tracks; at least one per clip),
    ``first_at``, ``last_at`` and ``longest_s``."""
    grouped = seen.assign(tracks=seen["tracks"].fillna(1)).groupby("label", observed=True)
    found = grouped.agg(
        clips=("filename", "nunique"),
        objects=("tracks", "sum"),
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        longest_s=("stay_s", "max"),
    )
    found.insert(1, "visits", visits(seen).groupby("label").size().reindex(found.index, fill_value=0))
    found.index = found.index.astype(str)
    return found.sort_values(["clips", "objects"], ascending=False, kind="stable")


def label_by_camera(seen: pd.DataFrame) -> pd.DataFrame:
    """Return in how many clips each label was seen: index ``label``, most first, one column per camera."""
    if seen.empty:
        return pd.DataFrame(index=pd.Index([], name="label"))
    counts = seen.groupby([seen["label"].astype(str), "camera"])["filename"].nunique().unstack(fill_value=0)
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def visits(seen: pd.DataFrame) -> pd.DataFrame:
    """Return sightings joined to visits: those of one label and camera less than :data:`VISIT_GAP` apart.

    Columns: ``label``, ``camera``, ``first_at``, ``last_at``, ``stay_s``, ``clips``, ``filename`` (of the first).
    """
    rows = seen[["label", "camera", "first_at", "last_at", "filename"]].astype({"label": str})
    rows = rows.sort_values(["label", "camera", "first_at"], kind="stable", ignore_index=True)
    until = rows.groupby(["label", "camera"])["last_at"].transform(lambda ends: ends.cummax().shift())
    number = (until.isna() | (rows["first_at"] - until > VISIT_GAP)).cumsum()
    found = rows.groupby(number).agg(
        label=("label", "first"),
        camera=("camera", "first"),
        first_at=("first_at", "min"),
        last_at=("last_at", "max"),
        clips=("filename", "nunique"),
        filename=("filename", "first"),
    )
    found.insert(4, "stay_s", (found["last_at"] - found["first_at"]).dt.total_seconds())
    return found.sort_values("first_at", kind="stable", ignore_index=True)


def longest_stays(seen: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """Return the longest visits, the longest first."""
    found = visits(seen)
    return found[found["stay_s"] > 0].sort_values("stay_s", ascending=False, kind="stable").head(most)


def busiest_minutes(seen: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """Return the minutes in which most was on the way: ``minute`` (its start), ``objects``, ``labels``, ``cameras``,
    ``filename`` (of one of its clips), most first. A label counts in each minute from its first to its last sight."""
    begin, end = (seen[column].dt.tz_convert("UTC").dt.floor("min") for column in ("first_at", "last_at"))
    repeats = ((end - begin).dt.total_seconds() // 60).fillna(0).astype(int).clip(lower=0) + 1
    rows = seen.loc[seen.index.repeat(repeats)]
    after = rows.groupby(level=0).cumcount()
    rows = rows.assign(
        minute=begin.loc[rows.index] + pd.to_timedelta(after, unit="min"),
        tracks=rows["tracks"].fillna(1).astype(int),
        label=rows["label"].astype(str),
    )
    found = rows.groupby("minute").agg(
        objects=("tracks", "sum"),
        labels=("label", lambda labels: ", ".join(dict.fromkeys(labels))),
        cameras=("camera", lambda cameras: ", ".join(sorted(set(cameras)))),
        filename=("filename", "first"),
    )
    found = found.sort_values("objects", ascending=False, kind="stable").head(most).reset_index()
    found["minute"] = found["minute"].dt.tz_convert(seen["first_at"].dt.tz)
    return found


def away(watched: pd.DataFrame, begin: pd.Timestamp, end: pd.Timestamp, camera: str) -> Iterator[tuple[float, float]]:
    """Yield the parts of `begin`..`end` in which `camera` was not watched, as shares 0..1 of it."""
    length = (end - begin).total_seconds()
    at = 0.0
    own = watched[watched["camera"] == camera].sort_values("start")
    for start, stop in zip(own["start"], own["end"], strict=True):
        since, until = ((moment - begin).total_seconds() / length for moment in (start, stop))
        if since > at:
            yield at, min(since, 1.0)
        at = max(at, until)
        if at >= 1.0:
            return
    yield at, 1.0


def midnight(day: date | pd.Timestamp, zone: tzinfo | None) -> pd.Timestamp:
    """Return the local beginning of `day`; where the clock skips midnight, the first moment after it."""
    naive = pd.Timestamp(day).tz_localize(None).normalize()
    return naive.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")


def offset(moment: pd.Timestamp) -> str:
    """Return a moment's distance from UTC, such as ``UTC+02:00``."""
    text = f"{moment:%z}"
    return f"UTC{text[:3]}:{text[3:5]}"
