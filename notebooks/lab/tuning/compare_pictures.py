"""Pictures of :mod:`notebooks.lab.tuning.compare`: agreement, classes, what only one saw, seconds, precision and
recall."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from notebooks.lab.data.words import how_many
from notebooks.lab.media.clip import Box
from notebooks.lab.media.sheet import cut_out
from notebooks.lab.plots.style import BLUE, GREY, LIGHT, ORANGE, SERIES, finding
from notebooks.lab.tuning.compare import Comparison, Pair, matrix, seconds
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.errors import ClipError, ClipMissing
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import fitted_size, resized

MAX_CLIPS = 16
"""Clips in a picture, those that agree least: more could not be distinguished."""
BAR_INCHES = 0.26
"""Height of a bar, with its gap."""
FRAME_SIDE_PX = 640
"""Longest side of a frame in the gallery."""
BOTH_COLOUR, LEFT_COLOUR, RIGHT_COLOUR = "#B8B8B8", BLUE, ORANGE


def percent(share: float) -> str:
    """Return a share for people; never 100 % where something is missing."""
    value = 100 * share
    return f"{value:.0f} %" if value in (0, 100) or 1 <= value <= 99 else f"{value:.1f} %"


def clip_name(filename: str) -> str:
    """Return a clip's camera and local time, shorter than its file name."""
    name = parse_clip_name(filename)
    return f"{name.camera} {name.started_at:%d %b %H:%M:%S}" if name else filename


def agreement_picture(comparison: Comparison, pair: Pair) -> Figure:
    """Draw the boxes that both configurations saw, and that one did, clip by clip, those that agree least on top."""
    left, right = comparison.name(pair.left), comparison.name(pair.right)
    table = pair.by_clip.sort_values(["same_labels", "agreement"], kind="stable").head(MAX_CLIPS)[::-1]
    figure, axes = plt.subplots(figsize=(9, 1.5 + BAR_INCHES * len(table)))
    _stacked(axes, table[["both", "only_left", "only_right"]], [clip_name(str(name)) for name in table.index])
    longest = table[["both", "only_left", "only_right"]].sum(axis=1).max()
    for row, (_, clip) in enumerate(table.iterrows()):
        differing = [f"only {left}: {', '.join(sorted(clip['labels_left']))}"] * bool(clip["labels_left"])
        differing += [f"only {right}: {', '.join(sorted(clip['labels_right']))}"] * bool(clip["labels_right"])
        end = clip[["both", "only_left", "only_right"]].sum()
        text = "; ".join(differing) or percent(clip["agreement"])
        weight = "bold" if differing else "normal"
        axes.text(end + 0.012 * longest, row, text, va="center", fontsize=8.5, color=GREY, fontweight=weight)
    axes.set_xlim(0, 1.25 * longest or 1)
    axes.set_xlabel("boxes in sampled frames")
    _legend(figure, left, right)
    clips = len(pair.by_clip)
    shown = "" if len(table) == clips else f"; the {len(table)} that agree least are shown"
    finding(
        axes,
        f"{left} and {right} agree on {percent(pair.agreement)} of the boxes",
        f"the same labels in {pair.same_labels} of {clips} clips{shown}",
    )
    return figure


