"""The plots of ViewProcessResults. Each takes frames of :mod:`notebooks.lab.data.activity` and returns a figure.

Times that no camera watched are hatched, so that they are never taken for "nothing there".
"""

from __future__ import annotations

from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from notebooks.lab.data import activity
from notebooks.lab.data.oneday import NOTHING, OneDay
from notebooks.lab.data.words import how_many
from notebooks.lab.plots.style import BLACK, BLUE, GREY, LIGHT, colours, finding

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HATCH: dict[str, Any] = {"facecolor": "#F6F6F6", "edgecolor": "#C4C4C4", "hatch": "////", "linewidth": 0.0}
"""Looks of time that nobody watched."""
UNWATCHED = Patch(label="nobody watched", **HATCH)
SEQUENCE = LinearSegmentedColormap.from_list("blues", ["#FFFFFF", "#9CC9E5", BLUE, "#00304D"])
MOST_LABELS = 12
"""Bars of labels at most."""
MOST_INCHES = 14.0
"""Height of a picture at most, however many rows it has."""
MIN_DAYS = 5
"""Days that an axis of days has room for at least."""
MOST_NAMED = 4
"""Cameras that a line of small print names at most."""
MOST_LETTERS = 20
"""Letters of a camera's name beside a picture at most."""
LEGEND_LETTERS = 80
"""Letters in a line of a legend."""
MIN_MARK = 0.003
"""Share of a day that a clip is drawn long at least: ten seconds would be a tenth of a pixel."""
NO_CAMERA_LOG = "(no cameras_log.jsonl: unwatched times are unknown)"
NOTHING_YET = "No clip has been analysed yet."


def sentence(text: str) -> Figure:
    """Return a figure that says `text`, where there is nothing to draw."""
    figure, axes = plt.subplots(figsize=(9, 0.7))
    axes.axis("off")
    axes.text(0, 0.5, text, color=GREY, va="center", transform=axes.transAxes)
    return figure


