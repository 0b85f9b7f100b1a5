"""Pictures of :mod:`notebooks.lab.tuning.motion_tuning`: scores over time, what is recorded, where it moves."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import cv2
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from notebooks.lab.data.words import how_many
from notebooks.lab.plots.style import BLUE, GREEN, GREY, LIGHT, ORANGE, RED, YELLOW, finding
from notebooks.lab.tuning.motion_tuning import At, Tried, at_threshold, is_caught, name_of
from shared_utils.media.grabber import FrameGrabber
from vcam_worker.motion.detector import SPECK_SHARE
from vcam_worker.replay import AnalysedFrame, ReplayedClip, Trace

FLOOR = SPECK_SHARE / 2
"""Where frames without any motion stand on a logarithmic scale: below the smallest share there is."""
TINT = (0, 94, 213)
"""Of what moves, blue green red: the palette's red."""
TINT_SHARE = 0.45


def score_picture(traced: Trace, wanted: pd.DataFrame, at: At | None = None) -> Figure:
    """Draw the moving share of each analysed frame over time, with threshold, triggers, clips and moments.

    Args:
        traced: a replay.
        wanted: moments; those of this file are shown.
        at: what another threshold gives; the trace's own, if None.
    """
    at = at or At(traced.motion.min_area, traced.clips, traced.frames)
    mine = wanted[wanted["filename"] == traced.path.name]
    figure, axes = plt.subplots(figsize=(10, 4))
    times = np.array([frame.time_s for frame in at.frames])
    shares = np.array([max(frame.share, FLOOR) for frame in at.frames])
    light = np.array([frame.light for frame in at.frames], bool)
    moving = np.array([at.moves(frame) for frame in at.frames], bool)
    axes.set(yscale="log", ylim=(FLOOR * 0.8, 3), xlim=(0, traced.end_s))
    axes.vlines(times, FLOOR, shares, color=LIGHT, linewidth=1.5, zorder=1)
    for which, colour, text in (
        (~moving & ~light, GREY, "does not count"),
        (moving, BLUE, "moves"),
        (light, YELLOW, "the light changed"),
    ):
        if which.any():
            axes.scatter(
                times[which], shares[which], s=16, color=colour, edgecolor=GREY, linewidth=0.4, label=text, zorder=3
            )
    axes.axhline(at.min_area, color=RED, linewidth=1.5, zorder=2)
    axes.annotate(
        f"min_area {at.min_area:.3g}", (traced.end_s, at.min_area), (-3, 3), textcoords="offset points",
        ha="right", color=RED, fontsize=9, fontweight="bold",
    )  # fmt: skip
    for clip in at.clips:
        axes.add_patch(Rectangle((clip.start_s, 1.15), clip.end_s - clip.start_s, 0.45, color=ORANGE, alpha=0.85, lw=0))
        # a clip may begin where the one before goes on or ends
        axes.plot([clip.start_s, clip.start_s], [1.15, 1.6], color="white", linewidth=1.5)
        if clip.trigger_s > clip.start_s:
            axes.plot(clip.trigger_s, 1.9, "v", color=ORANGE, markersize=7)
    for row in mine.to_dict("records"):
        axes.axvspan(row["start_s"], row["end_s"], color=GREEN, alpha=0.13, lw=0, zorder=0)
    axes.set_yticks([FLOOR, 0.001, 0.01, 0.1, 1], ["none", "0.1 %", "1 %", "10 %", "100 %"])
    axes.minorticks_off()
    axes.set(xlabel="seconds in the file", ylabel="share of the picture that moves")
    _score_legend(figure, axes, len(mine) > 0)
    caught = [is_caught(row["start_s"], row["end_s"], at.clips) for row in mine.to_dict("records")]
    how = f"{traced.motion.fps:g} fps" if traced.motion.decode == "all" else "keyframes"
    replayed = f"; replayed, as {at.replayed}" if at.replayed else ""
    finding(axes, _score_title(at, caught), f"{traced.path.name}, {how}, {len(at.frames)} frames analysed{replayed}")
    return figure


