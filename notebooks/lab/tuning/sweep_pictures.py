"""Pictures of :mod:`notebooks.lab.tuning.sweep`: what other thresholds would have found."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from notebooks.lab.data.words import how_many
from notebooks.lab.plots.style import BLACK, BLUE, GREY, ORANGE, colours, finding
from notebooks.lab.tuning.sweep import Advice, f1_score

F1_TOLERANCE = 0.01
"""Difference of F1 below which thresholds count as equally good."""
NAME_SPACING = 0.055
"""Distance of two names at the ends of lines, as a share of the axes' height."""


def detections_picture(counts: pd.DataFrame, used: float, advice: Advice, detail: str) -> Figure:
    """Draw in how many clips each label is detected, against the threshold.

    Args:
        counts: of :func:`notebooks.lab.tuning.sweep.detections`.
        used: the threshold that the runs were made with.
        advice: what is recommended; its reason is the title.
        detail: what it is based on.
    """
    figure, axes = plt.subplots(figsize=(9, 4))
    _lines(axes, counts, step=True)
    axes.set(xlabel="threshold (score)", ylabel="clips in which it is detected")
    _marks(axes, used, advice.conf)
    title = "Nothing was detected" if np.isnan(advice.conf) else f"Take {advice.conf:.2f}: {advice.reason}"
    finding(axes, title, detail)
    return figure


def hits_picture(counts: pd.DataFrame, used: float) -> Figure:
    """Draw in how many sampled frames each label is seen, by threshold; see :func:`notebooks.lab.tuning.sweep.hits`."""
    figure, axes = plt.subplots(figsize=(9, 3.6))
    _lines(axes, counts, step=False)
    axes.set(xlabel="threshold (score)", ylabel="sampled frames with it")
    _marks(axes, used, float("nan"))
    finding(
        axes, _hits_title(counts, used), "hits: sampled frames in which a label has a box at or above the threshold"
    )
    return figure


def _hits_title(counts: pd.DataFrame, used: float) -> str:
    if counts.empty or not counts.to_numpy().any():
        return "Nothing was seen"
    now = counts.iloc[np.abs(counts.index.to_numpy() - used).argmin()]
    lost = 1 - now / counts.iloc[0]
    label = lost.idxmax()
    kept, low = 100 * (1 - lost.max()), float(counts.index[0])
    return f"At {used:g}, {label} loses most: it keeps {kept:.0f} % of its frames from {low:g} up"


def _lines(axes: Axes, counts: pd.DataFrame, *, step: bool) -> None:
    colour = colours(counts.columns)
    top = max(1, int(counts.to_numpy().max(initial=0)))
    names: list[tuple[float, str]] = []
    for label in map(str, counts):
        values = counts[label]
        if step:
            axes.step(counts.index, values, where="mid", color=colour[label], linewidth=2)
        else:
            axes.plot(counts.index, values, color=colour[label], linewidth=2)
        names.append((float(values.iloc[0]), label))
    # names stand at the left, where all lines begin; those of equal lines are moved apart
    last = -np.inf
    for height, label in sorted(names):
        last = max(height, last + NAME_SPACING * top)
        axes.annotate(
            label, (counts.index[0], last), (-6, 0), textcoords="offset points", ha="right", va="center",
            color=colour[label], fontweight="bold", annotation_clip=False,
        )  # fmt: skip
    axes.set_ylim(0, max(1.08 * top, last + NAME_SPACING * top))
    if len(counts):
        axes.set_xlim(counts.index[0] - 0.13 * (counts.index[-1] - counts.index[0]), counts.index[-1])
    axes.set_xticks(np.arange(0.1, 1.0, 0.1))
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _marks(axes: Axes, used: float, advised: float) -> None:
    axes.axvline(used, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    _mark(axes, used, f"used: {used:g}", GREY, before=used < advised)
    if not np.isnan(advised):
        axes.axvline(advised, color=BLACK, linewidth=2)
        _mark(axes, advised, f"take: {advised:.2f}", BLACK, before=advised <= used)


def _mark(axes: Axes, at: float, text: str, colour: str, *, before: bool) -> None:
    # at the bottom, where lines seldom are, on the side away from the other mark
    axes.annotate(
        text, (at, axes.get_ylim()[0]), (-4 if before else 4, 4), textcoords="offset points",
        ha="right" if before else "left", color=colour, fontsize=9, fontweight="bold",
    )  # fmt: skip


def min_hits_picture(counts: pd.DataFrame, used: tuple[float, int]) -> Figure:
    """Draw how many labels of clips are detected, for each `min_hits`, against the threshold.

    Args:
        counts: of :func:`notebooks.lab.tuning.sweep.by_min_hits`.
        used: threshold and `min_hits` of the runs.
    """
    figure, axes = plt.subplots(figsize=(9, 3.8))
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(counts.columns)))
    for number, shade in zip(counts.columns.tolist(), shades, strict=True):
        mine = int(number) == used[1]
        axes.step(
            counts.index, counts[number], where="mid", color=shade, linewidth=3 if mine else 1.6, label=str(number)
        )
    axes.set(xlabel="threshold (score)", ylabel="labels detected, over all clips")
    axes.set_xticks(np.arange(0.1, 1.0, 0.1))
    axes.set_ylim(0)
    axes.grid(axis="y")
    axes.legend(title="min_hits", loc="upper right", ncols=2)
    _marks(axes, used[0], float("nan"))
    finding(axes, _min_hits_title(counts, used), "min_hits: sampled frames that a label must be seen in")
    return figure


def _min_hits_title(counts: pd.DataFrame, used: tuple[float, int]) -> str:
    now = counts.iloc[np.abs(counts.index.to_numpy() - used[0]).argmin()]
    if used[1] not in now or 1 not in now:
        return "Labels detected by min_hits"
    ghosts = int(now[1] - now[used[1]])
    if used[1] == 1 or not ghosts:
        return f"At {used[0]:g} no label depends on min_hits"
    return f"At {used[0]:g}, min_hits {used[1]} leaves out {how_many(ghosts, 'label')} that fewer frames show"


def truth_curve(curve: pd.DataFrame, used: float, advice: Advice, detail: str) -> Figure:
    """Draw precision, recall and F1 against the threshold.

    Args:
        curve: of :func:`notebooks.lab.data.matching.curve`, over all classes.
        used: the threshold of the runs.
        advice: of :func:`notebooks.lab.tuning.sweep.best_f1`.
        detail: what the truth is.
    """
    figure, axes = plt.subplots(figsize=(9, 3.8))
    points = curve.assign(f1=f1_score(curve)).sort_values("conf")
    for column, text, colour in (("precision", "precision", BLUE), ("recall", "recall", ORANGE), ("f1", "F1", BLACK)):
        axes.plot(points["conf"], points[column], color=colour, linewidth=2, label=text)
    axes.set(xlabel="threshold (score)", ylabel="share of boxes", xlim=(0.1, 1), ylim=(0, 1.06))
    axes.set_xticks(np.arange(0.1, 1.01, 0.1))
    axes.grid(axis="y")
    axes.legend(loc="lower left")
    _marks(axes, used, advice.conf)
    title = advice.reason if np.isnan(advice.conf) else f"At {advice.conf:.2f} {advice.reason}"
    near = points.loc[points["f1"] >= points["f1"].max() - F1_TOLERANCE, "conf"]
    if len(near):
        detail += f"; F1 is within {F1_TOLERANCE:g} of its best from {near.min():.2f} to {near.max():.2f}"
    finding(axes, title, detail)
    return figure
