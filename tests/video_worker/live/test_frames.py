"""Live frames over HTTP: what capture sends, and what a broken or hostile server sends instead."""

from __future__ import annotations

import json
import math
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

from shared_utils.errors import SourceEnded, SourceError, SourceRefused, SourceStalled
from tests.support.network.frame_server import FrameServer, Still, part_of
from tests.support.network.hosts import Call, host
from video_worker.http_stream import HttpStream
from video_worker.live.frame_parts import LiveFrame, read_frames
from video_worker.live.frame_reader import FrameReader, FrameRequest
from video_worker.live.plans import parse_cameras

HEAD = "200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame"
NOW = 1_771_850_911.0
JPEG = b"\xff\xd8 a picture"


@contextmanager
def frames_of(behave: Callable[[Call], object], quiet_s: float = 5.0) -> Iterator[Iterator[LiveFrame]]:
    def talk(call: Call) -> None:
        call.request()
        behave(call)

    with host(talk) as here, HttpStream(f"http://{here.url}/frames/door") as stream:
        yield read_frames(stream, quiet_s)


def test_parts_are_read_plain_and_chunked() -> None:
    parts = [part_of(JPEG + bytes([number]), NOW + number, number / 10) for number in range(3)]

    def plain(call: Call) -> None:
        call.answer(HEAD, b"\r\n" + b"".join(parts) + b"--frame--\r\n")

    def chunked(call: Call) -> None:
        data = b"".join(parts) + b"--frame--\r\n"
        call.answer(HEAD + "\r\nTransfer-Encoding: chunked")
        for at in range(0, len(data), 7):
            piece = data[at : at + 7]
            call.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        call.send(b"0\r\n\r\n")

    for behave in (plain, chunked):
        with frames_of(behave) as frames:
            assert list(frames) == [LiveFrame(JPEG + bytes([at]), NOW + at, at / 10, at == 0) for at in range(3)]


def _endless(line: bytes) -> Callable[[Call], None]:
    def behave(call: Call) -> None:
        while True:
            call.send(line)

    return behave


def _answer(body: bytes, head: str = HEAD) -> Callable[[Call], None]:
    return lambda call: call.answer(head, body)


def _part(*headers: str) -> Callable[[Call], None]:
    return _answer(("--frame\r\n" + "\r\n".join(headers) + "\r\n\r\n").encode() + b"x" * 64)


BROKEN = {
    "no HTTP": lambda call: call.send(b"\x00\x01\x02 hello\r\n\r\n"),
    "headers without end": _endless(b"X: y\r\n"),
    "a header without end": _endless(b"x" * 4096),
    "a status": _answer(b"there is no such camera", "404 Not Found\r\nContent-Length: 23"),
    "a redirect": _answer(b"", "302 Found\r\nLocation: http://127.0.0.1:1/"),
    "a page": _answer(b"<html>", "200 OK\r\nContent-Type: text/html"),
    "no boundary": _answer(b"", "200 OK\r\nContent-Type: multipart/x-mixed-replace"),
    "a boundary of 10,000 bytes": _answer(b"", f"{HEAD}{'x' * 10_000}"),
    "something between parts": _answer(b"garbage\r\n" * 10),
    "a line without end": lambda call: (call.answer(HEAD), _endless(b"x" * 4096)(call)),
    "blank lines without end": lambda call: (call.answer(HEAD), call.send(b"\r\n" * 50)),
    "part headers without end": lambda call: (call.answer(HEAD, b"--frame\r\n"), _endless(b"X: y\r\n")(call)),
    "a part of 1 GB": _part("Content-Length: 1073741824", f"X-Timestamp: {NOW}"),
    "a part of no length": _part(f"X-Timestamp: {NOW}"),
    "a part of length 0": _part("Content-Length: 0", f"X-Timestamp: {NOW}"),
    "a part of a negative length": _part("Content-Length: -1", f"X-Timestamp: {NOW}"),
    "no time": _part("Content-Length: 10"),
    "a time that is no number": _part("Content-Length: 10", "X-Timestamp: nan"),
    "a time of 1970": _part("Content-Length: 10", "X-Timestamp: 12.5"),
    "a part that is cut off": _part("Content-Length: 1000", f"X-Timestamp: {NOW}"),
    "a chunk of nonsense": lambda call: call.answer(HEAD + "\r\nTransfer-Encoding: chunked", b"zz\r\n"),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_frame_ends_the_connection_in_one_line(case: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SourceError) as caught, frames_of(BROKEN[case]) as frames:
            assert next(frames)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert len(text) < 300
    assert "\n" not in text


def test_silence_and_drips_are_given_up() -> None:
    with (
        pytest.raises(SourceStalled),
        frames_of(lambda call: (call.answer(HEAD), call.socket.recv(1)), 0.2) as frames,
    ):
        next(frames)

    def drip(call: Call) -> None:
        while True:
            call.send(b"x")
            if call.host.calls < 0:
                return
            threading.Event().wait(0.05)

    clock = iter([0.0, 0.0, 1.0, 30.0, *[60.0] * 100])
    with host(drip) as here, pytest.raises(SourceStalled):
        HttpStream(f"http://{here.url}/", lambda: next(clock))


def test_nobody_there_and_no_such_name() -> None:
    with pytest.raises(SourceRefused, match="CAPTURE_URL"):
        HttpStream("http://127.0.0.1:1/info")
    with pytest.raises(SourceRefused, match="CAPTURE_URL"):
        HttpStream(f"http://{'x' * 300}/info")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"cameras": []}', json.dumps({"cameras": {str(at): {} for at in range(2000)}}).encode()],
)
def test_what_is_no_list_of_cameras_is_refused(content: bytes) -> None:
    with pytest.raises(SourceRefused, match="CAPTURE_URL"):
        parse_cameras(content)


