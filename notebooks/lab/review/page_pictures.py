"""Prepares the pictures of a review's pages in a thread, so that the next one is ready when it is wanted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from notebooks.lab.review.questions import Page
from shared_utils.errors import ClipMissing, VcamError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.picture import encode_jpeg, fitted_size, resized

SIDE = 1600
"""Longest side of a picture, pixels: what is sharp on a wide screen, also of a clip in 4K."""
JPEG_QUALITY = 85
KEPT = 48
"""Pictures that are kept, of some 200 kB each."""
OPEN_CLIPS = 4


@dataclass(frozen=True)
class PagePicture:
    """A page's picture.

    Attributes:
        jpeg: the picture; empty where there is none.
        size: width and height of the clip, which boxes are measured in.
        error: why there is none, in a line.
    """

    jpeg: bytes
    size: tuple[int, int] = (16, 9)
    error: str = ""


class PicturePrefetcher:
    """Makes the pictures that are wanted, the most wanted first.

    Args:
        video_dir: the shared volume.
        ready: takes each picture, in the thread that made it.
    """

    def __init__(self, video_dir: Path, ready: Callable[[Page, PagePicture], None]) -> None:
        self._video_dir = video_dir
        self._ready = ready
        self._wanted: list[Page] = []
        self._change = threading.Condition()
        self._closed = False
        self._made: OrderedDict[str, PagePicture] = OrderedDict()
        self._grabbers: OrderedDict[str, FrameGrabber] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="page pictures", daemon=True)
        self._thread.start()

    def want(self, pages: Sequence[Page]) -> None:
        """Make these pictures next, the first one first; what was wanted before is not any more."""
        with self._change:
            self._wanted = list(pages)
            self._change.notify()

    def size_of(self, page: Page) -> tuple[int, int] | None:
        """Return width and height of a page's clip; None when its picture was not made (lately)."""
        made = self._made.get(page.key)
        return made.size if made and not made.error else None

    def close(self) -> None:
        """End the thread and close the clips."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._wanted and not self._closed:
                    self._change.wait()
                if self._closed:
                    break
                page = self._wanted.pop(0)
            made = self._made.get(page.key)
            if made is None:
                made = self._made[page.key] = self._make(page)
            self._made.move_to_end(page.key)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
            self._ready(page, made)
        for grabber in self._grabbers.values():
            grabber.close()

    def _make(self, page: Page) -> PagePicture:
        try:
            return render(self._grabber(page.filename), page.frame)
        except ClipMissing:
            return PagePicture(b"", error=f"{page.filename} is not there any more: skip it; its labels stay")
        except (VcamError, OSError) as error:
            return PagePicture(b"", error=f"{error}: skip it")

    def _grabber(self, filename: str) -> FrameGrabber:
        if filename not in self._grabbers:
            self._grabbers[filename] = FrameGrabber(self._video_dir / filename)
            while len(self._grabbers) > OPEN_CLIPS:
                self._grabbers.popitem(last=False)[1].close()
        self._grabbers.move_to_end(filename)
        return self._grabbers[filename]


def render(grabber: FrameGrabber, frame: int) -> PagePicture:
    """Return a frame as it is shown.

    Raises:
        ClipError: it cannot be decoded.
    """
    picture = grabber.frame(frame).picture
    height, width = picture.shape[:2]
    return PagePicture(encode_jpeg(resized(picture, fitted_size(width, height, SIDE)), JPEG_QUALITY), (width, height))
