"""Capture's HTTP server over made-up cameras, for its tests."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest
from vcam_worker.web.server import HttpServer

NOW = 1_795_000_000.0
SECRET = "p@ss/wörd"
CAM = CameraStatus(
    name="cam1",
    display_url="rtsp://***@192.168.1.20:554/stream1",
    state="running",
    since=NOW - 600,
    last_packet=NOW - 0.2,
    codec="h264",
    width=640,
    height=360,
    transport="tcp",
    fps=19.96,
    recording=True,
    packets=12000,
    bytes=5_000_000,
    clips=7,
    reconnects=2,
    late=3,
)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self, start: float) -> None:
        self.time = start

    def __call__(self) -> float:
        return self.time


class FakeBoard:
    """Stands in for the supervisor, whose answers a test can neither choose nor count.

    `gate`, while not set, holds every snapshot back.
    """

    def __init__(self, *cameras: CameraStatus) -> None:
        self.cameras = list(cameras)
        self.asked: list[tuple[str, SnapshotRequest]] = []
        self.snapshots: dict[str, Snapshot | None] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.size = 1000

    def statuses(self) -> list[CameraStatus]:
        return list(self.cameras)

    def snapshot(self, name: str, request: SnapshotRequest) -> Snapshot | None:
        if name not in {one.name for one in self.cameras}:
            raise KeyError(name)
        self.asked.append((name, request))
        count = len(self.asked)
        self.gate.wait(10)
        return self.snapshots.get(name, Snapshot(b"jpeg %d " % count + bytes(self.size), NOW - 0.5))


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@dataclass
class Site:
    server: HttpServer
    board: FakeBoard
    clock: Clock
    now: Clock
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = int(self.server.address.rpartition(":")[2])

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def metrics(self) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(self.ask("/metrics").text)
        return {
            (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
        }


def picture(answer: Answer) -> Any:
    """Return the answer's JPEG, decoded."""
    assert answer.headers["content-type"] == "image/jpeg"
    decoded = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded
