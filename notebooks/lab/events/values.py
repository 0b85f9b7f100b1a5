"""Readings as a data frame: what displays, lamps and pages showed, from when until when."""

from __future__ import annotations

from contextlib import suppress
from datetime import tzinfo
from pathlib import Path

import pandas as pd

from notebooks.lab.data.results import uptime
from notebooks.lab.events.doubles import find_doubles
from notebooks.lab.events.frames import read_events
from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import SettingError

READ = ("reading", "light", "page")
"""Types of events that hold what was read."""
HOLD_S = 90.0
"""How long a live reading is believed, beside the interval of its task: a value is reported when it changes, and with
the first reading that is a minute after the last report."""
ORDER = (
    *("type", "camera", "zone", "at", "until", "value", "number", "unit", "state", "reason", "text", "confidence"),
    *(
        "level",
        "score",
        "readings",
        "min",
        "max",
        "engine",
        "module",
        "task",
        "source",
        "run_id",
        "filename",
        "t",
        "picture",
    ),
    "id",
)
"""The columns of :func:`readings`; docs/analysis.md says what they mean."""
OK, UNREADABLE = "ok", "unreadable"
_SERIES = ["camera", "zone", "type", "task"]


def readings(
    video_dir: str | Path,
    *,
    log: pd.DataFrame | None = None,
    watched: pd.DataFrame | None = None,
    zone: tzinfo | str | None = None,
) -> pd.DataFrame:
    """Return what was read in zones, by camera, zone and time: one row per reading event.

    ``value`` holds from ``at`` until ``until``: until the next reading of the same task, the end of the clip, the end
    of the time in which the camera was watched, or for :data:`HOLD_S` and the task's ``every_s`` at most, which is
    looked up in ``zones/``. Between ``until`` and the next row nobody knows: the camera or the live worker was away,
    or what the task depends on was not displayed. Where ``state`` is ``unreadable``, ``value`` is missing, and
    ``reason`` says why.

    Args:
        video_dir: the shared volume.
        log: a frame of :func:`notebooks.lab.data.results.load_log`, to read it only once.
        watched: a frame of :func:`notebooks.lab.data.results.uptime`, for the same reason.
        zone: the time zone of the times; this machine's, if None.

    Raises:
        FormatError, SettingError: as for :func:`notebooks.lab.events.events`.
    """
    found = read_events(video_dir, types=READ, log=log, zone=zone)
    double = find_doubles(found.events, found.in_clip, found.clips)
    rows = found.events[~double].copy()
    rows["state"] = _states(rows)
    # place of the task in its zone; the first one leaves it out
    rows["task"] = rows["task"].fillna(0)
    rows = rows.sort_values([*_SERIES, "at"], kind="stable", ignore_index=True)
    watched = uptime(video_dir) if watched is None else watched
    held = pd.to_timedelta(HOLD_S + _intervals(rows, Path(video_dir)), unit="s").dt.as_unit("us")
    rows["until"] = _ends(rows, held, found.clips, watched)
    frame = rows[list(ORDER)].copy()
    frame.attrs = found.events.attrs | {"doubles": int(double.sum())}
    return frame


def _states(rows: pd.DataFrame) -> pd.Series:
    """Return the states; a reading that has none, as of another program, is unreadable where it has no value.

    That a zone shows none of its pages is a state as well.
    """
    nothing = rows["value"].isna() & (rows["type"] == "reading")
    return rows["state"].astype("str").fillna(nothing.map({True: UNREADABLE, False: OK})).astype("category")


def _intervals(rows: pd.DataFrame, video_dir: Path) -> pd.Series:
    """Return the interval of each reading's task, seconds, by the files of zones as they are now; 0 where unknown."""
    known: dict[tuple[str, str, int], float] = {}
    for camera in rows["camera"].dropna().unique():
        # a wrong file is for the programs to report that take zones from it
        with suppress(SettingError):
            for zone in load_zones(zones_path(video_dir, str(camera))).zones:
                for number, task in enumerate(zone.tasks):
                    known[str(camera), zone.name, number] = float(getattr(task, "every_s", 0.0))
    if not known:
        return pd.Series(0.0, index=rows.index)
    tasks = pd.MultiIndex.from_arrays([rows["camera"].astype(object), rows["zone"].astype(object), rows["task"]])
    return pd.Series(pd.Series(known).reindex(tasks).fillna(0.0).to_numpy(float), index=rows.index)


def _ends(rows: pd.DataFrame, held: pd.Series, clips: pd.DataFrame, watched: pd.DataFrame) -> pd.Series:
    """Return until when each reading holds."""
    at = rows["at"]
    follows = rows.groupby(_SERIES, observed=True, dropna=False)["at"].shift(-1)
    of_runs = clips.drop_duplicates("run_id").set_index("run_id")["end"]
    of_clip = of_runs.reindex(rows["run_id"].astype(object)).set_axis(rows.index)
    ends = of_clip.fillna(at + held)
    known = _watched_until(rows, watched)
    ends = ends.where(of_clip.notna() | known.isna() | (ends <= known), known)
    ends = ends.where(follows.isna() | (ends <= follows), follows)
    return ends.where(ends >= at, at)


def _watched_until(rows: pd.DataFrame, watched: pd.DataFrame) -> pd.Series:
    """Return the end of the interval in which each reading's camera was watched; missing where none is known.

    The last one of a camera is open: signs of life come every few minutes.
    """
    if rows.empty or watched.empty:
        return pd.Series(pd.NaT, index=rows.index, dtype=rows["at"].dtype)
    spans = watched.sort_values("start", kind="stable")
    spans = spans[spans["start"] != spans.groupby("camera", observed=True)["start"].transform("max")]
    spans = spans.assign(camera=spans["camera"].astype(object))
    for name in ("start", "end"):
        spans[name] = spans[name].dt.tz_convert(rows["at"].dt.tz)
    moments = rows[["at", "camera"]].assign(camera=rows["camera"].astype(object), row=rows.index)
    found = pd.merge_asof(
        moments.sort_values("at", kind="stable"), spans, left_on="at", right_on="start", by="camera"
    ).set_index("row")["end"]
    found = found.reindex(rows.index)
    return found.where(found >= rows["at"])