def plot_days(clips: pd.DataFrame, watched: pd.DataFrame) -> Figure:
    """Clips per day, stacked by camera; beneath, when each camera was watched."""
    if clips.empty:
        return sentence(NOTHING_YET)
    table = activity.by_day(clips, watched)
    counts, hours = activity.part(table, "clips"), activity.part(table, "watched_h")
    cameras, shade = list(counts.columns), colours(counts.columns)
    height = 0.32 * len(cameras) if len(watched) else 0.01
    figure, (axes, strip) = plt.subplots(
        2, 1, figsize=(9, 3.4 + height), sharex=True, height_ratios=[3.0, max(height, 0.05)]
    )
    at, bottom = _date_number(counts.index), np.zeros(len(counts))
    for camera in cameras:
        axes.bar(at, counts[camera], bottom=bottom, width=0.78, color=shade[camera], label=camera)
        bottom += counts[camera].to_numpy()
    blank = hours.sum(axis=1) < activity.MIN_WATCHED_H
    if len(watched):
        for place in at[blank & (bottom == 0)]:
            axes.axvspan(place - 0.39, place + 0.39, zorder=0, **HATCH)
    if len(counts) <= 14:
        for place, total in zip(at, bottom, strict=True):
            if total:
                axes.annotate(f"{total:g}", (place, total), (0, 2), textcoords="offset points", ha="center", color=GREY)
    _count_axis(axes)
    _date_axis(strip, counts.index)
    _watched_strip(strip, watched, counts.index, shade)
    if len(cameras) > 1 and not len(watched):
        longest = max(map(len, cameras))
        columns = max(1, min(len(cameras), LEGEND_LETTERS // (longest + 4)))
        height += 0.22 * -(-len(cameras) // columns)
        figure.set_figheight(3.4 + height)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=columns)
    finding(axes, _title_days(counts), _detail_days(counts, watched))
    return figure


def _title_days(counts: pd.DataFrame) -> str:
    total = counts.sum(axis=1)
    if len(total) == 1:
        return f"{how_many(int(total.iloc[0]), 'clip')} on {_date(total.index[0])}"
    best = total.index[total == total.max()]
    most = f"most on {_date(best[0])}: {total.max()}"
    if len(best) > 1:
        days = " and ".join(map(_date, best)) if len(best) == 2 else f"{len(best)} of them"
        most = f"most on {days}: {total.max()} each"
    return f"{how_many(int(total.sum()), 'clip')} in {len(total)} days; {most}"


def _detail_days(counts: pd.DataFrame, watched: pd.DataFrame) -> str:
    sums = counts.sum().sort_values(ascending=False, kind="stable")
    parts = "clips per day, " + " and ".join(f"{camera} {counts[camera].sum()}" for camera in counts)
    if len(sums) > MOST_NAMED:
        parts = f"clips per day of {len(sums)} cameras, most of {sums.index[0]}: {sums.iloc[0]}"
    if not len(watched):
        return f"{parts} {NO_CAMERA_LOG}"
    return f"{parts}; beneath: when each camera was watched, hatched where not"


def _watched_strip(strip: Axes, watched: pd.DataFrame, days: pd.Index, shade: dict[str, str]) -> None:
    strip.spines[:].set_visible(False)
    strip.tick_params(axis="y", length=0)
    strip.set_yticks([])
    if not len(watched):
        return
    begin = _date_number(days[0]) - 0.5
    # after the last sign of life nobody knows yet
    end = min(_date_number(days[-1]) + 0.5, _date_number(watched["end"].max().tz_localize(None)) - 0.5)
    cameras = sorted(shade, reverse=True)
    for row, camera in enumerate(cameras):
        strip.add_patch(Rectangle((begin, row - 0.3), end - begin, 0.6, **HATCH))
        own = watched[watched["camera"] == camera]
        # half a day back: a day's bar stands on its date, not behind it
        spans = [
            (_date_number(start.tz_localize(None)) - 0.5, (stop - start).total_seconds() / 86400)
            for start, stop in zip(own["start"], own["end"], strict=True)
        ]
        strip.broken_barh(spans, (row - 0.3, 0.6), color=shade[camera])
    strip.set_yticks(range(len(cameras)), _shortened(cameras))
    strip.set_ylim(-0.5, len(cameras) - 0.5)


def plot_hours(clips: pd.DataFrame, watched: pd.DataFrame) -> Figure:
    """Clips per watched hour by the hour of the day; clips alone where there is no camera log."""
    if clips.empty:
        return sentence(NOTHING_YET)
    table = activity.by_hour(clips, watched)
    rated = bool(table["rate"].notna().any())
    shown = table["rate"] if rated else table["clips"].astype(float)
    figure, axes = plt.subplots()
    top = float(shown.max()) or 1.0
    bars = np.where(shown == shown.max(), BLUE, "#9CC9E5")
    axes.bar(table.index + 0.5, shown.fillna(0), width=0.86, color=bars)
    if rated:
        blank = table.index[table["rate"].isna()]
        axes.bar(blank + 0.5, [1.08 * top] * len(blank), width=1.0, zorder=0, **HATCH)
        if len(blank):
            axes.legend(handles=[UNWATCHED], loc="upper left")
    axes.set(xlim=(0, 24), xticks=range(0, 25, 3), ylim=(0, 1.08 * top))
    axes.set_xticklabels([f"{hour:02d}:00" for hour in range(0, 25, 3)])
    axes.grid(axis="y")
    axes.set_ylabel("clips per watched hour" if rated else "clips")
    if not rated:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    best, others = _peak(table, rated)
    hours = NO_CAMERA_LOG
    if rated:
        hours = f"in {table['watched_h'].sum():,.0f} watched hours of {how_many(watched['camera'].nunique(), 'camera')}"
    finding(
        axes,
        f"Busiest from {best:02d}:00 to {best + 1:02d}:00: {_evidence(table.iloc[best], rated)}{others}",
        f"by hour of the day, {_zone(clips)}; all in all {how_many(len(clips), 'clip')} {hours}",
    )
    return figure


def plot_heat(clips: pd.DataFrame, watched: pd.DataFrame) -> Figure:
    """The same by weekday and hour, as a heat map."""
    if clips.empty:
        return sentence(NOTHING_YET)
    table = activity.by_weekday_and_hour(clips, watched)
    rated = bool(table["rate"].notna().any())
    shown = (table["rate"] if rated else table["clips"].astype(float)).unstack("hour")
    figure, axes = plt.subplots(figsize=(9, 3.5))
    top = float(np.nanmax(shown.to_numpy())) or 1.0
    axes.add_patch(Rectangle((0, 0), 24, 7, zorder=0, **HATCH))
    mesh = axes.pcolormesh(
        np.arange(25), np.arange(8), shown.to_numpy(), cmap=SEQUENCE, vmin=0, vmax=top, edgecolors=LIGHT, linewidth=0.6
    )
    axes.set(yticks=np.arange(7) + 0.5, yticklabels=WEEKDAYS, xticks=range(0, 25, 3), xlim=(0, 24), ylim=(7, 0))
    axes.set_xticklabels([f"{hour:02d}:00" for hour in range(0, 25, 3)])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(mesh, ax=axes, pad=0.015, fraction=0.03)
    bar.outline.set_visible(False)
    bar.set_label("clips per watched hour" if rated else "clips", color=GREY)
    if not rated:
        bar.locator = MaxNLocator(integer=True)
    best, others = _peak(table, rated)
    weekday, hour = divmod(best, 24)
    beside = "; white: none, hatched: nobody watched" if rated else f" {NO_CAMERA_LOG}"
    what = _evidence(table.iloc[best], rated) + others
    finding(
        axes,
        f"Most on {WEEKDAYS[weekday]}s from {hour:02d}:00 to {hour + 1:02d}:00: {what}",
        f"by weekday and hour, {_zone(clips)}{beside}",
    )
    return figure


def plot_labels(seen: pd.DataFrame, clips: pd.DataFrame) -> Figure:
    """In how many clips each label was seen, stacked by camera."""
    if clips.empty:
        return sentence(NOTHING_YET)
    if seen.empty:
        return sentence(
            f"Nothing was found in {how_many(len(clips), 'clip')}: try a lower threshold in SendProcessFile."
        )
    counts = activity.label_by_camera(seen)
    objects = activity.by_label(seen)["objects"]
    shown, shade = counts.head(MOST_LABELS).iloc[::-1], colours(clips["camera"])
    figure, axes = plt.subplots(figsize=(9, 1.15 + 0.36 * len(shown)))
    left = np.zeros(len(shown))
    for camera in shown.columns:
        axes.barh(shown.index, shown[camera], left=left, height=0.7, color=shade[camera], label=camera)
        left += shown[camera].to_numpy()
    for place, label in enumerate(shown.index):
        text = f"{left[place]:g} ({objects[label]:g} objects)" if objects[label] != left[place] else f"{left[place]:g}"
        axes.annotate(text, (left[place], place), (5, 0), textcoords="offset points", va="center", color=GREY)
    axes.set_xlim(0, left.max() * 1.16)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=BLACK)
    axes.set_xlabel("clips")
    if len(shown.columns) > 1:
        axes.legend(loc="lower right")
    sums = counts.sum(axis=1)
    first = list(sums.index[sums == sums.max()])
    more = f"; {how_many(len(counts) - len(shown), 'rarer label')} left out" if len(counts) > len(shown) else ""
    finding(
        axes,
        f"Seen most: {_names(first)}, {'each ' * (len(first) > 1)}in {sums.max()} of {how_many(len(clips), 'clip')}",
        f"clips in which each label was seen, by camera{more}",
    )
    return figure


def plot_stays(seen: pd.DataFrame) -> Figure:
    """The longest visits."""
    stays = activity.longest_stays(seen)
    if stays.empty:
        return sentence("Nothing has stayed yet.")
    shown, shade = stays.iloc[::-1], colours(seen["camera"])
    figure, axes = plt.subplots(figsize=(9, 1.15 + 0.34 * len(shown)))
    places = np.arange(len(shown))
    axes.barh(places, shown["stay_s"], height=0.66, color=[shade[camera] for camera in shown["camera"]])
    rows: list[dict[Any, Any]] = shown.to_dict("records")
    names = [f"{row['label']}, {_date(row['first_at'])}, {row['first_at']:%H:%M}" for row in rows]
    axes.set_yticks(places, names)
    for place, row in enumerate(rows):
        text = f"{_duration(row['stay_s'])}, {row['camera']}" + (f", {row['clips']} clips" if row["clips"] > 1 else "")
        axes.annotate(text, (row["stay_s"], place), (5, 0), textcoords="offset points", va="center", color=GREY)
    axes.set_xlim(0, shown["stay_s"].max() * 1.25)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=BLACK)
    axes.set_xlabel("seconds in sight")
    best = stays.iloc[0]
    finding(
        axes,
        f"The longest stay: {best['label']}, {_duration(best['stay_s'])}",
        f"from first to last sight; sightings less than {activity.VISIT_GAP.seconds} s apart are one stay",
    )
    return figure


