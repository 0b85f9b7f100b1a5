"""``/live/<camera>.mp4`` of a real server over real sockets; the camera is what the test sends through its channel."""

from __future__ import annotations

import http.client
import queue
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from typing import Self

import psutil
import pytest

from shared_utils.redact import Redactor
from tests.support.network.http_site import CAM, NOW, Clock, FakeBoard, Site
from tests.vcam_worker.live.packets import decoded, packets, stream_info
from vcam_worker.live.channel import ChannelWriter, channel_pair
from vcam_worker.live.commands import LiveCommand, Subscribe, Unsubscribe
from vcam_worker.live.hub import Hub
from vcam_worker.live.video.muxer import LiveMuxer
from vcam_worker.live.video.parts import END, FRAMES, INIT, Fragment, Init, pack_frames
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings
from vcam_worker.web.video_routes import MAX_VIEWERS

WAIT_S = 20.0
MEGABYTE = 1 << 20


class LiveSource:
    """The camera's process, as far as live video is concerned."""

    def __init__(self, hub: Hub) -> None:
        ours, self._channel = channel_pair()
        self.commands: queue.Queue[LiveCommand] = queue.Queue()
        self.writer = ChannelWriter(self._channel)
        self.number = 0
        hub.attach("cam1", ours, self._offer)

    def close(self) -> None:
        self._channel.close()

    def _offer(self, command: LiveCommand) -> bool:
        self.commands.put(command)
        return True

    def subscribed(self) -> None:
        """Wait until there is a viewer."""
        command = self.commands.get(timeout=WAIT_S)
        assert isinstance(command, Subscribe)
        self.number = command.number

    def begin(self) -> None:
        self.writer.send(self.number, INIT, Init("video/mp4", b"init").pack())
        self.send(0.01, is_keyframe=True)

    def send(self, megabytes: float, *, is_keyframe: bool = False) -> None:
        frame = Fragment(0, is_keyframe, bytes(round(megabytes * MEGABYTE)))
        assert self.writer.send(self.number, FRAMES, pack_frames([frame])), "the server does not read the channel"


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def site(hub: Hub) -> Iterator[Site]:
    board, clock, now = FakeBoard(CAM), Clock(1000.0), Clock(NOW)
    server = HttpServer(HttpSettings(port=0), board, {}, Redactor([]), clock=clock, now=now, live=hub)
    server.start()
    yield Site(server, board, clock, now)
    server.stop()


@pytest.fixture
def source(hub: Hub, site: Site) -> Iterator[LiveSource]:
    started = LiveSource(hub)
    yield started
    started.close()


class Client:
    """Somebody who asks for live video, and may leave at any moment.

    Args:
        site: the server.
        buffer: bytes that the kernel keeps of what the client does not read.
        headers: of the request.
    """

    def __init__(self, site: Site, buffer: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        self._socket = socket.socket()
        if buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(("127.0.0.1", site.port))
        self._connection = http.client.HTTPConnection("127.0.0.1", site.port)
        self._connection.sock = self._socket
        self._connection.request("GET", "/live/cam1.mp4", headers=dict(headers or {}))

    @cached_property
    def answer(self) -> http.client.HTTPResponse:
        return self._connection.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the server has closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        if "answer" in vars(self):
            self.answer.close()
        self._connection.close()
        self._socket.close()


def test_a_viewer_gets_a_file_and_the_last_one_that_leaves_ends_the_work(site: Site, source: LiveSource) -> None:
    muxer = LiveMuxer(stream_info())
    with Client(site) as client:
        source.subscribed()
        stream = packets()
        for packet in stream:
            for part in muxer.take(packet):
                kind, payload = (INIT, part.pack()) if isinstance(part, Init) else (FRAMES, pack_frames([part]))
                source.writer.send(source.number, kind, payload)
        answer = client.answer
        assert answer.status == 200
        assert re.fullmatch('video/mp4; codecs="avc1.42C00[0-9A-F]"', answer.headers["content-type"])
        assert answer.headers["accept-ranges"] == "none"
        assert answer.headers["x-content-type-options"] == "nosniff"
        source.writer.send(source.number, END, b"over")
        assert len(decoded(answer.read())) == len(stream) - 1
    assert source.commands.get(timeout=WAIT_S) == Unsubscribe(source.number)


def test_a_range_is_answered_from_now_on(site: Site, source: LiveSource) -> None:
    with Client(site, headers={"Range": "bytes=1000-"}) as client:
        source.subscribed()
        source.begin()
        assert (client.answer.status, client.answer.headers["content-range"]) == (200, None)


@pytest.mark.parametrize(
    ("codec", "kind"),
    [("h264", "video/mp4"), ("mjpeg", "multipart/x-mixed-replace; boundary=frame"), (None, "video/mp4")],
)
def test_head_asks_no_camera(site: Site, source: LiveSource, codec: str | None, kind: str) -> None:
    site.board.cameras = [replace(CAM, codec=codec)]
    answer = site.ask("/live/cam1.mp4", "HEAD")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, kind, b"")
    assert "content-length" not in answer.headers
    assert source.commands.empty()


