"""The pictures of counts: in and out per hour, and how long objects stayed."""

from __future__ import annotations

import math

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from notebooks.lab.data.activity import offset
from notebooks.lab.data.words import how_many
from notebooks.lab.events.counts import COUNTED
from notebooks.lab.plots.plots import HATCH, NO_CAMERA_LOG, UNWATCHED, sentence
from notebooks.lab.plots.style import BLACK, BLUE, GREY, ORANGE, colours, finding

NOTHING_COUNTED = (
    "Nothing has been counted yet: zones with tasks such as objects and cross are described in docs/zones.md."
)
MOST_ZONES = 8
"""Rows of a picture; of more zones, those with the most are drawn."""
ROW_INCHES = 1.15
MOST_BINS = 24
IN, OUT = ("entered", "crossed_left"), ("left", "crossed_right")


def plot_counts(counts: pd.DataFrame, camera: str | None = None, days: float = 7.0) -> Figure:
    """Draw how many came in (upwards) and went out (downwards) per hour; hours that nobody watched are hatched.

    Args:
        counts: a frame of :func:`notebooks.lab.events.zone_counts`.
        camera: its name; None for all.
        days: how far back from the last hour.
    """
    own = counts if camera is None else counts[counts["camera"] == camera]
    if own.empty or not own[list(COUNTED)].sum().any():
        return sentence(NOTHING_COUNTED)
    own = own[own["start"] > own["start"].max() - pd.Timedelta(days=days)]
    table = own.groupby(["camera", "zone", "start"], observed=True)[list(COUNTED)].sum(min_count=1).reset_index()
    table["in"], table["out"] = (table[list(names)].sum(axis=1, min_count=1) for names in (IN, OUT))
    totals = table.groupby(["camera", "zone"], observed=True)[["in", "out"]].sum().astype(int)
    totals = totals[totals.sum(axis=1) > 0]
    if totals.empty:
        return sentence(f"Nothing has been counted in the last {days:g} days.")
    chosen = totals.loc[totals.sum(axis=1).sort_values(ascending=False, kind="stable").index[:MOST_ZONES]].sort_index()
    figure, grid = plt.subplots(len(chosen), 1, figsize=(9, ROW_INCHES * len(chosen) + 1.2), sharex=True, squeeze=False)
    starts = pd.DatetimeIndex(sorted(table["start"].unique()))
    width = float(np.diff(mdates.date2num(starts)).min()) if len(starts) > 1 else 1 / 24  # type: ignore[no-untyped-call]
    hatched = False
    for axes, (name, total) in zip(grid[:, 0], chosen.iterrows(), strict=True):
        rows = table[(table["camera"] == name[0]) & (table["zone"] == name[1])]
        hatched |= _draw_counts(axes, rows, width)
        axes.set_ylabel(f"{name[1]}\n{name[0]}", rotation=0, ha="right", va="center", color=BLACK)
        axes.annotate(
            f"{total['in']} in, {total['out']} out", (1.01, 0.5), xycoords="axes fraction", va="center", color=GREY
        )
    _hours(grid[-1, 0], starts)
    unknown = table["in"].isna()
    best = table.loc[(table["in"].fillna(0) + table["out"].fillna(0)).astype(int).idxmax()]
    busiest = f"{best['in']:d} in and {best['out']:d} out of {best['zone']} ({best['camera']})"
    title = (
        f"{totals['in'].sum():,} in, {totals['out'].sum():,} out; the most at {best['start']:%a %d %b %H:%M}: {busiest}"
    )
    detail = f"upwards: entered or crossed left; downwards: left or crossed right; local time, {offset(starts[-1])}"
    if len(totals) > len(chosen):
        detail += f"; {how_many(len(totals) - len(chosen), 'zone')} with fewer left out"
    if not own["watched_h"].notna().any():
        detail += f" {NO_CAMERA_LOG}"
    finding(grid[0, 0], title, detail)
    handles = [Patch(label="in", color=BLUE), Patch(label="out", color=ORANGE)]
    figure.legend(handles=handles + [UNWATCHED] * bool(hatched and unknown.any()), loc="outside lower right", ncols=3)
    return figure


