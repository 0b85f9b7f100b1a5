"""MJPEG over HTTP, read by PyAV and by plain urllib."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO
from urllib.parse import urlsplit

import av
import cv2
import numpy as np
import pytest

TIMEOUT_S = 10.0


@pytest.fixture
def url(free_port: int, start_camera: Callable) -> str:
    address = f"http://127.0.0.1:{free_port}/video"
    start_camera("scene", address, "--size", "320x180", "--fps", "20")
    return address


def _next_part(stream: IO[bytes], boundary: bytes) -> bytes:
    """Read one part as the RFC has it; returns its body."""
    assert stream.readline().strip() == b"--" + boundary
    headers = http.client.parse_headers(stream)
    assert headers["Content-Type"] == "image/jpeg"
    body = stream.read(int(headers["Content-Length"]))
    assert stream.readline() == b"\r\n"
    return body


def _read(url: str, parts: int) -> list[bytes]:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
        kind, _, boundary = response.headers["Content-Type"].partition("; boundary=")
        assert kind == "multipart/x-mixed-replace"
        return [_next_part(response, boundary.encode()) for _ in range(parts)]


def test_plain_urllib_gets_jpegs_that_decode(url: str) -> None:
    for jpeg in _read(url, 5):
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (180, 320, 3)


def test_pyav_reads_it_as_a_camera(url: str) -> None:
    with av.open(url, timeout=TIMEOUT_S) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
        frames = [frame for frame, _ in zip(container.decode(video=0), range(10), strict=False)]
    assert {(frame.width, frame.height) for frame in frames} == {(320, 180)}


def test_many_viewers_and_one_who_reads_nothing(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as stuck:
        stuck.sendall(b"GET /video HTTP/1.1\r\nHost: x\r\n\r\n")
        results: list[int] = []
        viewers = [threading.Thread(target=lambda: results.append(len(_read(url, 40)))) for _ in range(4)]
        started = time.monotonic()
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join(30)
        elapsed = time.monotonic() - started
    assert results == [40] * 4
    assert 1.5 < elapsed < 10.0  # 40 pictures at 20 per second, each viewer at full rate


def test_page_and_unknown_path(url: str) -> None:
    root = url.removesuffix("video")
    with urllib.request.urlopen(root, timeout=TIMEOUT_S) as response:
        assert b'<img src="/video"' in response.read()
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(root + "other", timeout=TIMEOUT_S)
    caught.value.close()