def test_odd_cameras_are_left_out_and_odd_values_are_the_defaults() -> None:
    cameras = {
        "../../etc": {},
        "door": {"live_objects": "sometimes", "classes": "person", "width": -3},
        "gate": {"live_objects": "off", "classes": ["car", 7], "width": 1920, "more": [1]},
        "yard": 7,
    }
    found = parse_cameras(json.dumps({"cameras": cameras}).encode())
    assert found.keys() == {"door", "gate"}
    assert (found["door"].objects, found["door"].classes, found["door"].width) == ("motion", None, None)
    assert (found["gate"].objects, found["gate"].classes, found["gate"].width) == ("off", None, 1920)


def _wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_reader_keeps_the_newest_frame_only_and_ends_in_the_middle_of_a_wait() -> None:
    arrived = threading.Event()
    with FrameServer({"door": Still(np.zeros((36, 64, 3), np.uint8))}) as server:
        reader = FrameReader(server.url, FrameRequest("door", 30.0, 640, False), arrived.set)
        reader.start()
        _wait(lambda: reader.received >= 5)
        assert reader.has_frame
        first = reader.take()
        assert first is not None
        assert reader.take() is None or reader.received > 5
        assert arrived.is_set()
        assert "/frames/door?fps=30&width=640&quality=85" in server.requests
        reader.stop()
        _wait(lambda: server.open == 0)
        assert not reader.has_frame


def test_the_reader_connects_again_with_growing_delays() -> None:
    times: list[float] = []

    def refuse(call: Call) -> None:
        times.append(time.monotonic())
        call.request()
        call.answer("503 Service Unavailable\r\nContent-Length: 0")

    with host(refuse) as here:
        reader = FrameReader(f"http://{here.url}", FrameRequest("door", 5.0, 640, True), lambda: None)
        reader.start()
        _wait(lambda: len(times) == 4)
        reader.stop()
    gaps = [later - one for one, later in pairwise(times)]
    assert gaps[0] >= 0.3
    assert gaps[2] > 1.3 * gaps[0]


def test_a_quiet_connection_stays_open() -> None:
    parts = part_of(JPEG, NOW)
    released = threading.Event()

    def behave(call: Call) -> None:
        call.answer(HEAD)
        released.wait(20)
        call.send(parts)

    with frames_of(behave, math.inf) as frames:
        threading.Timer(0.5, released.set).start()
        assert next(frames).at == NOW
        with pytest.raises(SourceEnded):
            next(frames)
