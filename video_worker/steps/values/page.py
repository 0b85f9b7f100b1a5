"""Tells which page a display shows: the task ``page``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_utils.config.zones.model import PageTask
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.values.page_pictures import WHOLE, PagePictures
from video_worker.steps.values.value_step import Failure, ValueStep
from video_worker.steps.values.zone_crop import ZoneCrop, upright_corners
from video_worker.steps.zones.tasks import ZoneTask, tasks_of
from video_worker.values.pages import Match, PageMatcher, PageState, small_display, small_size
from video_worker.values.reports import Value

SCORE_DIGITS = 4


class PageWatch(ValueStep[PageTask]):
    """Watches one display: compares all of its zone with the same part of the pages' reference pictures.

    Args:
        context: of the run.
        task: the task, and its zone.
        pictures: of the pages.
    """

    event_type = "page"
    is_slow = False

    def __init__(self, context: StepContext, task: ZoneTask[PageTask], pictures: PagePictures) -> None:
        super().__init__(context, task, task.task.every_s)
        pages = context.zones.pages if context.zones is not None else ()
        self._corners = upright_corners(self.zone.points or ()) or WHOLE
        self._pages = [page for page in pages if not task.task.pages or page.name in task.task.pages]
        self._pictures = pictures
        self._frame_size: tuple[int, int] | None = None
        self._size = (0, 0)
        self._matcher: PageMatcher | None = None
        self._state = PageState({page.name: page.min_score for page in self._pages}, patient=False)

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Return a step per task of the kind for this source."""
        tasks = tasks_of(context, PageTask)
        if context.zones is None or not tasks:
            return []
        pictures = PagePictures(context, context.zones)
        return [cls(context, task, pictures) for task in tasks]

    def take(self, sample: Sample) -> None:
        """Look at the display where it is time for it."""
        frame_size = sample.picture.shape[1], sample.picture.shape[0]
        if frame_size != self._frame_size:
            self._frame_size = frame_size
            self._size = small_size(self._corners, frame_size)
            self._matcher = self._pictures.matcher(self._pages, self._corners, frame_size)
        super().take(sample)

    def look(self, crop: ZoneCrop) -> Match | Failure | None:
        """Return which page the display is most like."""
        if self._matcher is None:
            return Failure("error", "none of its pages has a reference picture that is of use")
        return self._matcher.match(small_display(crop.picture, WHOLE, self._size))

    def judge(self, time_s: float, found: Any) -> Value:
        """Return the page that is displayed."""
        del time_s
        page = self._state.update(found)
        if self._state.is_undecided:
            self.look_again()
        score = found.score if page is None else found.scores[page]
        return Value(page, more={"score": round(score, SCORE_DIGITS)})

    def memory(self) -> Mapping[str, Any]:
        """Return which page is displayed."""
        return {"page": self._state.page}

    def recall(self, memory: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`memory`."""
        del later_s
        self._state.resume(memory["page"])

    def recall_event(self, time_s: float, value: Value) -> None:
        """Take note of a page that was reported after the other one was saved."""
        del time_s
        self._state.resume(value.value)