def _score_legend(figure: Figure, axes: Axes, with_moments: bool) -> None:
    handles, texts = axes.get_legend_handles_labels()
    handles.append(Rectangle((0, 0), 1, 1, color=ORANGE))
    texts.append("clip (▼ its trigger)")
    if with_moments:
        handles.append(Rectangle((0, 0), 1, 1, color=GREEN, alpha=0.2))
        texts.append("something moved")
    figure.legend(handles, texts, loc="outside lower center", ncols=5, fontsize=9)


def _score_title(at: At, caught: Sequence[bool]) -> str:
    clips = how_many(len(at.clips), "clip")
    if not caught:
        return f"{clips} at {100 * at.min_area:.3g} %"
    missed = len(caught) - sum(caught)
    what = f"misses {missed} of {how_many(len(caught), 'moment')}" if missed else "misses nothing"
    return f"{100 * at.min_area:.3g} % {what}; {clips}"


def settings_picture(tried: Sequence[Tried], wanted: pd.DataFrame, filename: str) -> Figure:
    """Draw what each of several settings records of one file, against the moments that ought to be caught."""
    mine = wanted[wanted["filename"] == filename].to_dict("records")
    figure, axes = plt.subplots(figsize=(10, 1.7 + 0.42 * len(tried)))
    for row in mine:
        axes.axvspan(row["start_s"], row["end_s"], color=GREEN, alpha=0.16, lw=0, zorder=0)
    results = []
    end = max((clip.end_s for one in tried for clip in one.clips[filename]), default=1.0)
    end = max([end, *(row["end_s"] for row in mine)])
    for number, one in enumerate(tried[::-1]):
        clips = one.clips[filename]
        caught = [is_caught(row["start_s"], row["end_s"], clips) for row in mine]
        good = all(caught)
        results.append((one, good))
        for clip in clips:
            _draw_clip(axes, clip, number, BLUE if good else ORANGE)
        for row, hit in zip(mine, caught, strict=True):
            if not hit:
                axes.plot(
                    (row["start_s"] + row["end_s"]) / 2, number, "x", color=RED, markersize=9, markeredgewidth=2.5
                )
        text = f"{sum(caught)} of {len(mine)}" if mine else how_many(len(clips), "clip")
        axes.annotate(text, (1, number), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", color=GREY, annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(tried)), [name_of(one.motion) for one in tried[::-1]])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, end), ylim=(-0.6, len(tried) - 0.4), xlabel="seconds in the file")
    missing = [name_of(one.motion) for one, good in results if not good]
    detail = f"{filename}: bars are clips (darker: two at once), green is when something moved, crosses what is missed"
    finding(axes, _settings_title(missing, len(tried), bool(mine)), detail)
    return figure


def _settings_title(missing: Sequence[str], count: int, known: bool) -> str:
    if not known:
        return "What each setting records"
    if not missing:
        return f"All {count} settings miss nothing here" if count > 1 else "This setting misses nothing here"
    good = count - len(missing)
    return f"{good} of {count} settings {'misses' if good == 1 else 'miss'} nothing here"


def _draw_clip(axes: Axes, clip: ReplayedClip, row: int, colour: str) -> None:
    axes.barh(row, clip.end_s - clip.start_s, left=clip.start_s, height=0.5, color=colour, alpha=0.75)
    axes.plot([clip.start_s, clip.start_s], [row - 0.25, row + 0.25], color="white", linewidth=1.5)


def area_picture(traced: Trace, wanted: pd.DataFrame, most: int = 6) -> Figure:
    """Show the moving area in the frames in which most moves: one of each moment, or else of each clip."""
    chosen = _most_moving(traced, wanted, most)
    if not chosen:
        figure, axes = plt.subplots(figsize=(9, 0.9))
        axes.axis("off")
        finding(axes, "Nothing moves in this file", traced.path.name)
        return figure
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(3.5 * columns, 2.35 * rows + 0.6), squeeze=False)
    with FrameGrabber(traced.path) as frames:
        for axes in grid.flat:
            axes.axis("off")
        for axes, frame in zip(grid.flat, chosen, strict=False):
            # stream time begins with the first packet, the file's with the first picture
            picture = frames.frame_at(frame.time_s - traced.frames[0].time_s).picture
            axes.imshow(tinted(picture, frame.mask)[..., ::-1])
            verdict = "moves" if frame.moving else "the light changed" if frame.light else "does not count"
            axes.set_title(
                f"{frame.time_s:.1f} s: {100 * frame.share:.2g} %, {verdict}", fontsize=9, fontweight="normal", pad=4
            )
    low, high = (f"{100 * pick(frame.share for frame in chosen):.2g}" for pick in (min, max))
    title = f"What moved covers {low if low == high else f'{low} to {high}'} % of the picture"
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontweight="bold", fontsize=12)
    return figure


