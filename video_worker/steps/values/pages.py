"""Tells which pages are displayed, for the tasks and groups that depend on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_utils.config.zones.model import Page, Zones
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.values.page_pictures import PagePictures
from video_worker.steps.values.zone_crop import upright_corners
from video_worker.steps.zones.frame_values import PAGES, placement_of
from video_worker.steps.zones.tasks import needed_pages
from video_worker.values.pages import PageMatcher, PageState, small_display, small_size


@dataclass
class _Place:
    """Pages that are displayed at one place, of which one at a time is. `matcher`: None before the first frame."""

    corners: Sequence[tuple[float, float]]
    pages: Sequence[Page]
    state: PageState
    size: tuple[int, int] = (0, 0)
    matcher: PageMatcher | None = None


class Pages(Step):
    """Puts the names of the pages that are displayed into ``Sample.values``.

    Of pages with the same corners one at a time is displayed; pages at several places may be at once. While the camera
    is lost, they stay as they were.

    Args:
        context: of the run.
        zones: the camera's.
        needed: names of the pages that matter.
    """

    def __init__(self, context: StepContext, zones: Zones, needed: frozenset[str]) -> None:
        self._pictures = PagePictures(context, zones)
        by_corners: dict[tuple[tuple[float, float], ...], list[Page]] = defaultdict(list)
        for page in zones.pages:
            by_corners[tuple(upright_corners(page.points) or page.points)].append(page)
        self._places = [
            _Place(corners, pages, PageState({page.name: page.min_score for page in pages}, patient=True))
            for corners, pages in by_corners.items()
            if any(page.name in needed for page in pages)
        ]
        self._frame_size: tuple[int, int] | None = None

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies where a task or group depends on a page."""
        needed = needed_pages(context)
        return [cls(context, context.zones, needed)] if context.zones is not None and needed else []

    def take(self, sample: Sample) -> None:
        """Compare the frame's displays with the pages."""
        frame_size = sample.picture.shape[1], sample.picture.shape[0]
        if frame_size != self._frame_size:
            self._prepare(frame_size)
        placement = placement_of(sample)
        for place in self._places:
            placed = placement.place(place.corners)
            if place.matcher is None or placed is None:
                continue
            try:
                display = small_display(sample.picture, placed, place.size)
            except ValueError:
                # the camera was moved so that the display is out of the picture
                continue
            place.state.update(place.matcher.match(display))
        sample.values[PAGES] = frozenset(place.state.page for place in self._places if place.state.page is not None)

    def _prepare(self, frame_size: tuple[int, int]) -> None:
        self._frame_size = frame_size
        for place in self._places:
            place.size = small_size(place.corners, frame_size)
            place.matcher = self._pictures.matcher(place.pages, place.corners, frame_size)
            if place.matcher is None:
                # what was displayed before a restart cannot be told any more
                place.state.resume(None)

    def state(self) -> Mapping[str, Any]:
        """Return which pages are displayed."""
        return {"pages": [place.state.page for place in self._places if place.state.page is not None]}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on with the pages that were displayed."""
        pages = list(state["pages"])
        for place in self._places:
            place.state.resume(next((page.name for page in place.pages if page.name in pages), None))
