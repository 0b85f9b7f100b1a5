"""A live feed between a server, a real Redis and pages: what is sent, what is said, and that nothing goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devtools.redis_server import RedisServer
from notebooks.lab.live.absence import NOTE
from notebooks.lab.live.feed import EVENTS_KEPT, FIRST_PAGE_S, LiveFeed
from notebooks.lab.live.frames import Capture
from notebooks.lab.live.pages import SILENT_S
from shared_utils.contracts.events import Event
from shared_utils.queue.event_stream import EventPublisher
from shared_utils.queue.live_boxes import BoxesPublisher, LiveBox, LiveBoxes
from tests.notebooks.live.capture_server import CaptureServer, capture_server
from tests.notebooks.live.test_frames import PATIENCE_S, wait_until
from tests.notebooks.live.test_pages import Clock

CAR = LiveBox("car", 2, 0.9, (0.1, 0.2, 0.3, 0.4))
DRAWN = ("car", 0.9, 0.1, 0.2, 0.3, 0.4, 2)


def wait_for_pictures(server: CaptureServer, more: int) -> None:
    before = server.sent
    wait_until(lambda: server.sent > before + more)


class Page:
    """A page that displays the feed: it takes what is sent, and reports as the real one does."""

    def __init__(self) -> None:
        self.messages: list[tuple[Mapping[str, Any], bytes | None]] = []
        self.feed: LiveFeed | None = None

    def take(self, message: Mapping[str, Any], data: bytes | None) -> None:
        self.messages.append((message, data))

    def tell(self, what: str, **more: object) -> None:
        assert self.feed
        self.feed.receive({"what": what, "page": "one", **more})

    def all(self, what: str) -> list[Mapping[str, Any]]:
        return [message for message, _ in self.messages if message["what"] == what]

    @property
    def notes(self) -> list[str]:
        return self.all("state")[-1]["notes"]

    def wait_for_note(self, text: str) -> None:
        wait_until(lambda: any(text in note for note in self.notes))


@pytest.fixture
def server() -> Iterator[CaptureServer]:
    with capture_server("door") as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def make_feed(
    server: CaptureServer, redis_server: RedisServer, tmp_path: Path, page: Page, clock: Clock
) -> Iterator[Callable[..., LiveFeed]]:
    made: list[LiveFeed] = []

    def make(camera: str = "door", **changes: Any) -> LiveFeed:
        capture = Capture(server.url, silence_s=changes.pop("silence_s", PATIENCE_S))
        feed = LiveFeed(camera, capture, redis_server.settings, tmp_path, page.take, fps=5, width=640, clock=clock)
        made.append(feed)
        page.feed = feed
        feed.start()
        return feed

    yield make
    for feed in made:
        feed.stop()
        assert feed.join(PATIENCE_S)


@pytest.fixture
def publish_event(redis_server: RedisServer) -> Iterator[Callable[..., Event]]:
    publisher = EventPublisher(redis_server.settings)
    publisher.start()

    def publish(kind: str = "object", camera: str = "door", *, event: Event | None = None, **values: Any) -> Event:
        event = event or Event(kind, datetime.now().astimezone(), camera, **{"value": "seen", **values})
        publisher.publish(event)
        return event

    yield publish
    publisher.stop()


@pytest.fixture
def publish_boxes(redis_server: RedisServer) -> Iterator[Callable[[float], None]]:
    publisher = BoxesPublisher(redis_server.settings)
    publisher.start()
    yield lambda at: publisher.publish("door", LiveBoxes(at, (CAR,)))
    publisher.close()


def test_pictures_go_to_the_page_as_they_came_and_no_more_than_it_draws(
    make_feed: Callable[..., LiveFeed], server: CaptureServer, page: Page, clock: Clock
) -> None:
    feed = make_feed()
    wait_until(lambda: server.sent > 5)
    assert page.all("picture") == []  # nobody watches yet
    page.tell("hello")
    wait_until(lambda: len(page.all("picture")) > 5)
    jpegs = {server.make(number) for number in range(1, server.sent + 1)}
    assert {data for message, data in page.messages if message["what"] == "picture"} <= jpegs
    assert [one["n"] for one in page.all("picture")] == list(range(1, len(page.all("picture")) + 1))
    clock.now += 2.6  # and none of them was drawn
    page.tell("alive")
    sent = len(page.all("picture"))
    wait_for_pictures(server, 10)
    assert len(page.all("picture")) <= sent + 1
    newest = feed.frame
    page.tell("drawn", n=sent + 1)
    wait_until(lambda: len(page.all("picture")) > sent + 1)
    assert newest


def test_boxes_are_sent_with_their_picture_or_after_it(
    make_feed: Callable[..., LiveFeed],
    server: CaptureServer,
    page: Page,
    publish_boxes: Callable[[float], None],
) -> None:
    server.fps = 4
    make_feed()
    page.tell("hello")
    wait_until(lambda: page.all("picture"))
    assert page.all("picture")[0]["boxes"] == []
    # the live worker takes its time: boxes of the picture on display come after it
    seen = server.sent
    publish_boxes(round(server.times[seen - 1], 3))
    wait_until(lambda: page.all("boxes"))
    corrected = page.all("boxes")[-1]
    assert corrected["boxes"] == (DRAWN,)
    # pictures that follow within half a second have them as those of another frame
    wait_until(lambda: any(one["boxes"] for one in page.all("picture")))
    later = next(one for one in page.all("picture") if one["boxes"])
    assert later["own"] is False
    wait_until(lambda: not page.all("picture")[-1]["boxes"])


def test_events_of_the_camera_are_shown_newest_first_with_their_pictures(
    make_feed: Callable[..., LiveFeed], page: Page, publish_event: Callable[..., Event], tmp_path: Path
) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "here.jpg").write_bytes(b"a picture")
    (tmp_path / "secret.jpg").write_bytes(b"not for pages")
    before = publish_event("motion", value="started")
    ended = Event("motion", before.at - timedelta(seconds=3), "door", value="ended")  # it is known seconds later
    publish_event(camera="yard")
    feed = make_feed()
    wait_until(lambda: feed.rows)
    with_picture = publish_event(picture="events/here.jpg")
    outside = publish_event(picture="events/../secret.jpg")
    gone = publish_event(picture="events/gone.jpg")
    publish_event(event=ended)
    wait_until(lambda: len(feed.rows) == 5)
    assert [row["id"] for row in feed.rows] == [gone.id, outside.id, with_picture.id, before.id, ended.id]
    page.tell("hello")
    assert page.all("events")[-1]["events"] == feed.rows
    for event in (outside, gone, before, with_picture):
        page.tell("thumbnail", id=event.id)
    page.tell("thumbnail", id="unknown")
    found = [(message["id"], data) for message, data in page.messages if message["what"] == "thumbnail"]
    assert found == [(with_picture.id, b"a picture")]


def test_only_the_newest_events_are_kept(
    make_feed: Callable[..., LiveFeed], publish_event: Callable[..., Event]
) -> None:
    feed = make_feed()
    events = [publish_event() for _ in range(3 * EVENTS_KEPT)]
    wait_until(lambda: feed.rows and feed.rows[0]["id"] == events[-1].id)
    assert len(feed.rows) == EVENTS_KEPT


def test_without_a_page_capture_is_left_alone(
    make_feed: Callable[..., LiveFeed],
    server: CaptureServer,
    page: Page,
    clock: Clock,
    publish_event: Callable[..., Event],
) -> None:
    feed = make_feed()
    wait_until(lambda: server.open == 1)
    clock.now += FIRST_PAGE_S + 0.1  # no page came up
    wait_until(lambda: not feed.asks and server.open == 0)
    missed = publish_event()
    page.tell("hello")
    wait_until(lambda: server.open == 1 and page.all("picture"))
    wait_until(lambda: [row["id"] for row in feed.rows] == [missed.id])
    page.tell("left")
    wait_until(lambda: server.open == 0)
    page.tell("alive")
    wait_until(lambda: server.open == 1)
    clock.now += SILENT_S + 0.1  # its tab was closed
    wait_until(lambda: server.open == 0)
    assert feed.running
    asked = len(server.requested)
    page.tell("thumbnail", id="x")
    assert len(server.requested) == asked


def test_stop_ends_it_and_start_goes_on(make_feed: Callable[..., LiveFeed], server: CaptureServer, page: Page) -> None:
    feed = make_feed()
    page.tell("hello")
    wait_until(lambda: page.all("picture"))
    page.tell("stop")
    assert page.all("state")[-1] == {"what": "state", "running": False, "notes": []}
    wait_until(lambda: server.open == 0)
    asked = len(server.requested)
    for what in ("alive", "drawn", "hello"):
        page.tell(what, n=1)
    assert not feed.asks
    assert page.all("state")[-1]["running"] is False
    page.tell("start")
    wait_until(lambda: server.open == 1)
    assert len(server.requested) == asked + 1
    assert page.all("state")[-1]["running"] is True


def test_capture_goes_away_and_comes_back(
    make_feed: Callable[..., LiveFeed], server: CaptureServer, page: Page
) -> None:
    make_feed()
    page.tell("hello")
    wait_until(lambda: page.all("picture"))
    server.stop()
    page.wait_for_note(f"Capture is away: {server.url} cannot be reached")
    page.tell("drawn", n=10**6)
    shown = len(page.all("picture"))
    server.start()
    wait_until(lambda: len(page.all("picture")) > shown)
    wait_until(lambda: page.notes == [])


def test_an_unknown_camera_is_one_line(make_feed: Callable[..., LiveFeed], server: CaptureServer, page: Page) -> None:
    make_feed("dor")
    page.wait_for_note("there is no camera 'dor'; there is door.")
    assert server.requested == []


def test_a_silent_camera_says_why(make_feed: Callable[..., LiveFeed], server: CaptureServer, page: Page) -> None:
    server.silent.set()
    server.trouble = "10.0.0.1 refuses the connection"
    make_feed(silence_s=0.2)
    page.wait_for_note("No picture of door: 10.0.0.1 refuses the connection.")
    page.tell("hello")
    server.silent.clear()
    wait_until(lambda: page.all("picture"))
    wait_until(lambda: page.notes == [])


def test_without_redis_the_picture_goes_on(
    make_feed: Callable[..., LiveFeed],
    server: CaptureServer,
    page: Page,
    redis_server: RedisServer,
    publish_event: Callable[..., Event],
) -> None:
    redis_server.stop()
    feed = make_feed()
    page.tell("hello")
    page.wait_for_note("No boxes and events: Redis at")
    shown = len(page.all("picture"))
    page.tell("drawn", n=10**6)
    wait_until(lambda: len(page.all("picture")) > shown)
    redis_server.start()
    wait_until(lambda: page.notes == [])
    event = publish_event()
    wait_until(lambda: event.id in [row["id"] for row in feed.rows])


def test_missing_boxes_are_noted(
    make_feed: Callable[..., LiveFeed],
    server: CaptureServer,
    page: Page,
    clock: Clock,
    publish_boxes: Callable[[float], None],
) -> None:
    make_feed()
    page.tell("hello")
    wait_until(lambda: page.all("picture"))
    for _ in range(10):
        clock.now += 2
        page.tell("alive")
        wait_for_pictures(server, 1)
    page.wait_for_note(NOTE)
    publish_boxes(time.time())
    wait_until(lambda: page.notes == [])
