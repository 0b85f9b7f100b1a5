"""The picture of the latencies: which share of the passages was reported within how many seconds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter

from devtools.benchmarks.live.outcomes import Outcome
from notebooks.lab.plots import style


def draw(found: Mapping[str, Sequence[Outcome]], limits: Mapping[str, tuple[float, float]], path: Path) -> None:
    """Write the picture.

    Args:
        found: outcomes by the condition's title.
        limits: what the median and the worst may be, seconds, by the condition's title.
        path: of the PNG.
    """
    mpl.use("agg")
    style.use()
    figure, axes = plt.subplots(figsize=(9, 4.2))
    longest = max(worst for _, worst in limits.values())
    medians = {}
    for (title, outcomes), colour in zip(found.items(), style.SERIES, strict=False):
        seconds = sorted(one.seen_s for one in outcomes if one.seen_s is not None)
        if not seconds:
            continue
        medians[title] = statistics.median(seconds)
        shares = [(number + 1) / len(outcomes) for number in range(len(seconds))]
        axes.step([0.0, *seconds], [0.0, *shares], where="post", color=colour, lw=1.8)
        axes.plot(seconds, shares, "o", color=colour, ms=3.5)
        longest = max(longest, seconds[-1])
        axes.annotate(
            f"{title}: {len(seconds)} of {len(outcomes)}, median {medians[title]:.2f} s, worst {seconds[-1]:.2f} s",
            (0.98, 0.06 + 0.07 * list(found).index(title)),
            xycoords="axes fraction",
            ha="right",
            color=colour,
        )
        median, worst = limits[title]
        axes.plot([median, worst], [0.5, 1.0], "x", color=colour, ms=8, mew=2)
    axes.set_xlim(0, longest * 1.05)
    axes.set_ylim(0, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("seconds from the first frame that shows the person, as the camera sent it")
    axes.set_ylabel("passages reported")
    axes.grid()
    first = next(iter(medians), None)
    title = f"Half of the people are reported within {medians[first]:.1f} s" if first else "Nobody was reported"
    style.finding(
        axes, title, "crosses: the most that median and worst may be; one person per passage, drawn at 1080p20"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
