"""What steps of zones report about a whole frame to later ones, in ``Sample.values``."""

from __future__ import annotations

from typing import cast

from video_worker.steps.base import Sample
from video_worker.values.placement import AS_DRAWN, Placement

PLACEMENT = "placement"
"""A :class:`video_worker.values.placement.Placement`."""
PAGES = "pages"
"""Names of the pages that are displayed, a frozenset."""


def placement_of(sample: Sample) -> Placement:
    """Return where the zones are in a frame."""
    return cast("Placement", sample.values.get(PLACEMENT, AS_DRAWN))


def pages_of(sample: Sample) -> frozenset[str]:
    """Return which pages are displayed in a frame."""
    return cast("frozenset[str]", sample.values.get(PAGES, frozenset()))
