"""The style of all plots: one palette, titles that state the finding, no clutter."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import cycle

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter

from shared_utils.media import palette

BLUE, ORANGE, GREEN, RED, SKY, YELLOW, PINK, BLACK = (
    palette.BLUE,
    palette.ORANGE,
    palette.GREEN,
    palette.RED,
    palette.SKY,
    palette.YELLOW,
    palette.PINK,
    palette.BLACK,
)
SERIES = palette.SERIES
"""Colours of lines and bars, in the order they are given out."""
GREY, LIGHT = palette.GREY, "#E3E3E3"
"""Of what is there but not the point: axes' texts, bars beside the one that is meant. `LIGHT`: no data."""


DETAIL_PER_INCH, TITLE_PER_INCH = 11.0, 9.0
"""Letters of either text that an inch of the picture has room for, beside its margins."""
DETAIL_POINTS = 12
"""Height of a line of the smaller print."""


def use() -> None:
    """Set matplotlib's defaults for the pictures that follow."""
    mpl.rcParams.update(
        {
            "figure.figsize": (9, 3.6),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.labelcolor": GREY,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 12,
            "axes.titlepad": 12,
            "axes.prop_cycle": cycler(color=SERIES),
            "axes.axisbelow": True,
            "grid.color": LIGHT,
            "xtick.color": GREY,
            "ytick.color": GREY,
            "legend.frameon": False,
            # dollar signs in names of files are dollar signs
            "text.parse_math": False,
        }
    )


def finding(axes: Axes, title: str, detail: str = "") -> None:
    """Title a picture with what it shows, and in smaller print what it was made of; both keep to its width."""
    width = float(axes.figure.get_figure(root=True).get_figwidth())
    lines = textwrap.wrap(detail, int(width * DETAIL_PER_INCH))
    axes.set_title("\n".join(textwrap.wrap(title, int(width * TITLE_PER_INCH))), pad=12 + DETAIL_POINTS * len(lines))
    if lines:
        note = axes.annotate(
            "\n".join(lines),
            (0, 1),
            xytext=(0, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            color=GREY,
            fontsize=9,
            annotation_clip=False,
        )
        # laid out with the rest, a long text would take the width from the axes
        note.set_in_layout(False)


def plain_numbers(*axes: Axis) -> None:
    """Label the powers of ten of logarithmic axes with plain numbers: matplotlib writes them as formulas, which names
    with dollar signs rule out here (`text.parse_math`)."""
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def colours(labels: Iterable[str]) -> dict[str, str]:
    """Return a colour for each of `labels`, the same for the same set of labels in every picture."""
    return dict(zip(sorted(set(labels)), cycle(SERIES), strict=False))
