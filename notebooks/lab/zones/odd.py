"""The oddest readings and their pictures: numbers that jump and go back, low confidence, unreadable displays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notebooks.lab.data.words import how_many
from notebooks.lab.events.values import OK
from notebooks.lab.plots.plots import sentence
from notebooks.lab.plots.style import GREY
from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import ClipError, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import Picture
from shared_utils.media.picture_files import read_picture
from shared_utils.media.warp import clockwise, warp

MOST = 12
JUMP = 6.0
"""How many usual changes a number must be away from both neighbours to be odd."""
UNSURE = 0.15
"""How far the confidence must be below the task's usual one to be odd."""
UNREADABLE_SCORE = 1.0
PICTURE_BONUS = 3.0
"""Of readings that may have a picture: without it, most are no more than a line of a table."""
COLUMNS = 4
_SERIES = ["camera", "zone", "type", "task"]


def oddest(read: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """Return the oddest readings, the oddest first: rows of `read` with ``odd``, a score, and ``why`` in words.

    Odd is a number that is far from the one before and the one after, alike; a confidence far below what is usual for
    the task; and, after those, a display that was unreadable. Readings that may have a picture are preferred.

    Args:
        read: a frame of :func:`notebooks.lab.events.readings`.
        most: how many rows.
    """
    rows = read[read["type"] == "reading"]
    parts = [_judged(group) for _, group in rows.groupby(_SERIES, observed=True)]
    if not parts:
        return rows.assign(odd=pd.Series(dtype=float), why=pd.Series(dtype="str"))
    found = pd.concat(parts)
    found = found[found["odd"] > 0]
    shown = found["picture"].notna() | found["filename"].notna()
    order = found.assign(rank=found["odd"] + PICTURE_BONUS * shown)
    order = order.sort_values(["rank", "at"], ascending=[False, False], kind="stable")
    # no zone takes all places
    kept = order[order.groupby(_SERIES, observed=True).cumcount() < max(2, most // 2)]
    chosen = pd.concat([kept, order.drop(kept.index)]).head(most)
    chosen = chosen.sort_values(["odd", "at"], ascending=[False, False], kind="stable", ignore_index=True)
    return chosen.drop(columns="rank")


def _judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a task's readings with ``odd`` and ``why``; ``odd`` is 0 for those that are not."""
    good = rows["state"] == OK
    numbers = rows["number"].where(good)
    steps = numbers.dropna().diff()
    usual = float(steps.abs()[steps != 0].median())
    # to the nearer one of both neighbours: a value that stays is a new one
    away = pd.concat([steps.abs(), steps.shift(-1).abs()], axis=1).min(axis=1, skipna=False)
    jumps = (away / usual).where(away > JUMP * usual) if usual > 0 else away.where(away.isna())
    unsure = (float(rows["confidence"].median()) - rows["confidence"]).where(good)
    unsure = unsure.where(unsure > UNSURE)
    odd = jumps.reindex(rows.index).fillna(0.0) + (1 + 10 * unsure).fillna(0.0) + UNREADABLE_SCORE * ~good
    facts = zip(
        good, rows["reason"].astype(object), jumps.reindex(rows.index) * usual, unsure, rows["confidence"], strict=True
    )
    return rows.assign(odd=odd, why=pd.Series([_why(*one) for one in facts], index=rows.index, dtype="str"))


def _why(good: bool, reason: object, jump: float, unsure: float, confidence: float) -> str:
    if not good:
        return f"unreadable: {reason if isinstance(reason, str) else 'no reason given'}"
    parts = [f"jumps by {jump:.4g}"] if not math.isnan(jump) else []
    return ", ".join(parts + [f"confidence {confidence:.2f}"] * (not math.isnan(unsure)))


def plot_oddest(found: pd.DataFrame, video_dir: Path) -> Figure:
    """Draw the pictures of odd readings, a frame of :func:`oddest`."""
    if found.empty:
        return sentence("No reading was odd.")
    columns = min(COLUMNS, len(found))
    lines = -(-len(found) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(9, 1.45 * lines + 0.6), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    corners = _corners(found, video_dir)
    shown = 0
    for axes, (_, row) in zip(grid.flat, found.iterrows(), strict=False):
        picture = picture_of(row, video_dir, corners)
        shown += picture is not None
        _draw(axes, row, picture)
    gone = f"; {how_many(len(found) - shown, 'picture')} not there (any more)" if shown < len(found) else ""
    figure.suptitle(f"The {how_many(len(found), 'oddest reading')}{gone}", x=0.01, ha="left", fontweight="bold")
    return figure


def _draw(axes: Axes, row: pd.Series, picture: Picture | None) -> None:
    axes.set_anchor("NW")
    if picture is None:
        axes.text(0.0, 0.95, "no picture", va="top", color=GREY)
    else:
        axes.imshow(picture[..., ::-1], interpolation="lanczos")
    text = (
        "unreadable"
        if pd.isna(row["value"])
        else f"{row['value']} {row['unit']}"
        if pd.notna(row["unit"])
        else row["value"]
    )
    axes.set_title(f"{row['zone']}: {text}"[:34], fontsize=9, pad=24)
    note = f"{row['why']}\n{row['at']:%d %b %H:%M:%S}, {row['camera']}"
    small = axes.annotate(
        note, (0, 1), (0, 4), "axes fraction", "offset points", color=GREY, fontsize=7.5, annotation_clip=False
    )
    # a long one would take the width from its neighbours
    small.set_in_layout(False)


Corners = Mapping[tuple[str, str], list[tuple[float, float]]]


def _corners(found: pd.DataFrame, video_dir: Path) -> Corners:
    """Return the four corners of zones, by camera and name; those of files that are wrong are left out."""
    corners: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for camera in found["camera"].dropna().astype(str).unique():
        try:
            zones = load_zones(zones_path(video_dir, camera)).zones
        except VcamError:
            continue
        for zone in zones:
            if zone.points is not None and len(zone.points) == 4:
                corners[camera, zone.name] = list(zone.points)
    return corners


def picture_of(row: pd.Series, video_dir: Path, corners: Corners) -> Picture | None:
    """Return the picture of a reading: that of its event, else what its zone shows in the clip; None for neither."""
    if isinstance(row["picture"], str):
        try:
            return read_picture(video_dir / row["picture"])
        except (OSError, ValueError):
            return None
    place = corners.get((str(row["camera"]), str(row["zone"])))
    if not isinstance(row["filename"], str) or place is None or pd.isna(row["t"]):
        return None
    try:
        with FrameGrabber((video_dir / row["filename"]).absolute()) as clip:
            return warp(clip.frame_at(float(row["t"])).picture, clockwise(place))
    except (ClipError, OSError, ValueError):
        return None
