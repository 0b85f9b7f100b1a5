"""The timeline of one day as plain data: what was seen where and when, and when no camera was up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from notebooks.lab.data.activity import away, midnight, offset
from notebooks.lab.data.answers import which_day

TICK_HOURS = 3
NOTHING = "nothing found"
"""Row of clips in which no label was detected."""


@dataclass(frozen=True)
class Mark:
    """A clip in a row: where it begins and ends, as shares 0..1 of the day, its file and what to say of it."""

    begin: float
    end: float
    filename: str
    text: str


@dataclass(frozen=True)
class Row:
    """What one camera saw of one label."""

    camera: str
    label: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class OneDay:
    """The day.

    Attributes:
        day: its date.
        rows: by camera, then label; a camera that saw nothing has one row without marks.
        away: for each camera the parts of the day in which it was not watched, as shares; None without a camera log.
        ticks: (share, hour of the wall clock): on the days that clocks change, hours are missing or doubled.
        until: share of the day that has passed.
        clips: its number of clips.
        all_cameras: those of all days, so that each has its colour in all pictures.
        zone: the offset from UTC, for people.
    """

    day: date
    rows: tuple[Row, ...]
    away: dict[str, tuple[tuple[float, float], ...]] | None
    ticks: tuple[tuple[float, str], ...]
    until: float
    clips: int
    all_cameras: tuple[str, ...]
    zone: str

    @property
    def title(self) -> str:
        """The date, for people."""
        return f"{self.day:%A} {self.day.day} {self.day:%B %Y}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as a page takes it."""
        return {
            "title": self.title,
            "zone": self.zone,
            "until": self.until,
            "clips": self.clips,
            "ticks": [list(tick) for tick in self.ticks],
            "away": None
            if self.away is None
            else {name: [list(part) for part in at] for name, at in self.away.items()},
            "rows": [
                {
                    "camera": row.camera,
                    "label": row.label,
                    "marks": [[mark.begin, mark.end, mark.filename, mark.text] for mark in row.marks],
                }
                for row in self.rows
            ],
        }


def lay_out(
    clips: pd.DataFrame,
    seen: pd.DataFrame,
    watched: pd.DataFrame,
    day: str | date = "last",
    *,
    now: datetime | None = None,
) -> OneDay:
    """Lay out one day.

    Args:
        clips, seen: of :mod:`notebooks.lab.data.activity`.
        watched: of :func:`notebooks.lab.data.results.uptime`; empty where there is no camera log.
        day, now: as for :func:`notebooks.lab.data.answers.how_often`.
    """
    zone = clips["started_at"].dt.tz
    moment = pd.Timestamp(now) if now is not None else pd.Timestamp.now(zone)
    moment = moment.tz_localize(zone) if moment.tzinfo is None else moment.tz_convert(zone)
    wanted, _ = which_day(day, clips, moment)
    begin, end = midnight(wanted, zone), midnight(wanted + pd.Timedelta(days=1), zone)
    of_day = clips[clips["day"] == wanted]
    cameras = sorted({*of_day["camera"], *(str(camera) for camera in watched["camera"])})
    found = seen[seen["filename"].isin(of_day["filename"])]
    passed = min(1.0, max(0.0, (moment - begin) / (end - begin)))
    until = begin + (end - begin) * passed
    gone = None
    if len(watched):
        gone = {
            camera: tuple((a * passed, b * passed) for a, b in away(watched, begin, until, camera)) if passed else ()
            for camera in cameras
        }
    return OneDay(
        wanted.date(),
        tuple(row for camera in cameras for row in _rows(camera, of_day, found, begin, end)),
        gone,
        tuple(_ticks(begin, end)),
        passed,
        len(of_day),
        tuple(sorted({*clips["camera"], *cameras})),
        offset(begin),
    )


def _rows(
    camera: str, clips: pd.DataFrame, seen: pd.DataFrame, begin: pd.Timestamp, end: pd.Timestamp
) -> Iterator[Row]:
    length = (end - begin).total_seconds()

    def share(moment: pd.Timestamp) -> float:
        return round((moment - begin).total_seconds() / length, 6)

    own = clips[clips["camera"] == camera]
    ends = own["started_at"] + pd.to_timedelta(own["duration_s"].fillna(0), unit="s")
    marks = {
        name: Mark(share(start), share(stop), name, f"{start:%H:%M:%S} {camera}: {', '.join(labels) or NOTHING}")
        for name, start, stop, labels in zip(own["filename"], own["started_at"], ends, own["detected"], strict=True)
    }
    here = seen[seen["camera"] == camera]
    rows = {
        label: [marks[name] for name in here.loc[here["label"] == label, "filename"]]
        for label in sorted(here["label"].astype(str).unique())
    }
    nothing = [marks[name] for name in own.loc[own["detected"].map(len) == 0, "filename"]]
    if nothing or not rows:
        rows[NOTHING if nothing else ""] = nothing
    for label, found in rows.items():
        yield Row(camera, label, tuple(sorted(found, key=lambda mark: mark.begin)))


def _ticks(begin: pd.Timestamp, end: pd.Timestamp) -> Iterator[tuple[float, str]]:
    hours = pd.date_range(begin, end, freq="h")
    for hour in hours:
        if hour.minute == 0 and hour.hour % TICK_HOURS == 0 and hour != end:
            yield (hour - begin) / (end - begin), f"{hour:%H}"
    yield 1.0, "24"
