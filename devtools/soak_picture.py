"""The soak's picture: every quantity over time, one line per service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from notebooks.lab.plots import style

PANELS = (
    ("anon", "Memory of each container (MiB, anonymous)"),
    ("pss", "Memory of its processes (MiB, PSS)"),
    ("files", "Open files"),
    ("threads", "Threads"),
)
KEYS = (("keys", "all"), ("persistent_keys", "without an expiry"), ("waiting", "jobs that wait"))
LABEL_GAP = 0.055
"""Least distance between two names at the lines' ends, as a share of the panel's height."""


def draw(samples: Sequence[dict[str, Any]], warm_up: float, path: Path) -> None:
    """Write the picture of a soak's samples to `path`; the first share `warm_up` of the time is shaded."""
    style.use()
    minutes = [sample["t"] / 60 for sample in samples]
    services = sorted(name for name, values in samples[0].items() if isinstance(values, dict) and "anon" in values)
    colours = style.colours(services)
    figure, grid = plt.subplots(3, 2, figsize=(12, 11), sharex=True)
    panels: list[Axes] = list(grid.flat)
    for axes, (name, title) in zip(panels, PANELS, strict=False):
        lines = {service: [sample[service][name] for sample in samples] for service in services}
        _panel(axes, title, minutes, lines, colours)
    queue = {label: [sample["queue"][name] for sample in samples] for name, label in KEYS}
    _panel(panels[4], "Redis keys: a finished job is kept for a week", minutes, queue, style.colours(queue))
    used = {"used": [sample["queue"]["used"] for sample in samples]}
    _panel(panels[5], "Redis memory (MiB)", minutes, used, style.colours(used))
    for axes in panels:
        axes.axvspan(0, warm_up * minutes[-1], color=style.LIGHT, alpha=0.5, lw=0)
        axes.set_xlim(0, minutes[-1])
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
    for axes in panels[-2:]:
        axes.set_xlabel("minutes; shaded: warm-up")
    figure.savefig(path)
    plt.close(figure)


def _panel(
    axes: Axes, title: str, minutes: Sequence[float], lines: dict[str, list[float]], colours: dict[str, str]
) -> None:
    style.finding(axes, title)
    top = max(max(values) for values in lines.values()) * 1.1 or 1.0
    axes.set_ylim(0, top)
    at = -top
    for name, values in sorted(lines.items(), key=lambda item: item[1][-1]):
        axes.plot(minutes, values, color=colours[name], lw=1.6)
        at = max(values[-1], at + LABEL_GAP * top)
        axes.annotate(
            f"{name} {values[-1]:.4g}",
            (1, at / top),
            xytext=(5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colours[name],
            va="center",
            fontsize=9,
            annotation_clip=False,
        )