def _most_moving(traced: Trace, wanted: pd.DataFrame, most: int) -> list[AnalysedFrame]:
    mine = wanted[wanted["filename"] == traced.path.name]
    spans = list(zip(mine["start_s"], mine["end_s"], strict=True))
    spans = spans or [(clip.trigger_s, clip.end_s) for clip in traced.clips]
    pieces = max(1, most // max(1, len(spans)))
    best: dict[float, AnalysedFrame] = {}
    for start, end in spans[:most]:
        edges = np.linspace(start, end, pieces + 1)
        for since, until in pairwise(edges):
            inside = [frame for frame in traced.frames if since <= frame.time_s <= until and frame.share > 0]
            if inside:
                most_moving = max(inside, key=lambda frame: (frame.moving, frame.share))
                best[most_moving.time_s] = most_moving
    return list(best.values())


def tinted(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a copy of `picture` (height×width×3, blue green red) with what `mask` (of any size) covers coloured."""
    height, width = picture.shape[:2]
    large = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    shown = picture.copy()
    part = large > 0
    shown[part] = (shown[part] * (1 - TINT_SHARE) + np.array(TINT) * TINT_SHARE).astype(np.uint8)
    outlines, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(shown, outlines, -1, TINT, max(1, height // 180)), np.uint8)


def cost_picture(tried: Sequence[Tried]) -> Figure:
    """Draw what settings catch against what they cost."""
    figure, axes = plt.subplots(figsize=(9, 4))
    points = [
        (1000 * one.cpu_s / one.footage_s, 100 * one.recall, one) for one in tried if one.caught and one.footage_s
    ]
    for number, (cost, recall, one) in enumerate(sorted(points, key=lambda point: point[0])):
        colour = BLUE if recall == 100 else ORANGE
        axes.scatter(cost, recall, s=50, color=colour, zorder=3)
        # alternately above and below, so that the names of neighbours do not overlap
        up = (8, -15, 20, -27)[number % 4]
        name = name_of(one.motion)
        axes.annotate(name, (cost, recall), (0, up), textcoords="offset points", ha="center", fontsize=8.5, color=GREY)
    axes.set(xlabel="processor time, milliseconds per second of footage", ylabel="moments caught", xlim=(0, None))
    axes.set_yticks(range(0, 101, 20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.set_ylim(min([recall for _, recall, _ in points], default=0) - 20, 118)
    axes.margins(x=0.15)
    axes.grid(axis="y")
    whole = [(cost, one) for cost, recall, one in points if recall == 100]
    title = "No setting catches every moment"
    if whole:
        cost, one = min(whole, key=lambda pair: pair[0])
        title = f"{name_of(one.motion)} is the cheapest that misses nothing: {cost:.0f} ms per second"
    finding(
        axes,
        title,
        f"{how_many(len(points[0][2].caught) if points else 0, 'moment')}; including reading, and writing the clips",
    )
    return figure


def threshold_slider(traced: Trace, wanted: pd.DataFrame) -> widgets.VBox:
    """Return a slider that moves the threshold over a trace: exact, and replayed where the trace does not tell."""
    low, high = np.log10(traced.motion.min_area), np.log10(0.5)
    slider = widgets.FloatLogSlider(
        value=max(traced.motion.min_area, 0.005), min=low, max=high, step=0.02, description="min_area",
        continuous_update=False, readout_format=".4f", layout=widgets.Layout(width="70%"),
    )  # fmt: skip
    picture = widgets.Image(format="png")

    def draw(_: object = None) -> None:
        figure = score_picture(traced, wanted, at_threshold(traced, float(slider.value)))
        target = BytesIO()
        figure.savefig(target, format="png")
        plt.close(figure)
        picture.value = target.getvalue()

    slider.observe(draw, "value")
    draw()
    return widgets.VBox([slider, picture])
