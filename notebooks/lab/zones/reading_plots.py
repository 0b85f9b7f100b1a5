"""The picture of readings over time: numbers as lines, lamps, pages and texts as bars, unknown times hatched."""

from __future__ import annotations

from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from notebooks.lab.data.activity import offset
from notebooks.lab.data.words import how_many
from notebooks.lab.plots.plots import HATCH, UNWATCHED, sentence
from notebooks.lab.plots.style import BLACK, BLUE, GREY, LIGHT, ORANGE, SERIES, finding
from notebooks.lab.zones import spans
from notebooks.lab.zones.spans import Spans

NOTHING_READ = (
    "Nothing has been read yet: zones with tasks such as read, light and page are described in docs/reading.md."
)
BAD: dict[str, Any] = {"facecolor": "#FBE3D2", "edgecolor": ORANGE, "hatch": "xxxx", "linewidth": 0.0}
"""Looks of time in which a display was unreadable."""
MOST_VALUES = 6
"""Values that a bar has colours for; of more, all have one."""
LEAST_SHARE = 0.0015
"""Of the width, for a time to be seen at all."""
NUMBER_INCHES, BAR_INCHES = 1.25, 0.55
OFF = "off"


def plot_readings(
    read: pd.DataFrame,
    watched: pd.DataFrame,
    camera: str | None = None,
    zones: list[str] | None = None,
    hours: float = 24.0,
) -> Figure:
    """Draw what the zones of a camera showed.

    Args:
        read: a frame of :func:`notebooks.lab.events.readings`.
        watched: a frame of :func:`notebooks.lab.data.results.uptime`.
        camera: its name; None for the one with the most readings.
        zones: which ones; None for all.
        hours: how far back from the last reading.
    """
    if read.empty:
        return sentence(NOTHING_READ)
    camera = str(read["camera"].value_counts().index[0]) if camera is None else camera
    own = read[read["camera"] == camera]
    own = own[own["zone"].isin(zones)] if zones is not None else own
    if own.empty:
        return sentence(f"Nothing has been read in {'these zones' if zones else 'zones'} of {camera}.")
    end = own["until"].max()
    begin = max(end - pd.Timedelta(hours=hours), own["at"].min())
    own = own[(own["until"] > begin) & (own["at"] < end)]
    tasks = [group for _, group in own.groupby(["zone", "type", "task"], observed=True)]
    tasks.sort(key=lambda rows: (rows["number"].isna().all(), str(rows["zone"].iloc[0])))
    heights = [BAR_INCHES if rows["number"].isna().all() else NUMBER_INCHES for rows in tasks]
    figure, grid = plt.subplots(
        len(tasks), 1, figsize=(9, sum(heights) + 1.3), sharex=True, height_ratios=heights, squeeze=False
    )
    away = spans.unwatched(watched, camera, begin, end)
    for axes, rows in zip(grid[:, 0], tasks, strict=True):
        _draw(axes, rows, away, (begin, end))
    _time_axis(grid[-1, 0], begin)
    finding(grid[0, 0], *_words(camera, tasks, away, begin, end))
    # beneath: in the title's corner it would hide the title
    handles = [Patch(label="unreadable", **BAD)] + ([UNWATCHED] if away else [])
    figure.legend(handles=handles, loc="outside lower right", ncols=2)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, away: Spans, limits: tuple[pd.Timestamp, pd.Timestamp]) -> None:
    is_number = bool(rows["number"].notna().any())
    low, high = (0.0, 1.0)
    if is_number:
        low, high = _draw_number(axes, rows)
    else:
        _draw_values(axes, rows)
    _bars(axes, spans.unreadable(rows), (low, high), limits, zorder=1.5, **BAD)
    _bars(axes, away, (low, high), limits, zorder=1.6, **HATCH)
    axes.set(xlim=(_number(limits[0]), _number(limits[1])), ylim=(low, high))
    unit = rows["unit"].dropna()
    name = str(rows["zone"].iloc[0])
    axes.set_ylabel(
        f"{name}\n({unit.iloc[0]})" if len(unit) else name, rotation=0, ha="right", va="center", color=BLACK
    )
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)


