"""What ``/frames/<camera>`` refuses, in one line each, and whom it answers to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from shared_utils.config.web_hosts import own_names
from tests.support.network.http_site import CAM, NOW, Clock, FakeBoard, Site
from tests.vcam_worker.live.frame_reader import FrameReader
from vcam_worker.live.channel import ChannelWriter, channel_pair
from vcam_worker.live.commands import LiveCommand, Subscribe
from vcam_worker.live.frames.feed import FrameFeed
from vcam_worker.live.frames.message import FRAME, Frame, pack_frame
from vcam_worker.live.hub import Hub
from vcam_worker.web.live_routes import LiveRoutes
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings

JPEG = b"\xff\xd8" + bytes(200_000) + b"\xff\xd9"


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("fps=0", "fps takes a number from 0.1 to 30"),
        ("fps=0.09", "fps takes a number from 0.1 to 30"),
        ("fps=31", "fps takes a number from 0.1 to 30"),
        ("fps=-1", "fps takes a number from 0.1 to 30"),
        ("fps=nan", "fps takes a number from 0.1 to 30"),
        ("fps=1e1", "fps takes a number from 0.1 to 30"),
        ("fps=", "fps takes a number from 0.1 to 30"),
        ("fps=" + "9" * 400, "fps takes a number from 0.1 to 30"),
        ("width=63", "width takes a whole number from 64 to 3840"),
        ("width=100000", "width takes a whole number from 64 to 3840"),
        ("width=wide", "width takes a whole number from 64 to 3840"),
        ("quality=9", "quality takes a whole number from 10 to 95"),
        ("quality=100", "quality takes a whole number from 10 to 95"),
        ("when=always", "when takes motion, or is left out"),
        ("when=", "when takes motion, or is left out"),
    ],
)
def test_wrong_parameters(site: Site, query: str, line: str) -> None:
    answer = site.ask(f"/frames/cam1?{query}")
    assert (answer.status, answer.text) == (400, line)


def test_a_camera_that_there_is_not(site: Site) -> None:
    site.board.cameras.append(replace(CAM, name="door"))
    answer = site.ask("/frames/<b>")
    assert answer.status == 404
    assert answer.text == "there is no such camera; there is /frames/cam1, /frames/door"


def test_what_only_asks_for_the_header_costs_nothing(site: Site) -> None:
    answer = site.ask("/frames/cam1", "HEAD")
    assert answer.status == 200
    assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
    assert site.ask("/frames/cam1", "POST").status == 405


def test_pages_of_other_sites_start_no_decoder(site: Site) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert site.ask("/frames/cam1", headers=foreign).status == 403
    assert site.ask("/frames/cam1", headers={"Host": "evil.example"}).status == 421


class Source:
    """A camera's process, as far as frames are concerned: answers each subscription with frames."""

    def __init__(self, hub: Hub) -> None:
        self.numbers: set[int] = set()
        self.subscribed = threading.Event()
        ours, theirs = channel_pair()
        self.writer = ChannelWriter(theirs)
        hub.attach("cam1", ours, self._offer)

    def _offer(self, command: LiveCommand) -> bool:
        if isinstance(command, Subscribe):
            self.numbers.add(command.number)
            self.writer.send(command.number, FRAME, pack_frame(Frame(NOW, 0.0, False, JPEG)))
            self.subscribed.set()
        else:
            self.numbers.discard(command.number)
        return True


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def live_site(hub: Hub) -> Iterator[Site]:
    board, clock, now = FakeBoard(CAM), Clock(1000.0), Clock(NOW)
    settings = HttpSettings(port=0, names=own_names({}))
    server = HttpServer(settings, board, {}, clock=clock, now=now, live=hub)
    server.start()
    yield Site(server, board, clock, now)
    server.stop()


def test_programs_of_the_compose_network_ask_by_the_services_name(hub: Hub, live_site: Site) -> None:
    Source(hub)
    assert live_site.ask("/frames/cam1", "HEAD", headers={"Host": "capture:8080"}).status == 200
    reader = FrameReader(live_site.port, "/frames/cam1?fps=1")
    assert reader.wait_for(1)[0].jpeg == JPEG
    reader.close()


def test_each_start_of_the_cameras_process_is_subscribed_to_again(hub: Hub, live_site: Site) -> None:
    first = Source(hub)
    reader = FrameReader(live_site.port, "/frames/cam1?fps=1")
    reader.wait_for(1)
    second = Source(hub)
    assert second.subscribed.wait(20)
    assert second.numbers == first.numbers
    reader.close()


def test_a_camera_that_is_gone_ends_the_response_in_order(hub: Hub, live_site: Site) -> None:
    Source(hub)
    reader = FrameReader(live_site.port, "/frames/cam1?fps=1")
    reader.wait_for(1)
    hub.remove("cam1")
    reader.wait_for_end()
    assert reader.is_complete
    reader.close()


@pytest.mark.parametrize("rounds", range(-4, 5))
def test_a_client_that_leaves_as_its_first_frame_comes_is_gone(rounds: int) -> None:
    async def run() -> None:
        hub = Hub()
        hub.start()
        routes = LiveRoutes(hub, lambda: [CAM], lambda: NOW).routes()
        [route] = [one for one in routes if getattr(one, "path", "") == "/frames/{name}"]
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(_: MutableMapping[str, Any]) -> None:
            """What is sent to a client that has left is dropped without an error, as uvicorn does."""

        scope = {"type": "http", "method": "GET", "headers": [], "query_string": b"", "path_params": {"name": "cam1"}}
        client = asyncio.create_task(route.handle(scope, receive, send))
        while hub.clients() != {"cam1": {"frames": 1}}:
            await asyncio.sleep(0)
        with hub.subscribed("cam1", ("frames", None, None), lambda: FrameFeed(None, None)) as feed:
            for _ in range(3):
                await asyncio.sleep(0)
            frame = pack_frame(Frame(NOW, 0.0, False, JPEG))
            both = [left.set, lambda: feed.message(FRAME, frame)]
            first, second = both if rounds < 0 else reversed(both)
            first()
            for _ in range(abs(rounds)):
                await asyncio.sleep(0)
            second()
            await asyncio.wait_for(client, 20)
            assert hub.clients() == {"cam1": {"frames": 1}}
        hub.stop()

    asyncio.run(run())
