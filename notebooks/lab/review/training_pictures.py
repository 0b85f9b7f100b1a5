"""Plots of LabelReview: the contents of a data set, and the progress of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from notebooks.lab.data.words import how_many
from notebooks.lab.plots.style import BLUE, GREEN, ORANGE, finding
from notebooks.lab.review.dataset import SIDES, Exported

MAP50 = "metrics/mAP50(B)"
MAP = "metrics/mAP50-95(B)"
MOST_CLASSES = 20


def show_export(done: Exported) -> None:
    """Draw the boxes of each class on both sides, and say what was left out."""
    for line in done.notes:
        print(line)  # noqa: T201  # a notebook's output
    total = done.boxes["train"] + done.boxes["val"]
    labels = [label for label, _ in total.most_common(MOST_CLASSES)][::-1]
    _, axes = plt.subplots(figsize=(9, 1.6 + 0.3 * max(1, len(labels))))
    left = [0] * len(labels)
    for side, colour in zip(SIDES, (BLUE, ORANGE), strict=True):
        counts = [done.boxes[side][label] for label in labels]
        axes.barh(labels, counts, left=left, color=colour, label=f"{side}, {how_many(len(done.clips[side]), 'clip')}")
        left = [before + count for before, count in zip(left, counts, strict=True)]
    for place, count in enumerate(left):
        axes.annotate(f"{count}", (count, place), xytext=(4, 0), textcoords="offset points", va="center")
    axes.set_xlabel("boxes")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")
    pictures = " and ".join(f"{how_many(done.frames[side], 'picture')} to {side}" for side in SIDES)
    empty = sum(done.empty.values())
    finding(
        axes,
        f"{sum(left)} boxes of {len(total)} classes",
        f"{pictures}; {empty} of them show nothing. {done.folder.parent.name}/{done.folder.name}/data.yaml",
    )
    plt.show()


def show_history(rows: Sequence[Mapping[str, float]], name: str) -> None:
    """Draw how well the validation pictures were known after each epoch."""
    if not rows:
        return
    epochs = [row["epoch"] for row in rows]
    best = max(rows, key=lambda row: row.get(MAP, 0.0))
    _, axes = plt.subplots()
    for key, title, colour in ((MAP50, "mAP50: found at all", BLUE), (MAP, "mAP50-95: with boxes that fit", GREEN)):
        axes.plot(epochs, [row.get(key, 0.0) for row in rows], "o-", color=colour, label=title)
    axes.set(xlabel="epoch", ylabel="mean average precision", ylim=(0, 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")
    finding(
        axes,
        f"{name}: mAP50 {best.get(MAP50, 0.0):.2f}, best after epoch {best['epoch']:.0f}",
        "on the validation clips, which it was not trained on; at all thresholds",
    )
    plt.show()