def _stacked(axes: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    begin = np.zeros(len(table))
    for column, colour in zip(table.columns, (BOTH_COLOUR, LEFT_COLOUR, RIGHT_COLOUR), strict=True):
        axes.barh(range(len(table)), table[column], left=begin, color=colour, height=0.7)
        begin += table[column].to_numpy()
    axes.set_yticks(range(len(table)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(table) - 0.4)


def _legend(figure: Figure, left: str, right: str) -> None:
    handles = [Rectangle((0, 0), 1, 1, color=one) for one in (BOTH_COLOUR, LEFT_COLOUR, RIGHT_COLOUR)]
    names = ["both", f"only {left}", f"only {right}"]
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=9)


def classes_picture(comparison: Comparison, pair: Pair) -> Figure:
    """Draw, for each class, the clips and the boxes in which both configurations have it, or one."""
    left, right = comparison.name(pair.left), comparison.name(pair.right)
    table = pair.by_class[::-1]
    figure, (clips, boxes) = plt.subplots(1, 2, figsize=(9, 1.7 + 1.4 * BAR_INCHES * len(table)), sharey=True)
    _stacked(clips, table[["clips_both", "clips_left", "clips_right"]], [*map(str, table.index)])
    _stacked(boxes, table[["both", "only_left", "only_right"]], [*map(str, table.index)])
    clips.set_xlabel("clips in which it was detected")
    boxes.set_xlabel("boxes")
    for row, share in enumerate(table["agreement"]):
        end = table[["both", "only_left", "only_right"]].iloc[row].sum()
        boxes.annotate(percent(share), (end, row), (4, 0), textcoords="offset points", va="center", color=GREY)
    clips.set_xlim(0, 1.05 * max(1, table[["clips_both", "clips_left", "clips_right"]].sum(axis=1).max()))
    boxes.margins(x=0.18)
    _legend(figure, left, right)
    finding(clips, _classes_title(pair, left, right), "per class; the percentage is the agreement on boxes")
    return figure


def _classes_title(pair: Pair, left: str, right: str) -> str:
    table = pair.by_class
    if table.empty:
        return "Neither saw anything"
    by_side = {left: table["clips_left"], right: table["clips_right"]}
    name, counts = max(by_side.items(), key=lambda side: int(side[1].max()))
    most = int(counts.max())
    if most:
        return f"Most differs for {counts.idxmax()}: {how_many(most, 'clip')} in which only {name} has it"
    seen = table[table[["both", "only_left", "only_right"]].sum(axis=1) >= pair.by_clip["both"].sum() / 100]
    least = (seen if len(seen) else table)["agreement"]
    return f"The same labels in every clip; boxes agree least for {least.idxmin()}, {percent(least.min())}"


def gallery(comparison: Comparison, pair: Pair, video_dir: Path, most: int = 6) -> Figure:
    """Show the objects that only one of two configurations saw: the frame, and the object cut out.

    Args:
        video_dir: the shared volume. For clips that are gone, a text stands in their place.
        most: objects shown.
    """
    shown = pair.only.head(most)
    if shown.empty:
        return _empty("Neither saw an object that the other lacks", "objects: tracks that lack half of their boxes")
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = plt.figure(figsize=(5.4 * columns, 2.45 * rows + 0.5))
    grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1.6, 1] * columns)
    for axes in grid.flat:
        axes.axis("off")
    for number, row in enumerate(shown.to_dict("records")):
        at, column = divmod(number, columns)
        _draw_object(comparison, pair, row, grid[at][2 * column], grid[at][2 * column + 1], video_dir)
    counts = pair.only["side"].value_counts()
    counted = " and ".join(
        f"{counts.get(comparison.name(one), 0)} only {comparison.name(one)}" for one in (pair.left, pair.right)
    )
    rest = f"; {len(shown)} of them shown" if len(shown) < len(pair.only) else ""
    figure.suptitle(
        f"Objects that one saw and the other did not: {counted}{rest}\n", x=0.01, ha="left", fontweight="bold"
    )
    return figure


def _draw_object(
    comparison: Comparison, pair: Pair, row: dict[Any, Any], whole: Axes, part: Axes, video_dir: Path
) -> None:
    colour = LEFT_COLOUR if row["side"] == comparison.name(pair.left) else RIGHT_COLOUR
    box = Box(row["label"], row["conf"], (row["x1"], row["y1"], row["x2"], row["y2"]), None)
    title = f"only {row['side']}: {row['label']} {row['conf']:.2f}"
    whole.set_title(title, fontsize=10, color=colour, pad=17)
    where = f"{clip_name(row['filename'])}, {row['t']:.1f} s, {row['hits']} frames"
    whole.annotate(where, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=8, color=GREY)
    part.set_title(f"the other: {row['other']}", fontsize=8, fontweight="normal", color=GREY, pad=5)
    try:
        with FrameGrabber(video_dir / row["filename"]) as frames:
            picture = frames.frame_at(row["t"]).picture
            size = fitted_size(frames.facts.width, frames.facts.height, FRAME_SIDE_PX)
    except (ClipMissing, ClipError):
        whole.text(0.5, 0.5, "the clip is gone", ha="center", transform=whole.transAxes, color=GREY)
        return
    whole.imshow(resized(picture, size)[..., ::-1])
    scale = size[0] / picture.shape[1]
    x1, y1, x2, y2 = (value * scale for value in box.xyxy)
    for width, edge in ((4.5, "white"), (2.5, colour)):
        whole.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=edge, linewidth=width))
    part.imshow(cut_out(picture, box)[..., ::-1], interpolation="lanczos")
    part.axis("on")
    part.set(xticks=[], yticks=[])
    for spine in part.spines.values():
        spine.set(visible=True, color=colour, linewidth=2.5)


