"""The contact sheet of a clip: the best frame of each track, whole and cropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from notebooks.lab.media.clip import Box, Clip, View
from notebooks.lab.media.draw import with_boxes
from notebooks.lab.plots.style import GREY, finding
from shared_utils.media.crop import crop_square
from shared_utils.media.frames import Frame
from shared_utils.media.palette import track_colour
from shared_utils.media.picture import Picture, fitted_size

MARGIN_SHARE = 0.25
"""Margin around a cropped box, as a share of its longer side."""
MIN_SIDE_PX = 48
"""Least side of a crop: a far object would be a blur without its surroundings."""
MAX_VIEWS = 12
"""Tracks on a sheet: those with the most hits."""
COLUMNS = 2
PICTURE_MAX_SIDE_PX = 800
"""Of a whole frame: a sheet of 4K frames would take a hundred megabytes."""
PANEL_INCHES = 3.7
"""Width of a whole frame on the sheet."""
ENLARGE = 2.0
"""Factor for texts in whole frames, which are displayed at half their size."""


def cut_out(picture: Picture, box: Box) -> Picture:
    """Return a square part of `picture` around `box`, with a margin, moved to lie within the picture."""
    return crop_square(picture, box.xyxy, MARGIN_SHARE, MIN_SIDE_PX)


def contact_sheet(clip: Clip, min_conf: float | None = None) -> Figure:
    """Return a figure with the best frame of each track: the whole frame, and the track's box cropped.

    Args:
        clip: the clip.
        min_conf: score threshold; None for the run's own.
    """
    every = clip.best_views(min_conf)
    views = sorted(sorted(every, key=lambda view: -view.hits)[:MAX_VIEWS], key=lambda view: view.first_s)
    if not views:
        return _nothing(clip, min_conf)
    columns = min(COLUMNS, len(views))
    rows = -(-len(views) // columns)
    facts = clip.frames.facts
    tall = min(1.6, max(0.5, facts.height / facts.width))
    # side by side: the whole frame, and a square of the same height
    figure = plt.figure(
        figsize=(PANEL_INCHES * (1 + tall) * columns, (PANEL_INCHES * tall + 0.6) * rows + 0.5), layout="constrained"
    )
    grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, tall] * columns)
    for axes in grid.flat:
        axes.axis("off")
    for number, view in enumerate(views):
        row, column = divmod(number, columns)
        _draw_view(clip, view, grid[row][2 * column], grid[row][2 * column + 1])
    figure.suptitle(_headline(clip, every, len(views)) + "\n", x=0.005, ha="left", fontsize=14, fontweight="bold")
    return figure


def _draw_view(clip: Clip, view: View, whole: Axes, part: Axes) -> None:
    frame = clip.frame_at(view.time_s)
    whole.imshow(_small(clip, frame, [view.box]))
    part.imshow(cut_out(frame.picture, view.box)[..., ::-1], interpolation="lanczos")
    part.axis("on")
    part.set(xticks=[], yticks=[])
    for spine in part.spines.values():
        spine.set(visible=True, color=track_colour(view.box.track), linewidth=2.5)
    clock = clip.clock(view.time_s)
    when = f"{view.time_s:.1f} s" + (f" ({clock})" if clock else "")
    seen = f"in {view.hits} sampled frames, {view.first_s:.1f} to {view.last_s:.1f} s"
    finding(
        whole,
        f"{view.box.label}, best {view.box.score:.2f} at {when}",
        f"object {view.box.track}: {seen}{_also(view)}",
    )
    whole.title.set_fontsize(11)


def _also(view: View) -> str:
    return "; also " + ", ".join(f"{label} ×{hits}" for label, hits in view.also.items()) if view.also else ""


def _small(clip: Clip, frame: Frame, boxes: Sequence[Box]) -> Picture:
    size = fitted_size(clip.frames.facts.width, clip.frames.facts.height, PICTURE_MAX_SIDE_PX)
    return with_boxes(frame.picture, boxes, size=size, enlarge=ENLARGE)[..., ::-1]


def counted(views: Sequence[View]) -> str:
    """Return the number of tracks by label, such as ``person ×1, car ×2``."""
    return ", ".join(f"{label} ×{number}" for label, number in Counter(view.box.label for view in views).items())


def _headline(clip: Clip, views: Sequence[View], shown: int) -> str:
    more = "" if shown == len(views) else f"; the {shown} seen longest are shown"
    return f"{clip.path.name}: {counted(views)}{more}"


def _nothing(clip: Clip, min_conf: float | None) -> Figure:
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    axes.imshow(_small(clip, clip.frame_at(0.0), []))
    axes.axis("off")
    if clip.run is None:
        title, detail = "Not analysed yet: here is its first frame", "SendProcessFile sends it to the workers"
    else:
        conf = clip.conf if min_conf is None else min_conf
        title = f"No object in {clip.min_hits} sampled frames or more"
        detail = f"{clip.run.title}; shown from a score of {conf:g}"
    finding(axes, title, detail)
    axes.title.set_color(GREY)
    return figure
