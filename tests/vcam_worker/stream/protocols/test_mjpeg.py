"""MJPEG over HTTP with odd framing, under odd names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.network.hosts import Call, host
from tests.support.network.mjpeg import MJPEG, PICTURES, camera, drained, part, read, stream
from vcam_worker.stream.opening import connect


@pytest.mark.parametrize(
    "wrong",
    [
        lambda number, picture: part(picture, len(picture) + 5000),
        lambda number, picture: part(picture, 10),
        lambda number, picture: part(picture).removeprefix(b"--frame\r\n" if number == 0 else b""),
        lambda number, picture: part(picture).replace(b"--frame", b"--another"),
        lambda number, picture: picture,
    ],
    ids=["length too long", "length too short", "no first boundary", "another boundary", "no multipart at all"],
)
def test_mjpeg_with_odd_framing_is_read(wrong: Callable[[int, bytes], bytes]) -> None:
    with host(stream(wrong(number, PICTURES[number % 5]) for number in range(50))) as here:
        packets = read(f"{here.url}/video", 5)
    assert all(one.data in PICTURES and one.is_keyframe and one.dts is None for one in packets)
    assert len({one.data for one in packets}) == 5
    assert here.calls == 1


@pytest.mark.parametrize(
    "head",
    [
        'multipart/x-mixed-replace; boundary="frame"',
        "multipart/x-mixed-replace; boundary=--frame",
        "multipart/x-mixed-replace",
        "multipart/mixed;boundary=other",
        "video/x-motion-jpeg",
        "image/jpeg",
        "application/octet-stream",
    ],
)
def test_mjpeg_under_any_name_is_read(head: str) -> None:
    with host(stream(map(part, PICTURES * 10), f"200 OK\r\nContent-Type: {head}")) as here:
        assert {one.data for one in read(f"{here.url}/video", 5)} == set(PICTURES)


def test_chunked_mjpeg_with_an_absurd_length_of_all_is_read() -> None:
    def behave(call: Call) -> None:
        call.request()
        call.answer(f"{MJPEG}\r\nTransfer-Encoding: chunked\r\nContent-Length: 1")
        for one in PICTURES * 10:
            data = part(one)
            call.send(b"%x;name=x\r\n" % (len(data) - 100) + data[:-100] + b"\r\n64\r\n" + data[-100:] + b"\r\n")

    with host(behave) as here:
        assert {one.data for one in read(f"{here.url}/video", 5)} == set(PICTURES)


def test_the_end_of_an_mjpeg_stream_is_its_end() -> None:
    with host(stream(map(part, PICTURES))) as here, connect(camera(here.url), "any") as connection:
        got, error = drained(connection)
    assert [one.data for one in got] == PICTURES[1:]
    assert str(error) == "the camera ended the stream"
