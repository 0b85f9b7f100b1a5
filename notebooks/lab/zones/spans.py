"""Times for pictures of zones: when nobody watched, when a display was unreadable, what it showed. No pictures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from notebooks.lab.events.values import OK, UNREADABLE

Spans = list[tuple[pd.Timestamp, pd.Timestamp]]
"""Begin and end of each, in order."""


def time_zone(frame: pd.DataFrame, column: str = "at") -> tzinfo | None:
    """Return the time zone of a frame's times."""
    zone: tzinfo | None = frame[column].dt.tz
    return zone


def unwatched(watched: pd.DataFrame, camera: str, begin: pd.Timestamp, end: pd.Timestamp) -> Spans:
    """Return when `camera` was not watched between two times; nothing where there is no log of it.

    After its last sign of life nobody knows yet.
    """
    own = watched[watched["camera"] == camera].sort_values("start")
    found: Spans = []
    if own.empty:
        return found
    at = begin
    for start, stop in zip(own["start"], own["end"], strict=True):
        if start > at:
            found.append((at, min(start, end)))
        at = max(at, stop)
        if at >= end:
            break
    return [span for span in found if span[0] < span[1]]


def joined(rows: pd.DataFrame) -> Spans:
    """Return the times of readings in order, those that follow each other without a gap as one."""
    found: Spans = []
    for begin, end in zip(rows["at"], rows["until"], strict=True):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def unreadable(rows: pd.DataFrame) -> Spans:
    """Return when a task's readings were unreadable."""
    return joined(rows[rows["state"] == UNREADABLE])


def steps(rows: pd.DataFrame) -> tuple[pd.DatetimeIndex, npt.NDArray[np.float64]]:
    """Return a number over time as a line of steps, with gaps (NaN) where nothing is known."""
    good = rows[(rows["state"] == OK) & rows["number"].notna()]
    if good.empty:
        return pd.DatetimeIndex([], tz=time_zone(rows)), np.array([], np.float64)
    begin, end, number = good["at"], good["until"], good["number"].to_numpy(float)
    gap = (begin.shift(-1) > end).to_numpy()
    times = np.stack([begin.astype("int64"), end.astype("int64"), end.astype("int64")], axis=1)
    values = np.stack([number, number, np.where(gap, np.nan, number)], axis=1)
    kept = np.stack([np.ones(len(good), bool), np.ones(len(good), bool), gap], axis=1)
    moments = pd.DatetimeIndex(times[kept].astype("datetime64[us]"), tz="UTC").tz_convert(time_zone(rows))
    return moments, values[kept]


def by_value(rows: pd.DataFrame) -> Iterator[tuple[str, Spans]]:
    """Yield what a task read, the most frequent first, with when it was there."""
    good = rows[(rows["state"] == OK) & rows["value"].notna()]
    for value in good["value"].value_counts().index:
        yield str(value), joined(good[good["value"] == value])


def seconds(spans: Spans) -> float:
    """Return how long spans are together."""
    return sum((end - begin).total_seconds() for begin, end in spans)
