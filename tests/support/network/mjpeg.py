"""An MJPEG camera that a test makes up, and what is read of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.errors import SourceEnded
from tests.support.footage.video import noise_background
from tests.support.network.hosts import Call, jpeg
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts

PICTURES = [jpeg(noise_background(160, 120, seed)) for seed in range(5)]
MJPEG = "200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame"
NAME, PASSWORD = "admin", "p@ss/w:rd"


def camera(url: str, fps: float = 5.0) -> Camera:
    return Camera("cam1", f"http://{url}", motion=MotionSettings(fps=fps))


def part(picture: bytes, length: int | None = None) -> bytes:
    header = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + header + b"\r\n" + picture + b"\r\n"


def stream(parts: Iterator[bytes], head: str = MJPEG, step: float = 0.02) -> Callable[[Call], None]:
    def behave(call: Call) -> None:
        call.host.requests.append(call.request())
        call.answer(head)
        for one in parts:
            call.send(one)
            time.sleep(step)

    return behave


def read(url: str, number: int, fps: float = 5.0, timeouts: Timeouts = TIMEOUTS) -> list[Packet]:
    with connect(camera(url, fps), "any", timeouts=timeouts) as connection:
        packets = connection.packets()
        return [next(packets) for _ in range(number)]


def drained(connection: PacketSource) -> tuple[list[Packet], SourceEnded]:
    """Return all packets, and how it ended."""
    got: list[Packet] = []
    try:
        got.extend(connection.packets())
    except SourceEnded as error:
        return got, error
    raise AssertionError("a stream ends by an error")
