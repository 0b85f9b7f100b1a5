"""A picture for each step of the analysis; see :mod:`notebooks.lab.tuning.isolated`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from notebooks.lab.data.track_labels import best_label
from notebooks.lab.media.clip import Box, Clip
from notebooks.lab.media.draw import with_boxes
from notebooks.lab.plots.style import BLUE, GREY, LIGHT, ORANGE, finding, plain_numbers
from notebooks.lab.tuning.isolated import FrameTrace, Isolated
from shared_utils.media.palette import track_colour
from shared_utils.media.picture import Picture, fitted_size
from video_worker.engines.base import Array
from video_worker.models.postprocess import Detections

STRIP_FRAMES = 6
"""Frames of the strip of sampled pictures."""
SIDE_PX = 960
"""Longest side of pictures in figures."""
GRIDS = ((8, 16, 32), (16, 32), (4, 8, 16, 32), (8, 16, 32, 64))
"""Strides of the grids that raw heads put one behind the other: ultralytics' P3 to P5, and those of larger and
smaller models; pixels of the model's input."""


def sampling(work: Isolated, clip: Clip) -> Figure:
    """Return which frames are analysed: on the clip's time line, and some of them as pictures."""
    times = clip.frames.times_s
    taken = [frame.time_s for frame in work.frames()]
    figure = plt.figure(figsize=(11, 3.4), layout="constrained")
    grid = figure.add_gridspec(2, STRIP_FRAMES, height_ratios=[1, 2.6])
    line = figure.add_subplot(grid[0, :])
    line.vlines(times, 0, 0.5, color=LIGHT, linewidth=1)
    line.vlines(taken, 0, 1, color=BLUE, linewidth=1.2)
    line.set(yticks=[], xlabel="seconds from the first frame", xlim=(-0.1, clip.frames.facts.duration_s))
    line.spines["left"].set_visible(False)
    rate = f"{work.options.fps:g} frames per second" if work.options.fps else "every frame"
    finding(line, f"{len(taken)} of {len(times)} frames are analysed", f"{rate}, by the clip's own timestamps")
    shown = (
        [taken[round(number * (len(taken) - 1) / (STRIP_FRAMES - 1))] for number in range(STRIP_FRAMES)]
        if taken
        else []
    )
    for number, time_s in enumerate(shown):
        axes = figure.add_subplot(grid[1, number])
        axes.imshow(_display(clip.frame_at(time_s).picture, []))
        axes.axis("off")
        axes.set_title(f"{time_s:.1f} s", fontsize=9, fontweight="normal", pad=3)
    return figure


def letterboxed(traced: FrameTrace) -> Figure:
    """Return the frame as it is decoded, and the model's input."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    left.imshow(_display(traced.frame.picture, []))
    right.imshow(traced.model_input[..., ::-1])
    fit = traced.fit
    right.add_patch(
        Rectangle((fit.left, fit.top), *fit.scaled_wh, fill=False, edgecolor=ORANGE, linewidth=1.5, linestyle="--")
    )
    for axes in (left, right):
        axes.axis("off")
    finding(
        left, f"Frame {traced.frame.index} at {traced.frame.time_s:.2f} s", f"{fit.source_wh[0]}×{fit.source_wh[1]}"
    )
    top, bottom, before, after = fit.margins
    padding = f"padding: {top} above, {bottom} below, {before} left, {after} right"
    finding(right, f"The model's input: {fit.padded_wh[0]}×{fit.padded_wh[1]}", padding)
    return figure


def raw_output(traced: FrameTrace, work: Isolated) -> Figure:
    """Return the head's best score at each place; for heads without grids, its scores by rank."""
    scores = traced.raw[:, 4] if work.info.end_to_end else traced.raw[4:].max(axis=0)
    maps = {} if work.info.end_to_end else _maps(scores, traced.fit.padded_wh)
    figure, axes = plt.subplots(1, 1 + len(maps), figsize=(11, 3.1 if maps else 3.6), layout="constrained")
    ranked = axes[0] if maps else axes
    found = int((scores >= traced.min_score).sum())
    ranked.plot(np.arange(1, len(scores) + 1), np.maximum(np.sort(scores)[::-1], 1e-6), color=BLUE, linewidth=2)
    ranked.axhline(traced.min_score, color=ORANGE, linewidth=1)
    ranked.annotate(
        f"kept from {traced.min_score:g}",
        (0.98, traced.min_score),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        color=ORANGE,
        fontsize=9,
    )
    ranked.set(xscale="log", yscale="log", xlabel="place by rank", ylabel="best score of its classes")
    plain_numbers(ranked.xaxis, ranked.yaxis)
    shape = "×".join(map(str, traced.raw.shape))
    finding(ranked, f"{found} of {len(scores)} places have a score", f"raw output {shape}")
    for (stride, picture), panel in zip(maps.items(), axes[1:] if maps else (), strict=False):
        panel.imshow(traced.model_input[..., ::-1], alpha=0.35)
        panel.imshow(
            picture,
            extent=(0, traced.fit.padded_wh[0], traced.fit.padded_wh[1], 0),
            cmap="viridis",
            alpha=0.7,
            vmin=0,
            vmax=1,
        )
        panel.axis("off")
        panel.set_title(f"grid of {stride} px: best {picture.max():.2f}", fontsize=10)
    return figure


