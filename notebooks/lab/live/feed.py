"""What a live view holds and sends: the newest picture, its boxes, the last events, and who watches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from notebooks.lab.live.absence import BoxesAbsence
from notebooks.lab.live.event_rows import event_row, picture_name
from notebooks.lab.live.follow import Follower
from notebooks.lab.live.frames import Capture, LiveFrame
from notebooks.lab.live.news import News
from notebooks.lab.live.overlay import WITHIN_S, BoxTrail, FrameBoxes, is_own
from notebooks.lab.live.pages import Pages
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import Event
from shared_utils.contracts.sidecars import EVENTS_FOLDER

EVENTS_KEPT = 30
MAX_THUMBNAIL_BYTES = 4 << 20
FRAMES_KEPT = 5
"""Pictures that are kept for the one that is saved: an analysed one of the last second is among them."""
FIRST_PAGE_S = 10.0
"""How long a feed without a page goes on: the page that displays it needs a moment to load."""

Send = Callable[[Mapping[str, Any], bytes | None], None]
"""Sends a message to all pages, with binary data or without; any thread may call it."""


class LiveFeed:
    """Follows a camera while it is wanted and a page watches, and sends pages what they display.

    All methods return at once, and any thread may call them.

    Args:
        camera: name of the camera.
        capture: where pictures come from.
        redis: where boxes and events come from.
        video_dir: the shared volume, where events have their pictures.
        send: takes messages for the pages.
        fps: pictures per second.
        width: of the pictures, pixels.
        clock: seconds of any origin.

    Attributes:
        running: whether it is wanted: False after `stop`.
        frame: the newest picture; None before the first.
    """

    def __init__(
        self,
        camera: str,
        capture: Capture,
        redis: RedisSettings,
        video_dir: Path,
        send: Send,
        *,
        fps: float,
        width: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.running = False
        self.frame: LiveFrame | None = None
        self._frames: deque[LiveFrame] = deque(maxlen=FRAMES_KEPT)
        self._camera, self._capture, self._redis, self._video_dir = camera, capture, redis, video_dir
        self._send, self._fps, self._width, self._clock = send, fps, width, clock
        # reentrant: a signal may come in the midst of any of this
        self._lock = threading.RLock()
        self._pages = Pages(clock)
        self._alone_until = 0.0
        self._trail = BoxTrail()
        self._absence = BoxesAbsence(clock)
        self._notes: dict[str, str] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._unsent: LiveFrame | None = None
        self._sent: tuple[int, LiveFrame, FrameBoxes | None] | None = None
        self._news: News | None = None
        self._follower: Follower | None = None
        self._former: list[Follower] = []

    def start(self) -> None:
        """Follow the camera, also after `stop`. With no page for 10 s, it rests until one watches."""
        with self._lock:
            self.running = True
            self._alone_until = self._clock() + FIRST_PAGE_S
            self._follow()
            self._send_state()

    def stop(self) -> None:
        """End the connections to capture and Redis; pages keep what they display."""
        with self._lock:
            self.running = False
            self._rest()
            self._send_state()

    def join(self, timeout_s: float) -> bool:
        """Wait until what was stopped has ended; return whether it has."""
        former, self._former = self._former, []
        return all(follower.join(timeout_s) for follower in former)

    @property
    def asks(self) -> bool:
        """Whether capture is asked for pictures now."""
        return self._follower is not None

    @property
    def notes(self) -> list[str]:
        """What a person should know, such as that capture is away; one line each."""
        return [text for text in list(self._notes.values()) if text]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The events as pages display them, newest first."""
        now = datetime.now().astimezone()
        with self._lock:
            # of the same millisecond, the one that came last is the newest
            numbered = sorted(enumerate(self._events), key=lambda one: (one[1].at, one[0]), reverse=True)
            return [event_row(event, now) for _, event in numbered]

    def picture_to_keep(self) -> tuple[LiveFrame, FrameBoxes | None] | None:
        """Return the newest picture that was analysed itself, with its boxes; else the newest one, None if there is
        none.
        """
        with self._lock:
            for frame in reversed(self._frames):
                found = self._trail.nearest(frame.at)
                if found is not None and is_own(found, frame.at):
                    return frame, found
            return (self.frame, self._trail.nearest(self.frame.at)) if self.frame else None

    def _follow(self) -> None:
        if self._follower is None and self.running:
            self._news = News(self._redis, self._camera, self._news.last_id if self._news else "")
            self._follower = Follower(self._camera, self._fps, self._width, self._capture, self._news, self)
            self._follower.start()

    def _rest(self) -> None:
        if self._follower is not None:
            self._follower.stop()
            self._former = [one for one in self._former if not one.ended] + [self._follower]
            self._follower = None
        self._unsent = None
        self._notes.clear()
        self._absence = BoxesAbsence(self._clock)

    # -- from the follower's threads

    def picture(self, frame: LiveFrame) -> None:
        """Take a new picture; it replaces one that no page has had time for."""
        with self._lock:
            self.frame = self._unsent = frame
            self._frames.append(frame)
            self._absence.picture(frame.motion)
            self._send_picture()

    def boxes(self, frames: Sequence[FrameBoxes]) -> None:
        """Take boxes: a picture is often on display before it is analysed."""
        with self._lock:
            shown = self._sent[1] if self._sent else self.frame
            in_time = shown is None or any(shown.at - one.at <= WITHIN_S for one in frames)
            self._absence.boxes(late=not in_time)
            self._trail.add(frames)
            self._send_boxes()

    def events(self, events: Sequence[Event]) -> None:
        """Take events, oldest first. One may come twice."""
        with self._lock:
            known = {event.id for event in self._events}
            self._events.extend(event for event in events if event.id not in known)
            self._send_events()

    def note(self, subject: str, text: str) -> None:
        """Take what a person should know about a part of the system; empty if it is well."""
        with self._lock:
            if self._notes.get(subject, "") != text:
                self._notes[subject] = text
                self._send_state()

    def tick(self) -> None:
        """Rest if nobody watches any more. Called several times per second."""
        with self._lock:
            self.note("boxes", "" if self._notes.get("redis") else self._absence.note())
            self._pages.forget_silent()
            if not self._pages and self._clock() > self._alone_until:
                self._rest()

    # -- from pages

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a page."""
        what, page = message.get("what"), str(message.get("page", ""))[:40]
        with self._lock:
            if what == "start":
                self.start()
            elif what == "stop":
                self.stop()
            elif what == "thumbnail":
                self._send_thumbnail(str(message.get("id", "")))
            elif what == "left":
                self._pages.left(page)
                if not self._pages:
                    self._rest()
            elif what in ("hello", "alive", "drawn"):
                number = message.get("n")
                self._pages.heard(page, drawn=number if isinstance(number, int) else None)
                self._follow()
                if what != "drawn":
                    self._send_state()  # an answer in any case: pages notice by it that the kernel is gone
                if what == "hello":
                    self._send_events()
                    self._unsent = self._unsent or self.frame
                self._send_picture()

    # -- to pages

    def _send_state(self) -> None:
        self._send({"what": "state", "running": self.running, "notes": self.notes}, None)

    def _send_events(self) -> None:
        self._send({"what": "events", "events": self.rows}, None)

    def _send_picture(self) -> None:
        frame = self._unsent
        if frame is None or not self._pages.ready():
            return
        self._unsent = None
        found = self._trail.nearest(frame.at)
        number = self._pages.sent()
        self._sent = number, frame, found
        clock = f"{datetime.fromtimestamp(frame.at).astimezone():%H:%M:%S}"
        about = {"what": "picture", "n": number, "clock": clock, "motion": frame.motion}
        self._send(about | _boxes_for_page(found, frame), frame.jpeg)

    def _send_boxes(self) -> None:
        if self._sent is None:
            return
        number, frame, before = self._sent
        found = self._trail.nearest(frame.at)
        if found != before:
            self._sent = number, frame, found
            self._send({"what": "boxes", "n": number} | _boxes_for_page(found, frame), None)

    def _send_thumbnail(self, event_id: str) -> None:
        event = next((one for one in self._events if one.id == event_id), None)
        name = picture_name(event) if event else None
        if name is None:
            return
        path = self._video_dir / EVENTS_FOLDER / name
        try:
            jpeg = path.read_bytes() if path.stat().st_size <= MAX_THUMBNAIL_BYTES else None
        except OSError:  # deleted, or not there yet: the event is displayed without it
            jpeg = None
        if jpeg:
            self._send({"what": "thumbnail", "id": event_id}, jpeg)


def _boxes_for_page(found: FrameBoxes | None, frame: LiveFrame) -> dict[str, Any]:
    if found is None:
        return {"boxes": [], "own": True}
    return {"boxes": found.boxes, "own": is_own(found, frame.at)}
