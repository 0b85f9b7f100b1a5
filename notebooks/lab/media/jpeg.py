"""Display figures that contain photographs as JPEG: PNG, a notebook's default, would be ten times as large."""

from __future__ import annotations

from io import BytesIO

import matplotlib.pyplot as plt
from IPython.display import Image
from matplotlib.figure import Figure

QUALITY = 85
"""Of the JPEG, 1..100."""
DPI = 90
"""Pixels per inch."""


def as_jpeg(figure: Figure) -> Image:
    """Return `figure` as a JPEG for a cell's output, and close it, so that it is not displayed twice."""
    target = BytesIO()
    figure.savefig(target, format="jpeg", dpi=DPI, pil_kwargs={"quality": QUALITY})
    plt.close(figure)
    return Image(target.getvalue(), format="jpeg")  # type: ignore[no-untyped-call]