def nms(traced: FrameTrace, work: Isolated) -> Figure:
    """Return all candidates, and the boxes that NMS keeps."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    order = {number: position + 1 for position, number in enumerate(dict.fromkeys(traced.kept.classes.tolist()))}
    for found, axes in ((traced.candidates, left), (_in_model(traced), right)):
        axes.imshow(traced.model_input[..., ::-1])
        axes.axis("off")
        for box, number in zip(work.boxes_of(found), found.classes.tolist(), strict=True):
            _outline(axes, box, track_colour(order.get(number)))
            if axes is right:
                _annotate(axes, box, track_colour(order.get(number)), strong=box.score >= work.options.conf)
    finding(left, f"{len(traced.candidates)} candidates", f"score {traced.min_score:g} or more, before NMS")
    above = int((traced.kept.scores >= work.options.conf).sum())
    finding(
        right,
        f"{len(traced.kept)} boxes after NMS",
        f"{above} of them from the threshold {work.options.conf:g} up; the weaker ones go into the boxes file only",
    )
    return figure


def tracks(work: Isolated, clip: Clip) -> Figure:
    """Return the path of each track with a box that counts, and its score over time."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=[1.25, 1])
    paths: dict[int, dict[float, Box]] = {}
    names: dict[int, dict[str, dict[int, float]]] = {}
    classes = work.options.classes
    for sample in work.samples:
        for box in sample.boxes:  # best first
            if box.track is not None and (not classes or box.label in classes):
                paths.setdefault(box.track, {}).setdefault(sample.time_s, box)
                if box.score >= work.options.conf:
                    names.setdefault(box.track, {}).setdefault(box.label, {}).setdefault(sample.frame, box.score)
    paths = {track: seen for track, seen in paths.items() if track in names}
    middle = work.samples[len(work.samples) // 2].time_s if work.samples else 0.0
    facts = clip.frames.facts
    left.imshow(_display(clip.frame_at(middle).picture, []), extent=(0, facts.width, facts.height, 0), alpha=0.55)
    for track, seen in paths.items():
        colour = track_colour(track)
        feet = np.array([[(box.xyxy[0] + box.xyxy[2]) / 2, box.xyxy[3]] for box in seen.values()])
        left.plot(feet[:, 0], feet[:, 1], color=colour, linewidth=2, marker="o", markersize=3)
        left.plot(*feet[0], color=colour, marker="s", markersize=8)
        right.plot(
            list(seen),
            [box.score for box in seen.values()],
            color=colour,
            linewidth=2,
            marker="o",
            markersize=3,
            label=f"{best_label(names[track])} #{track}",
        )
    left.axis("off")
    right.axhline(work.options.conf, color=GREY, linewidth=1, linestyle=":")
    right.set(xlabel="seconds from the first frame", ylabel="score", ylim=(0, 1.05), xlim=(0, facts.duration_s))
    finding(
        left,
        f"{len(paths)} track{'s' * (len(paths) != 1)}",
        "where the lower edge of each box stood; a square: where the object came in",
    )
    finding(right, "Score over time", f"dotted: the threshold {work.options.conf:g}, from which boxes count")
    if paths:
        right.legend(loc="lower right", fontsize=9)
    return figure


def _maps(scores: Array, padded_wh: tuple[int, int]) -> dict[int, Array]:
    """Return the scores as one map per grid, by its stride; none where the head does not consist of known grids."""
    for strides in GRIDS:
        shapes = [(padded_wh[1] // stride, padded_wh[0] // stride) for stride in strides]
        sizes = [rows * columns for rows, columns in shapes]
        if sum(sizes) == len(scores):
            parts = np.split(scores, np.cumsum(sizes)[:-1])
            return {stride: part.reshape(shape) for stride, part, shape in zip(strides, parts, shapes, strict=True)}
    return {}


def _in_model(traced: FrameTrace) -> Detections:
    fit = traced.fit
    gain = np.array([fit.scaled_wh[0] / fit.source_wh[0], fit.scaled_wh[1] / fit.source_wh[1]] * 2, np.float32)
    offset = np.array([fit.left, fit.top] * 2, np.float32)
    return replace(traced.kept, xyxy=(traced.kept.xyxy * gain + offset).astype(np.float32))


def _outline(axes: Axes, box: Box, colour: str) -> None:
    x1, y1, x2, y2 = box.xyxy
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.2))


def _annotate(axes: Axes, box: Box, colour: str, *, strong: bool) -> None:
    # boxes of one object overlap: the strong one has its label above, the weak ones below
    corner, shift = (box.xyxy[:2], (2, 4)) if strong else ((box.xyxy[0], box.xyxy[3]), (2, -10))
    axes.annotate(
        f"{box.label} {box.score:.2f}",
        corner,
        shift,
        textcoords="offset points",
        fontsize=8,
        color="black" if strong else GREY,
        bbox={"facecolor": "white", "edgecolor": colour, "pad": 1.5},
    )


def _display(picture: Picture, boxes: Sequence[Box]) -> Picture:
    height, width = picture.shape[:2]
    return with_boxes(picture, boxes, size=fitted_size(width, height, SIDE_PX))[..., ::-1]
