"""Frames of capture over HTTP, and what is said where there are none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from devtools.ports import free_port
from notebooks.lab.live.frames import Capture, CaptureAway, NoFrame, UnknownCamera
from shared_utils.errors import SettingError
from tests.notebooks.live.capture_server import BOUNDARY, CaptureServer, capture_server, picture
from video_worker.live.frame_parts import MAX_PART_BYTES
from video_worker.live.frame_reader import FrameRequest

PATIENCE_S = 20.0


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def server() -> Iterator[CaptureServer]:
    with capture_server("door", "yard") as running:
        yield running


def test_frames_come_as_they_were_sent(server: CaptureServer) -> None:
    with_trailing_slash = Capture(f"{server.url}/")
    stream = with_trailing_slash.frames("door", fps=2.5, width=640)
    frames = list(islice(stream, 3))
    stream.close()
    assert [frame.jpeg for frame in frames] == [picture(number) for number in (1, 2, 3)]
    assert [frame.at for frame in frames] == [round(at, 3) for at in server.times[:3]]
    assert [frame.motion for frame in frames] == [0.02] * 3


def test_the_request_is_the_live_workers_and_not_wider_than_the_camera(server: CaptureServer) -> None:
    for width in (640, 5000):
        Capture(server.url).frames("door", fps=5, width=width).close()
    ask = [FrameRequest("door", 5, width, when_motion=False).url("") for width in (640, server.width)]
    assert server.requested == ask


def test_close_ends_the_request_and_wakes_who_waits(server: CaptureServer) -> None:
    server.silent.set()
    stream = Capture(server.url).frames("door", fps=2, width=640)
    wait_until(lambda: server.open == 1)
    received: list[object] = []
    waiting = threading.Thread(target=lambda: received.extend(stream))
    waiting.start()
    stream.close()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    server.silent.clear()  # it notices when it sends
    wait_until(lambda: server.open == 0)
    assert received == []
    stream.close()


def test_one_that_is_not_read_is_closed_too(server: CaptureServer) -> None:
    stream = Capture(server.url).frames("door", fps=2, width=640)
    wait_until(lambda: server.open == 1)
    stream.close()
    wait_until(lambda: server.open == 0)


def test_an_unknown_camera_is_answered_with_those_that_there_are(server: CaptureServer) -> None:
    with pytest.raises(UnknownCamera, match=r"^there is no camera 'dör/x'; there is door, yard$"):
        Capture(server.url).frames("dör/x", fps=2, width=640)
    server.names = ()
    with pytest.raises(UnknownCamera, match=r"there is none yet$"):
        Capture(server.url).frames("door", fps=2, width=640)
    assert server.requested == []


def test_a_refusal_is_told_in_captures_own_words(server: CaptureServer) -> None:
    server.refusal = "too many viewers: 100 have live frames already; try again later"
    with pytest.raises(NoFrame, match="answers 503: too many viewers: 100 have"):
        Capture(server.url).frames("door", fps=2, width=640)


def test_a_silent_camera_is_noticed(server: CaptureServer) -> None:
    server.silent.set()
    stream = Capture(server.url, silence_s=0.2).frames("door", fps=2, width=640)
    with pytest.raises(NoFrame, match=r"none for 0\.2 s"):
        next(iter(stream))
    server.silent.clear()
    wait_until(lambda: server.open == 0)
    assert Capture(server.url).trouble("door") is None
    server.trouble = "10.0.0.1 refuses the connection"
    assert Capture(server.url).trouble("door") == "10.0.0.1 refuses the connection"
    assert Capture(server.url).trouble("unknown") is None


def test_capture_that_is_away_is_named(server: CaptureServer) -> None:
    capture = Capture(server.url)
    stream = capture.frames("door", fps=2, width=640)
    frames = iter(stream)
    next(frames)
    server.stop()
    with pytest.raises(CaptureAway, match=server.url):
        list(frames)
    for ask in (lambda: capture.trouble("door"), lambda: capture.frames("door", fps=2, width=64)):
        with pytest.raises(CaptureAway, match=f"{server.url}.*refused"):
            ask()
    with pytest.raises(CaptureAway, match=r"nowhere\.invalid"):
        Capture(f"http://nowhere.invalid:{free_port()}").trouble("door")


PART = f"--{BOUNDARY}\r\nContent-Length: "
BODIES = {
    "nothing": b"",
    "no boundary": b"x" * 100_000,
    "an endless line": f"--{BOUNDARY}\r\nX-Long: ".encode() + b"x" * 100_000,
    "a part without a length": f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\nxxx".encode(),
    "a length that is none": f"{PART}many\r\n\r\nxxx".encode(),
    "a negative length": f"{PART}-5\r\n\r\nxxx".encode(),
    "a length beyond all bounds": f"{PART}{MAX_PART_BYTES + 1}\r\nX-Timestamp: 1\r\n\r\nxxx".encode(),
    "a part that ends early": f"{PART}1000\r\nX-Timestamp: 1\r\n\r\nxxx".encode(),
    "no time": f"{PART}3\r\n\r\nxxx\r\n".encode(),
    "a time that is none": f"{PART}3\r\nX-Timestamp: soon\r\n\r\nxxx\r\n".encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_rubbish_ends_the_connection(server: CaptureServer, body: bytes) -> None:
    server.body = body
    with pytest.raises(CaptureAway, match=r"127\.0\.0\.1|capture sends|capture announces"):
        list(Capture(server.url).frames("door", fps=2, width=640))


@pytest.mark.parametrize("url", ["", "capture:8080", "ftp://capture", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="CAPTURE_URL"):
        Capture(url)
