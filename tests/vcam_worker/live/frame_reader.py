"""Readers of ``/frames/<camera>``, as programs and pages are, each with a connection of its own."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

WAIT_S = 30.0


@dataclass(frozen=True)
class Part:
    """A received part."""

    at: float
    share: float
    jpeg: bytes
    came: float

    @property
    def picture(self) -> Any:
        decoded = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        return decoded


class FrameReader:
    """Reads until closed, in a thread; `status` and `text` are those of the response."""

    def __init__(self, port: int, path: str) -> None:
        self.parts: list[Part] = []
        self.status = 0
        self.text = ""
        self.is_complete = False
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        self._path = path
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            self._connection.request("GET", self._path)
            response = self._connection.getresponse()
            with self._changed:
                self.status = response.status
                self._changed.notify_all()
            if self.status != 200:
                self.text = response.read().decode()
            else:
                self._read_parts(response)
        with self._changed:
            self._changed.notify_all()

    def _read_parts(self, response: http.client.HTTPResponse) -> None:
        while line := response.readline():
            if line == b"--frame--\r\n":
                self.is_complete = response.read() == b""
                return
            assert line == b"--frame\r\n"
            head = {}
            while field := response.readline().decode().strip():
                name, value = field.split(": ")
                head[name] = value
            assert head["Content-Type"] == "image/jpeg"
            jpeg = response.read(int(head["Content-Length"]))
            assert response.readline() == b"\r\n"
            with self._changed:
                self.parts.append(Part(float(head["X-Timestamp"]), float(head["X-Motion"]), jpeg, time.time()))
                self._changed.notify_all()

    def wait_for(self, count: int, seconds: float = WAIT_S) -> list[Part]:
        """Wait for `count` parts in all; return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.parts) >= count, seconds), (len(self.parts), self.text)
            return self.parts[:count]

    def wait_for_status(self) -> int:
        """Wait until the response has begun; return its status."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.status, WAIT_S)
        return self.status

    def wait_for_end(self) -> None:
        """Wait until the response has ended."""
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """Leave."""
        if self._connection.sock:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(2)
        self._thread.join(WAIT_S)
        self._connection.close()


@contextlib.contextmanager
def frames(port: int | str, query: str = "", camera: str = "cam1") -> Iterator[FrameReader]:
    reader = FrameReader(int(port), f"/frames/{camera}?{query}")
    try:
        yield reader
    finally:
        reader.close()


def live_figure(port: int | str, name: str, camera: str = "cam1") -> float:
    """Return a metric of a camera."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=WAIT_S)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels.get("camera") == camera:
                return sample.value
    return 0.0


def wait_for_figure(port: int | str, name: str, value: float) -> None:
    """Wait until a metric has a value."""
    deadline = time.monotonic() + WAIT_S
    while (found := live_figure(port, name)) != value:
        assert time.monotonic() < deadline, f"{name} is {found}"
        time.sleep(0.1)
