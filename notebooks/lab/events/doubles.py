"""Finds events that were seen live and in a clip alike: tasks with ``"when": "both"`` report them twice.

While a clip lasts, its analysis decides for the tasks that it carries out: it knew the end of each track when it named
it. Live events of the same zone and kind are doubles then. Which tasks those are is known from the events of clips that
were analysed with the same file of zones.

In a clip an object is reported only when it is certain what it did, which takes some seconds, and what is in a zone
when the clip begins has not entered. Within :data:`EDGE_S` of a clip's ends a live ``object`` event is therefore a
double only where the clip has one of the same zone and kind within :data:`SAME_S`, each of them for one.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

EDGE_S = 4.0
"""Who has left is known 3 s after the last sight; who has entered, after ``min_s``."""
SAME_S = 2.0
"""Times of one event differ by less: live frames are fewer, and come with a delay."""
_KEYS = ["_camera", "zone", "value", "direction"]


def kinds(events: pd.DataFrame) -> pd.Series:
    """Return of each event by which kind of task it was found: its type; of objects also which one."""
    kind = events["type"].astype(object)
    objects = kind == "object"
    values = events["value"].where(objects)
    kind = kind.mask(objects, "stay")
    return kind.mask(values == "crossed", "cross").mask(values == "seen", "seen")


def find_doubles(
    events: pd.DataFrame, in_clip: pd.Series, clips: pd.DataFrame, known: pd.DataFrame | None = None
) -> pd.Series:
    """Return of each event whether it is a live double of what a clip has.

    Args:
        events: a frame of :func:`notebooks.lab.events.frames.events`, in any order.
        in_clip: of each event, whether it is of a clip.
        clips: see :attr:`notebooks.lab.events.frames.Found.clips`; those whose events are not ``there`` decide only
            where `known` is given.
        known: ``zones_sha256``, ``zone`` and ``kind`` of tasks that clips carry out, beside those of `events`.
    """
    double = pd.Series(False, index=events.index)
    decisive = clips if known is not None else clips[clips["there"]]
    live = events.index[~in_clip & events["zone"].notna()]
    if not len(live) or not len(decisive):
        return double
    rows = events[["type", "at", "camera", "zone", "value", "direction", "run_id"]].assign(kind=kinds(events))
    rows["_camera"] = rows["camera"].astype(object)
    tasks = _tasks(rows[in_clip], clips, known)
    at_clip = pd.merge_asof(
        rows.loc[live].sort_values("at", kind="stable").reset_index(names="row"),
        decisive.rename(columns={"camera": "_camera"})[["_camera", "start", "end", "zones_sha256", "there"]],
        left_on="at",
        right_on="start",
        by="_camera",
    )
    inside = at_clip["at"] <= at_clip["end"]
    at_clip = at_clip[inside.fillna(False)]
    names = [at_clip[name].astype(object) for name in ("zones_sha256", "zone", "kind")]
    at_clip = at_clip[pd.MultiIndex.from_arrays(names).isin(tasks)]
    edge = pd.Timedelta(seconds=EDGE_S)
    near = (at_clip["at"] < at_clip["start"] + edge) | (at_clip["at"] > at_clip["end"] - edge)
    uncertain = near & (at_clip["type"] == "object") & at_clip["there"].astype(bool)
    double.loc[at_clip.loc[~uncertain, "row"]] = True
    left = rows.loc[live]
    left = left[(left["type"] == "object") & ~double[live]]
    double.loc[_matched(left, rows[in_clip & (rows["type"] == "object")])] = True
    return double


def _tasks(found: pd.DataFrame, clips: pd.DataFrame, known: pd.DataFrame | None) -> pd.MultiIndex:
    """Return which tasks clips carry out: ``zones_sha256``, ``zone``, ``kind``."""
    files = clips.set_index("run_id")["zones_sha256"]
    seen = pd.DataFrame(
        {
            "zones_sha256": found["run_id"].astype(object).map(files),
            "zone": found["zone"].astype(object),
            "kind": found["kind"],
        }
    )
    both = seen if known is None else pd.concat([seen, known[list(seen.columns)]])
    return pd.MultiIndex.from_frame(both.drop_duplicates())


def _matched(live: pd.DataFrame, found: pd.DataFrame) -> list[Any]:
    """Return the rows of `live` that have one of `found` to themselves, of the same key and about the same time."""
    if live.empty or found.empty:
        return []
    tolerance = pd.Timedelta(seconds=SAME_S)
    both = [part.assign(**{name: part[name].astype(object).fillna("") for name in _KEYS}) for part in (live, found)]
    near = pd.merge_asof(
        both[0].sort_values("at", kind="stable").reset_index(names="row")[["row", "at", *_KEYS]],
        both[1].sort_values("at", kind="stable")[["at", *_KEYS]].assign(there=True),
        on="at",
        by=_KEYS,
        tolerance=tolerance,
        direction="nearest",
    )
    near = near[near["there"].notna()]
    others = {key: group["at"].sort_values().to_numpy() for key, group in both[1].groupby(_KEYS)}
    matched: list[Any] = []
    for key, group in near.groupby(_KEYS):
        moments = others[key]
        rows, times = group["row"].to_list(), group["at"].to_numpy()
        matched += [rows[number] for number in _pairs(times, moments, tolerance.to_numpy())]
    return matched


def _pairs(ours: Any, theirs: Any, tolerance: Any) -> list[int]:
    """Return the numbers of those of `ours` that find one of `theirs` for themselves; both are in order."""
    found: list[int] = []
    other = 0
    for number, moment in enumerate(ours):
        while other < len(theirs) and theirs[other] < moment - tolerance:
            other += 1
        if other < len(theirs) and theirs[other] <= moment + tolerance:
            found.append(number)
            other += 1
    return found