def test_what_has_no_live_video_says_why_in_one_line(site: Site) -> None:
    unknown = site.ask("/live/no.mp4")
    assert (unknown.status, unknown.text) == (404, "there is no such camera; there is /live/cam1.mp4")
    site.board.cameras = [replace(CAM, state="offline", reason="nobody answers")]
    offline = site.ask("/live/cam1.mp4")
    assert (offline.status, offline.text, offline.headers["retry-after"]) == (503, "offline: nobody answers", "5")
    site.board.cameras = [replace(CAM, codec="vp8")]
    other = site.ask("/live/cam1.mp4")
    assert (other.status, "vp8" in other.text, "/frames/cam1" in other.text) == (501, True, True)
    assert site.ask("/live/cam1.mp4", "POST").status == 405


def test_video_that_capture_cannot_decode_is_copied_all_the_same(site: Site, source: LiveSource) -> None:
    site.board.cameras = [replace(CAM, state="undecodable", reason="no picture comes out")]
    with Client(site) as client:
        source.subscribed()
        source.begin()
        assert client.answer.status == 200


def test_where_no_keyframe_comes_the_viewer_is_told_to_come_again(site: Site, source: LiveSource) -> None:
    answer = site.ask("/live/cam1.mp4")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.text == "no keyframe has come yet: try again in a few seconds"


def test_a_stalled_viewer_is_cut_off_while_another_goes_on(site: Site, source: LiveSource) -> None:
    process = psutil.Process()
    with Client(site) as reading, Client(site, buffer=4096) as stalled:
        source.subscribed()
        source.begin()
        answers = [one.answer for one in (reading, stalled)]
        assert [answer.status for answer in answers] == [200, 200]
        received = 0
        before = process.memory_info().rss
        for number in range(400):
            source.send(0.5, is_keyframe=number % 8 == 0)
            while received < number * MEGABYTE // 2:
                received += len(answers[0].read1(MEGABYTE))
        assert process.memory_info().rss - before < 100 * MEGABYTE
        rest = 0
        while data := answers[1].read1(MEGABYTE):
            rest += len(data)
        assert rest < 40 * MEGABYTE  # what the kernel had taken; then it is over
        source.send(0.5)
        while received < 400 * MEGABYTE // 2:
            received += len(answers[0].read1(MEGABYTE))


def test_two_hundred_viewers_are_served_or_refused(site: Site, source: LiveSource) -> None:
    process = psutil.Process()
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(site)) for _ in range(200)]
        source.subscribed()
        source.begin()
        answers = [one.answer for one in clients]
        refused = [answer for answer in answers if answer.status != 200]
        assert len(refused) == 200 - MAX_VIEWERS
        assert {(answer.status, answer.read()) for answer in refused} == {
            (503, b"there are 100 viewers already: close one of them, or use /snapshot")
        }
        before = process.memory_info().rss
        reading, received = next(answer for answer in answers if answer.status == 200), 0
        for number in range(200):
            source.send(0.25, is_keyframe=number % 8 == 0)
            while received < number * MEGABYTE // 4:
                received += len(reading.read1(MEGABYTE))
        assert site.ask("/healthz").status == 200
        assert process.memory_info().rss - before < 300 * MEGABYTE
    with Client(site) as again:  # those who have left make room
        assert again.answer.status == 200


def test_stopping_is_quick_whoever_watches(site: Site, source: LiveSource) -> None:
    with Client(site) as client:
        source.subscribed()
        source.begin()
        ended = threading.Thread(target=client.answer.read)
        ended.start()
        began = time.monotonic()
        site.server.stop()
        assert time.monotonic() - began < 1
        ended.join(WAIT_S)
        assert not ended.is_alive()
    assert not any(thread.name == "http" for thread in threading.enumerate())
