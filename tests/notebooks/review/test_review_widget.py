"""What the review's widget answers to its page, and the pictures it makes ahead."""

from __future__ import annotations

import io
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from notebooks.lab.data.results import load_log
from notebooks.lab.review.page_pictures import PagePicture, PicturePrefetcher
from notebooks.lab.review.questions import Page
from notebooks.lab.review.review import Review, open_review, poster
from shared_utils.contracts.labels import labels_path, read_clip_labels
from shared_utils.errors import ClipMissing, SettingError

SECONDS = 60


@pytest.fixture
def review(sample_volume: Path) -> Iterator[Review]:
    opened = open_review(sample_volume, order="clip", labels=["parcel", "person"])
    yield opened
    opened.close()


def _tell(review: Review, number: int, what: str, **more: Any) -> dict[str, Any]:
    """Send what the page sends; return the state it gets."""
    content = {"what": what, "client": "page", "n": number, "key": review.state["asked"][0], **more}
    review._handle_custom_msg(content, [])
    assert review.state["heard"]["page"] == number
    return dict(review.state)


def test_a_step_is_answered_with_where_the_review_stands(review: Review, sample_volume: Path) -> None:
    first = review.state
    assert first["labels"][-1] == "parcel"
    assert len(set(first["labels"])) == len(first["labels"])
    state = _tell(review, 1, "judge", state="right")
    assert state["asked"][0] == first["asked"][1]
    assert (state["undo"], state["failed"]) == (True, False)
    assert state["labels"] == first["labels"]
    assert _tell(review, 2, "undo")["asked"] == first["asked"]
    assert "Nothing to take back" in _tell(review, 3, "undo")["note"]
    assert read_clip_labels(sample_volume, review.session.questions[0].page.filename).labels == ()


def test_what_cannot_be_done_is_reported(review: Review, sample_volume: Path) -> None:
    state = _tell(review, 1, "judge", key="0:7@gone.mp4", state="right")
    assert state["failed"]
    assert "no question of this review" in state["note"]
    assert _tell(review, 2, "dance")["failed"]
    state = _tell(review, 3, "draw", key=review.session.questions[-1].key, xyxy=[1, 1, 50, 50], label="cat")
    assert state["note"] == "Wait for the picture before you draw on it"


def test_a_labels_file_that_is_damaged_meanwhile_is_left_alone(review: Review, sample_volume: Path) -> None:
    current = review.session.current
    assert current
    path = labels_path(sample_volume, current.page.filename)
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")
    state = _tell(review, 1, "judge", state="right")
    assert state["failed"]
    assert f"labels/{path.name} is damaged" in state["note"]
    assert state["asked"][0] == current.key
    assert path.read_text() == "{"


def test_two_runs_of_one_clip_are_not_mixed(sample_volume: Path) -> None:
    with pytest.raises(SettingError, match="more than once"):
        open_review(sample_volume, load_log(sample_volume))


def test_pictures_come_in_the_order_they_are_wanted_and_errors_as_a_line(review: Review, sample_volume: Path) -> None:
    pages = [question.page for question in review.session.questions if question.candidate][:3]
    gone = Page("20260101-000000-gone.mp4", "run-1", 3, 0.3, 0.5, ())
    beyond = Page(pages[0].filename, "run-1", 99_999, 0.3, 0.5, ())
    made: queue.Queue[tuple[Page, PagePicture]] = queue.Queue()
    prefetcher = PicturePrefetcher(sample_volume, lambda page, picture: made.put((page, picture)))
    try:
        prefetcher.want([gone, *pages])
        [page, picture] = made.get(timeout=SECONDS)
        assert page is gone
        assert picture.error == f"{gone.filename} is not there any more: skip it; its labels stay"
        for wanted in pages:
            page, picture = made.get(timeout=SECONDS)
            assert (page, picture.error, picture.size) == (wanted, "", (640, 360))
            assert Image.open(io.BytesIO(picture.jpeg)).size == (640, 360)
        assert prefetcher.size_of(pages[0]) == (640, 360)
        assert prefetcher.size_of(gone) is None
        prefetcher.want([beyond])
        assert made.get(timeout=SECONDS)[0] is beyond
    finally:
        prefetcher.close()


def test_a_poster_shows_the_page(review: Review, sample_volume: Path) -> None:
    page = review.session.questions[0].page
    assert Image.open(io.BytesIO(poster(sample_volume, page))).size == (640, 360)
    (sample_volume / page.filename).unlink()
    with pytest.raises(ClipMissing):
        poster(sample_volume, page)