def plot_one_day(day: OneDay) -> Figure:
    """A day's clips along a line, one row per camera and label."""
    if not day.rows:
        return sentence(NOTHING_YET)
    shade = colours(day.all_cameras)
    figure, axes = plt.subplots(figsize=(9, min(MOST_INCHES, 1.25 + 0.3 * len(day.rows))))
    for number, row in enumerate(day.rows):
        for begin, end in (day.away or {}).get(row.camera, ()):
            axes.add_patch(Rectangle((begin, number - 0.5), end - begin, 1.0, zorder=0, **HATCH))
        spans = [(mark.begin, max(MIN_MARK, mark.end - mark.begin)) for mark in row.marks]
        axes.broken_barh(spans, (number - 0.32, 0.64), color=GREY if row.label == NOTHING else shade[row.camera])
        if number and day.rows[number - 1].camera != row.camera:
            axes.axhline(number - 0.5, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(day.rows)), [_row_name(row.camera, row.label) for row in day.rows])
    axes.set_xticks([share for share, _ in day.ticks], [f"{hour}:00" for _, hour in day.ticks])
    axes.set(xlim=(0, 1), ylim=(len(day.rows) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0, labelcolor=BLACK)
    axes.spines["left"].set_visible(False)
    if day.until < 1:
        axes.axvline(day.until, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("now", (day.until, 0), (3, 3), "axes fraction", "offset points", color=GREY, fontsize=8)
    detail = f"each mark is a clip; local time, {day.zone}"
    if day.away is None:
        detail += f" {NO_CAMERA_LOG}"
    elif any(day.away.values()):
        detail += "; hatched: the camera was not watched"
    finding(axes, f"{day.title}: {how_many(day.clips, 'clip') if day.clips else 'no clip'}", detail)
    return figure


# -- axes and words


def _count_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.06)
    axes.grid(axis="y")
    axes.set_ylabel("clips")


def _date_axis(axes: Axes, days: pd.Index) -> None:
    numbers = _date_number(days)
    # a day alone would be one broad bar
    spare = max(0.5, (MIN_DAYS - len(days)) / 2 + 0.5)
    axes.set_xlim(numbers[0] - spare, numbers[-1] + spare)
    step = max(1, -(-len(days) // 10))
    axes.set_xticks(numbers[::step], [_date(day) if step == 1 else f"{day.day} {day:%b}" for day in days[::step]])
    axes.tick_params(axis="x", length=0)


def _date_number(moment: Any) -> Any:
    """Return matplotlib's number of a day, or an array of them."""
    return mdates.date2num(moment)  # type: ignore[no-untyped-call]


def _shortened(names: list[str]) -> list[str]:
    """Return names that leave the picture its room, where their ends tell them apart."""
    half = MOST_LETTERS // 2
    short = [name if len(name) <= MOST_LETTERS else f"{name[:half]}…{name[-half:]}" for name in names]
    return short if len(set(short)) == len(names) else names


def _row_name(camera: str, label: str) -> str:
    return f"{camera}: {label}" if label else f"{camera}: no clip"


def _date(day: pd.Timestamp) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _zone(clips: pd.DataFrame) -> str:
    return f"local time, {activity.offset(clips['started_at'].iloc[-1])}"


def _peak(table: pd.DataFrame, rated: bool) -> tuple[int, str]:
    """Return the place of the highest rate, of equal ones that of the most clips; and words on the equal ones."""
    order = table.reset_index().sort_values(
        ["rate", "clips"] if rated else ["clips"], kind="stable", na_position="first"
    )
    shown = table["rate" if rated else "clips"]
    equal = int((shown == shown.max()).sum()) - 1
    return int(order.index[-1]), f"; {how_many(equal, 'other hour')} equal" * (equal > 0)


def _evidence(row: pd.Series, rated: bool) -> str:
    clips = how_many(int(row["clips"]), "clip")
    return f"{clips} in {row['watched_h']:,.1f} watched hours" if rated else clips


def _names(names: list[str], most: int = 3) -> str:
    return " and ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and others"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
