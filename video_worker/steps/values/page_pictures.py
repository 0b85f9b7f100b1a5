"""Makes the reference pictures of a camera's pages comparable with a display in its frames."""

from __future__ import annotations

from collections.abc import Sequence

from shared_utils.config.zones.model import LightTask, Page, PluginTask, ReadTask, Zones
from shared_utils.media.picture import Picture
from shared_utils.media.warp import Corners
from video_worker.steps.context import StepContext
from video_worker.steps.values.align import aligner_of
from video_worker.steps.values.reference_pictures import Reference
from video_worker.values.aligner import MAX_ASPECT_ERROR, Aligner
from video_worker.values.pages import PageMatcher, Small, hidden_part, is_flat, small_display, small_size
from video_worker.values.placement import Placement

WHOLE: Corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
CHANGING = (ReadTask, LightTask, PluginTask)
"""Tasks of zones whose content says nothing about the page."""


class PagePictures:
    """The reference pictures of pages, read once per run.

    A picture shows the camera's whole frame, or, with other proportions, the upright page alone. Where the camera was
    nudged between the picture of its zones and that of a page, the page is looked for where it then was.

    Args:
        context: of the run.
        zones: the camera's.
    """

    def __init__(self, context: StepContext, zones: Zones) -> None:
        self._context = context
        self._zones = zones
        self._aligner: Aligner | None = None
        if zones.reference is not None:
            self._aligner = aligner_of(Reference(context, zones.reference), zones)
        self._pictures: dict[str, tuple[Picture, Placement] | None] = {}

    def matcher(self, pages: Sequence[Page], corners: Corners, frame_size: tuple[int, int]) -> PageMatcher | None:
        """Return what compares a display with pages; None where none of their pictures is of use.

        Args:
            pages: that it may show.
            corners: of the display, 0..1 of the frame, as it was drawn.
            frame_size: width and height of the camera's frames, pixels.

        Raises:
            ValueError: the corners form no rectangle seen from somewhere.
        """
        size = small_size(corners, frame_size)
        found: dict[str, Small] = {}
        for page in pages:
            loaded = self._loaded(page)
            if loaded is None:
                continue
            picture, placement = loaded
            placed = placement.place(corners) if _is_whole(picture, frame_size) else WHOLE
            display = small_display(picture, placed or corners, size)
            if is_flat(display):
                Reference(self._context, page.reference, page.name).complain("nothing is on the display")
            else:
                found[page.name] = display
        if not found:
            return None
        inside = [
            zone.points
            for zone in self._zones.zones
            if zone.points is not None and any(isinstance(task, CHANGING) for task in zone.tasks)
        ]
        matcher = PageMatcher(found, hidden_part(inside, corners, size))
        for one, other in matcher.alike:
            reference = next(page.reference for page in pages if page.name == one)
            Reference(self._context, reference, one).complain(
                f"it looks like that of page {other!r}", "nobody can tell one from the other"
            )
        return matcher

    def _loaded(self, page: Page) -> tuple[Picture, Placement] | None:
        """Return the picture of a page, and where the zones are in it."""
        if page.name not in self._pictures:
            picture = Reference(self._context, page.reference, page.name).read()
            self._pictures[page.name] = None if picture is None else (picture, self._placement(picture))
        return self._pictures[page.name]

    def _placement(self, picture: Picture) -> Placement:
        if self._aligner is None or not self._aligner.fits(picture):
            return Placement()
        return Placement(self._aligner.locate(picture))


def _is_whole(picture: Picture, frame_size: tuple[int, int]) -> bool:
    proportions = picture.shape[1] / picture.shape[0]
    return bool(abs(proportions / (frame_size[0] / frame_size[1]) - 1) <= MAX_ASPECT_ERROR)
