"""LabelReview's widget: detections judged by the keyboard, by anywidget.

The page sends what a person did; the kernel writes the labels file and answers with where the review stands. So that
going on feels instant, the page knows the next questions and has their pictures before they are put.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from notebooks.lab.data.results import latest, load_log
from notebooks.lab.media.clip import Box
from notebooks.lab.media.draw import with_boxes
from notebooks.lab.review.page_pictures import JPEG_QUALITY, PagePicture, PicturePrefetcher
from notebooks.lab.review.questions import FRAMES_PER_TRACK, Order, Page, Question
from notebooks.lab.review.review_session import MIN_CONF, NotABox, Session
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.labels import Xyxy
from shared_utils.errors import SettingError, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import encode_jpeg, fitted_size

HERE = Path(__file__).resolve().parent
PREFETCH = 8
"""Questions that the page knows beforehand, with the pictures of their pages."""
CLIENTS = 16
"""Browser pages that are distinguished."""
POSTER_SIDE = 960


class Review(anywidget.AnyWidget):
    """Shows one question after the other, and saves each answer at once.

    Args:
        session: the questions.
        video_dir: the shared volume.
        labels: further labels to choose from, such as classes that no model has seen yet.

    Attributes:
        state: all that the page has to know, but for the pictures.
        session: the questions, and what was answered.
    """

    # one module for the page, of two files for people
    _esm = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("review_canvas.js", "review.js"))
    _css = HERE / "review.css"
    state: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, session: Session, video_dir: Path, labels: Sequence[str] = ()) -> None:
        super().__init__()
        self.session = session
        known = session.labels()
        # their order stays, as they are chosen by number
        self._labels = [*known, *(label for label in labels if label not in known)]
        self._answered_of: dict[str, int] = {}
        self._note, self._failed = " ".join(session.notes), False
        self._video_dir = video_dir
        self._pictures = PicturePrefetcher(video_dir, self._send_picture)
        self.on_msg(self._on_message)
        self._pictures.want([question.page for question in self._window()][:1])
        self._publish_state()

    def close(self) -> None:
        """Take the widget from the page, and close the clips."""
        self._pictures.close()
        super().close()

    # -- from the page

    def _on_message(self, _: object, message: dict[str, Any], __: object) -> None:
        what = message.get("what")
        if what == "pictures":
            pages = {page.key: page for question in self._window() for page in [question.page]}
            self._pictures.want([pages[key] for key in message["pages"] if key in pages])
            return
        client, number = str(message.get("client", ""))[:40], int(message.get("n", 0))
        self._note, self._failed = "", False
        try:
            self._steps()[str(what)](message)
        except (VcamError, OSError) as error:
            self._note, self._failed = str(error), True
            if isinstance(error, OSError):
                self._note = f"Not saved: {error.filename or 'the labels folder'}: {error.strerror}"
        except KeyError:
            self._note, self._failed = "That is no question of this review (any more): load the page again", True
        self._answered_of.pop(client, None)
        self._answered_of[client] = number
        while len(self._answered_of) > CLIENTS:
            self._answered_of.pop(next(iter(self._answered_of)))
        self._publish_state()

    def _steps(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        return {
            "judge": self._judge,
            "fix": lambda message: self.session.fix(
                message["key"], _corners(message), message["label"], self._size(message)
            ),
            "draw": lambda message: self.session.draw(
                message["key"], _corners(message), message["label"], self._size(message)
            ),
            "drop": lambda message: self.session.drop(message["key"], int(message["number"])),
            "undo": lambda _: self._undo(),
            "skip": lambda message: self.session.skip(message["key"]),
            "go": self._go,
        }

    def _judge(self, message: dict[str, Any]) -> None:
        count = self.session.judge(message["key"], message["state"], message.get("scope", "box"))
        if count > 1:
            self._note = f"{message['state']}: {count} boxes at once. U takes it back."

    def _undo(self) -> None:
        if not self.session.undo():
            self._note = "Nothing to take back: earlier sittings are saved, and can be gone back to with ←."

    def _go(self, message: dict[str, Any]) -> None:
        session = self.session
        if "key" in message:
            session.go(session.number_of(message["key"]))
        elif "by" in message:
            session.go((len(session.questions) if session.at is None else session.at) + int(message["by"]))
        elif "clip" in message:
            session.go_to_next_clip()
        else:
            session.go(int(message["to"]))

    def _size(self, message: dict[str, Any]) -> tuple[int, int]:
        size = self._pictures.size_of(self.session.question(message["key"]).page)
        if size is None:
            raise NotABox("Wait for the picture before you draw on it")
        return size

    # -- to the page

    def _window(self) -> list[Question]:
        current = self.session.current
        return [] if current is None else [current, *self.session.upcoming(PREFETCH)]

    def _publish_state(self) -> None:
        session = self.session
        asked = self._window()
        pages = {question.page.key: question.page for question in asked}
        keys = {question.key for question in session.questions if question.page.key in pages}
        progress = session.progress()
        self._labels += [label for label in session.labels() if label not in self._labels]
        self.state = {
            "heard": dict(self._answered_of),
            "asked": [question.key for question in asked],
            "questions": {key: self._about_question(session.question(key)) for key in keys},
            "pages": {key: self._about_page(page) for key, page in pages.items()},
            "total": len(session.questions),
            "progress": {"boxes": progress.boxes, "frames": progress.frames, "clips": progress.clips},
            "labels": list(self._labels),
            "note": self._note,
            "failed": self._failed,
            "undo": session.can_undo,
        }

    def _about_question(self, question: Question) -> dict[str, Any]:
        about: dict[str, Any] = {"number": self.session.number_of(question.key), "page": question.page.key}
        candidate = question.candidate
        if candidate is not None:
            label = self.session.label_of(question)
            about |= {"label": candidate.label, "score": candidate.score, "xyxy": candidate.xyxy}
            about |= {"track": candidate.track, "state": label.state if label else ""}
            if label:
                about |= {"said": label.label, "placed": label.xyxy}
        return about

    def _about_page(self, page: Page) -> dict[str, Any]:
        drawn = [{"label": one.label, "xyxy": one.xyxy} for one in self.session.drawn_on(page)]
        name = parse_clip_name(page.filename)
        clock = f"{name.started_at + timedelta(seconds=page.t):%d %b %H:%M:%S}" if name else f"{page.t:.1f} s"
        whole = page.frame in self.session.files[page.filename].frames
        return {"filename": page.filename, "frame": page.frame, "clock": clock, "drawn": drawn, "reviewed": whole}

    def _send_picture(self, page: Page, picture: PagePicture) -> None:
        about = {"what": "picture", "page": page.key, "size": picture.size, "error": picture.error}
        self.send(about, [picture.jpeg] if picture.jpeg else None)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        pages = [question.page for question in self._window()]
        if bundle is None or not pages:
            return bundle
        # what is shown where no kernel runs and no widget lives, such as on a code host's page
        data, metadata = bundle
        try:
            page = max(pages, key=lambda page: len(page.boxes))
            return {**data, "image/jpeg": poster(self._video_dir, page)}, metadata
        except VcamError:
            return bundle


def poster(video_dir: Path, page: Page) -> bytes:
    """Return a page with its boxes, as a JPEG.

    Raises:
        ClipMissing, ClipError: its clip is gone, or cannot be read.
    """
    boxes = [Box(one.label, one.score, one.xyxy, one.track) for one in page.boxes]
    with FrameGrabber(video_dir / page.filename) as grabber:
        picture = grabber.frame(page.frame).picture
    size = fitted_size(picture.shape[1], picture.shape[0], POSTER_SIDE)
    return encode_jpeg(with_boxes(picture, boxes, page.filename, size=size), JPEG_QUALITY)


def open_review(
    video_dir: Path,
    rows: pd.DataFrame | None = None,
    order: Order = "uncertain",
    *,
    min_conf: float = MIN_CONF,
    per_track: int | None = FRAMES_PER_TRACK,
    labels: Sequence[str] = (),
) -> Review:
    """Begin a review, or go on with it: what was saved is not asked again.

    Args:
        video_dir: the shared volume.
        rows: the runs to review, rows of :func:`notebooks.lab.data.results.load_log`; the last good one of each clip
        if None.
        order: ``uncertain`` (what the model was least sure of first), ``clip`` or ``class``.
        min_conf: score from which boxes are asked about.
        per_track: frames of a track that are asked about at most; None for every one.
        labels: further labels to choose from.

    Raises:
        SettingError: a clip is there with two runs.
    """
    rows = latest(load_log(video_dir)) if rows is None else rows
    rows = rows[rows["ok"]]
    twice = rows["filename"][rows["filename"].duplicated()]
    if len(twice):
        raise SettingError(f"rows hold {twice.iloc[0]} more than once: choose one run of each clip, with latest(rows)")
    return Review(Session.of_runs(video_dir, rows, order, min_conf=min_conf, per_track=per_track), video_dir, labels)


def _corners(message: dict[str, Any]) -> Xyxy:
    x1, y1, x2, y2 = (float(corner) for corner in message["xyxy"])
    return x1, y1, x2, y2