def _empty(title: str, detail: str = "") -> Figure:
    figure, axes = plt.subplots(figsize=(9, 0.9))
    axes.axis("off")
    finding(axes, title, detail)
    return figure


def seconds_picture(comparison: Comparison) -> Figure:
    """Draw the seconds per clip of each configuration."""
    table = seconds(comparison)[::-1]
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.75 * len(table)))
    parts = (("total_s", "in all", GREY), ("infer_s", "model", BLUE), ("decode_s", "decoding", ORANGE))
    for number, (column, text, colour) in enumerate(parts):
        at = np.arange(len(table)) + 0.26 * (1 - number)
        axes.barh(at, table[column], height=0.24, color=colour, label=text)
        for place, value in zip(at, table[column], strict=True):
            axes.annotate(f"{value:.2f}", (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(range(len(table)), [*map(str, table.index)])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("seconds per clip, mean")
    axes.margins(x=0.08)
    handles, texts = axes.get_legend_handles_labels()
    axes.legend(handles, texts, loc="lower right")
    total = table["total_s"]
    fastest, slowest = str(total.idxmin()), str(total.idxmax())
    footage = table["duration_s"].mean()
    finding(
        axes,
        f"{fastest} takes {total.min():.2f} s per clip, {slowest} {total.max() / total.min():.1f} times as long",
        f"{len(comparison.clips)} clips of {footage:.0f} s on average; decoding and model work at once",
    )
    return figure


def matrix_picture(comparison: Comparison) -> Figure:
    """Draw the agreement of each configuration with each."""
    table = matrix(comparison)
    size = len(table)
    figure, axes = plt.subplots(figsize=(3.6 + 0.9 * size, 1.6 + 0.62 * size))
    shown = table.to_numpy().copy()
    np.fill_diagonal(shown, np.nan)
    axes.imshow(shown, cmap="Blues", vmin=min(0.5, float(np.nanmin(shown))), vmax=1, aspect="auto")
    axes.set_facecolor(LIGHT)
    middle = (min(0.5, float(np.nanmin(shown))) + 1) / 2
    for (row, column), value in np.ndenumerate(shown):
        if not np.isnan(value):
            colour = "white" if value > middle else "black"
            axes.text(column, row, percent(value), ha="center", va="center", color=colour)
    names = [str(name) for name in table.index]
    axes.set_xticks(range(size), names)
    axes.set_yticks(range(size), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    row, column = np.unravel_index(int(np.nanargmin(shown)), shown.shape)
    finding(axes, f"{names[row]} and {names[column]} differ most", "boxes that both have, of all boxes of the two")
    return figure


def truth_picture(scores: pd.DataFrame) -> Figure:
    """Draw precision, recall and AP of each configuration, class by class.

    Args:
        scores: of :func:`notebooks.lab.tuning.compare.against_truth`.
    """
    if scores.empty:
        return _empty("No reviewed frame was sampled by all configurations")
    names = list(dict.fromkeys(scores.index.get_level_values("configuration")))
    labels = [one for one in dict.fromkeys(scores.index.get_level_values("label")) if one != "all"]
    labels = [*sorted(labels, reverse=True), "all"]
    figure, axes = plt.subplots(1, 3, figsize=(9, 1.7 + 0.38 * len(labels)), sharey=True)
    columns = (
        ("precision", "precision: right, of found"),
        ("recall", "recall: found, of there"),
        ("ap50", "AP at IoU 0.5"),
    )
    for one, (column, text) in zip(axes, columns, strict=True):
        for number, name in enumerate(names):
            values = scores.loc[name][column].reindex(labels)
            shift = 0.16 * ((len(names) - 1) / 2 - number)
            one.plot(values, np.arange(len(labels)) + shift, "o", color=SERIES[number % len(SERIES)], label=name, ms=6)
        one.set_xlim(-0.03, 1.03)
        one.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        one.set_xlabel(text)
        one.grid(axis="x")
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].set_ylim(-0.6, len(labels) - 0.4)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
    best = scores.xs("all", level="label")["ap50"]
    title = "No object is labelled in these frames"
    if best.notna().any():
        title = f"{best.idxmax()} is nearest to the labels: mAP50 {best.max():.2f}"
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontweight="bold", fontsize=12)
    return figure
