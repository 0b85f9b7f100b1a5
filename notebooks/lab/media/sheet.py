"""The contact sheet: the best frame of each object of a clip, whole and cut out."""

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

MARGIN = 0.25
"""Room around an object that is cut out, of its longer side."""
MIN_SIDE = 48
"""Pixels of a cut-out at least: a far object alone would be a blur without its place."""
MOST = 12
"""Objects on a sheet; those seen longest are taken."""
COLUMNS = 2
PICTURE_SIDE = 800
"""Pixels that a whole frame is shrunk to: a sheet of 4K frames would be a hundred megabytes."""
PANEL = 3.7
"""Inches that a whole frame is wide."""
ENLARGE = 2.0
"""Texts in whole frames, which are shown at half that size."""


def cut_out(picture: Picture, box: Box) -> Picture:
    """Return the square part of `picture` around `box`, with a margin, moved and cut to lie within the picture."""
    return crop_square(picture, box.xyxy, MARGIN, MIN_SIDE)


def contact_sheet(clip: Clip, min_conf: float | None = None) -> Figure:
    """Return a picture of each object's best frame: the whole of it, and the object cut out.

    Args:
        min_conf: threshold of the scores; None for the run's own.
    """
    every = clip.best_views(min_conf)
    views = sorted(sorted(every, key=lambda view: -view.hits)[:MOST], key=lambda view: view.first_s)
    if not views:
        return _nothing(clip, min_conf)
    columns = min(COLUMNS, len(views))
    rows = -(-len(views) // columns)
    facts = clip.frames.facts
    tall = min(1.6, max(0.5, facts.height / facts.width))
    # side by side: the whole frame, and a square as high as it
    figure = plt.figure(figsize=(PANEL * (1 + tall) * columns, (PANEL * tall + 0.6) * rows + 0.5), layout="constrained")
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
    size = fitted_size(clip.frames.facts.width, clip.frames.facts.height, PICTURE_SIDE)
    return with_boxes(frame.picture, boxes, size=size, enlarge=ENLARGE)[..., ::-1]


def counted(views: Sequence[View]) -> str:
    """Return how many objects of which label there are, such as ``1 person, 2 car``."""
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