def _draw_counts(axes: Axes, rows: pd.DataFrame, width: float) -> bool:
    """Draw a zone's hours; return whether some of them are unknown."""
    at = mdates.date2num(pd.DatetimeIndex(rows["start"]))  # type: ignore[no-untyped-call]
    ins, outs = (rows[name].fillna(0).astype(int).to_numpy() for name in ("in", "out"))
    top, bottom = max(int(ins.max()), 1), max(int(outs.max()), 1)
    axes.bar(at, ins, width=0.92 * width, align="edge", color=BLUE)
    axes.bar(at, -outs, width=0.92 * width, align="edge", color=ORANGE)
    unknown = rows["in"].isna().to_numpy()
    spans = [(float(begin), width) for begin in at[unknown]]
    if spans:
        axes.broken_barh(spans, (-1.1 * bottom, 1.1 * (top + bottom)), zorder=0, **HATCH)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_ylim(-1.1 * bottom, 1.1 * top)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")
    return bool(spans)


def _hours(axes: Axes, starts: pd.DatetimeIndex) -> None:
    zone = starts.tz
    locator = mdates.AutoDateLocator(tz=zone, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]


def plot_dwell(happened: pd.DataFrame, camera: str | None = None) -> Figure:
    """Draw how long objects stayed in zones: a histogram per zone, stacked by label.

    Args:
        happened: a frame of :func:`notebooks.lab.events.events`.
        camera: its name; None for all.
    """
    stays = happened[(happened["type"] == "object") & (happened["value"] == "left") & happened["dwell_s"].notna()]
    stays = stays if camera is None else stays[stays["camera"] == camera]
    stays = stays[stays["zone"].notna()]
    if stays.empty:
        return sentence("Nobody has left a zone yet, so that nobody knows how long anything stays.")
    labels = stays["label"].astype(object).fillna("?")
    shade = colours(labels)
    groups = sorted(stays.groupby(["zone", "camera"], observed=True), key=lambda one: -len(one[1]))[:MOST_ZONES]
    columns = min(2, len(groups))
    lines = -(-len(groups) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(9, 2.1 * lines + 1.0), squeeze=False)
    for axes in grid.flat[len(groups) :]:
        axes.axis("off")
    for axes, ((zone, where), rows) in zip(grid.flat, groups, strict=False):
        edges = _edges(float(rows["dwell_s"].max()), len(rows))
        parts = {label: own["dwell_s"] for label, own in rows.groupby(labels[rows.index])}
        axes.hist(
            list(parts.values()), bins=edges, stacked=True, rwidth=0.94, color=[shade[str(label)] for label in parts]
        )
        middle = float(rows["dwell_s"].median())
        axes.axvline(middle, color=BLACK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlim(0, edges[-1])
        axes.set_xlabel(f"seconds in {zone} ({where}): {how_many(len(rows), 'stay')}, half up to {_seconds(middle)}")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    longest = stays.nlargest(1, "dwell_s").iloc[0]
    finding(
        grid[0, 0],
        f"{how_many(len(stays), 'stay')}; the longest: {longest['label']} in {longest['zone']}, "
        f"{_seconds(longest['dwell_s'])}",
        f"stays that ended; {longest['at']:%a %d %b %H:%M}, {longest['camera']}",
    )
    figure.legend(
        handles=[Patch(label=label, color=tone) for label, tone in shade.items()], loc="outside lower right", ncols=6
    )
    return figure


def _edges(longest_s: float, count: int) -> list[float]:
    """Return edges of bins from 0 on, of a round width: few for few stays."""
    width = max(longest_s, 0.5) / min(MOST_BINS, 4 + count // 4)
    magnitude = 10.0 ** math.floor(math.log10(width))
    width = magnitude * next(one for one in (1, 2, 2.5, 5, 10) if one * magnitude >= width)
    return [number * width for number in range(math.ceil(longest_s / width + 1e-9) + 1)]


def _seconds(length_s: float) -> str:
    return f"{length_s:.1f} s" if length_s < 120 else f"{length_s / 60:.0f} min"