def _draw_number(axes: Axes, rows: pd.DataFrame) -> tuple[float, float]:
    moments, values = spans.steps(rows)
    both = rows[rows["min"].notna() & rows["max"].notna()]
    # what was there between two events
    axes.vlines(_numbers(both["at"]), both["min"], both["max"], color="#9CC9E5", linewidth=1.2)
    axes.plot(_numbers(moments), values, color=BLUE, linewidth=1.1)
    numbers = pd.concat([rows["number"], both["min"], both["max"]]).dropna()
    low, high = float(numbers.min()), float(numbers.max())
    room = 0.06 * (high - low) or abs(high) * 0.05 or 1.0
    axes.grid(axis="y")
    axes.locator_params(axis="y", nbins=4)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    return low - room, high + room


def _draw_values(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    found = list(spans.by_value(rows))
    limits = rows["at"].min(), rows["until"].max()
    names = []
    if len(found) > MOST_VALUES:
        good = rows[rows["value"].notna()]
        _bars(axes, spans.joined(good), (0.2, 0.8), limits, facecolor="#9CC9E5")
        names.append((f"{len(found):,} different texts", GREY))
    else:
        shades = iter(SERIES)
        for value, when in sorted(found, key=lambda one: one[0]):
            shade = LIGHT if value == OFF else next(shades)
            _bars(axes, when, (0.2, 0.8), limits, facecolor=shade)
            names.append((value, GREY if value == OFF else shade))
    x = 0.0
    for name, shade in names:
        text = axes.annotate(
            name, (x, 0.86), xycoords="axes fraction", color=shade, fontsize=8, va="bottom", annotation_clip=False
        )
        text.set_in_layout(False)
        x += (len(name) + 3) * 0.0125


def _bars(
    axes: Axes, when: Spans, place: tuple[float, float], limits: tuple[pd.Timestamp, pd.Timestamp], **look: Any
) -> None:
    least = LEAST_SHARE * (_number(limits[1]) - _number(limits[0]))
    bars = [(_number(begin), max(_number(end) - _number(begin), least)) for begin, end in when]
    if bars:
        axes.broken_barh(bars, (place[0], place[1] - place[0]), **look)


def _time_axis(axes: Axes, begin: pd.Timestamp) -> None:
    locator = mdates.AutoDateLocator(tz=begin.tz, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=begin.tz))  # type: ignore[no-untyped-call]
    axes.spines["bottom"].set_visible(True)


def _words(
    camera: str, tasks: list[pd.DataFrame], away: Spans, begin: pd.Timestamp, end: pd.Timestamp
) -> tuple[str, str]:
    known = sum(spans.seconds(spans.joined(rows)) for rows in tasks)
    bad = {str(rows["zone"].iloc[0]): spans.seconds(spans.unreadable(rows)) for rows in tasks}
    readable = 100 * (1 - sum(bad.values()) / max(known, 1))
    title = f"{camera}: {how_many(len(tasks), 'display')}, readable {readable:.1f} % of the time"
    worst = max(bad, key=lambda name: bad[name])
    if bad[worst]:
        title += f"; least of all {worst}, unreadable for {_duration(bad[worst])}"
    gone = spans.seconds(away)
    detail = f"{begin:%a %d %b %H:%M} to {end:%a %d %b %H:%M}, local time, {offset(end)}; blank: not read"
    return title, detail + (f"; hatched in grey: not watched, {_duration(gone)}" if gone else "")


def _duration(length_s: float) -> str:
    if length_s < 120:
        return f"{length_s:.0f} s"
    return f"{length_s / 60:.0f} min" if length_s < 7200 else f"{length_s / 3600:.1f} h"


def _number(moment: pd.Timestamp) -> float:
    return float(mdates.date2num(moment))  # type: ignore[no-untyped-call]


def _numbers(moments: Any) -> Any:
    return mdates.date2num(pd.DatetimeIndex(moments).tz_convert("UTC").tz_localize(None))  # type: ignore[no-untyped-call]
