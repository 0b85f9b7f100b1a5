"""The HTTP pages, asked over real sockets."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared_utils.errors import SettingError
from shared_utils.redact import Redactor
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest, State
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings
from vcam_worker.web.snapshot_cache import BURST_PICTURES, KEEP_S, MAX_BYTES, MAX_ENTRIES, STALE_S

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


@pytest.fixture
def board() -> FakeBoard:
    return FakeBoard(CAM)


@pytest.fixture
def site(board: FakeBoard) -> Iterator[Site]:
    clock, now = Clock(1000.0), Clock(NOW)
    server = HttpServer(
        HttpSettings(port=0), board, {"versions": {"vcam": "1.2"}}, Redactor([SECRET]), clock=clock, now=now
    )
    server.start()
    yield Site(server, board, clock, now)
    board.gate.set()
    server.stop()


def picture(answer: Answer) -> Any:
    """Return the answer's JPEG, decoded."""
    assert answer.headers["content-type"] == "image/jpeg"
    decoded = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


# ---------------------------------------------------------------------------------------------- health


def test_a_camera_that_is_well(site: Site) -> None:
    answer = site.ask("/healthz")
    assert answer.status == 200
    assert answer.json["ok"] is True
    camera = answer.json["cameras"]["cam1"]
    assert camera.pop("since").startswith("2026-11-1")
    assert camera == {
        "ok": True,
        "state": "running",
        "reason": None,
        "last_packet_s": 0.2,
        "fps": 20.0,
        "recording": True,
        "clips": 7,
        "reconnects": 2,
        "packets": 12000,
        "bytes": 5_000_000,
        "skipped_frames": 3,
    }


@pytest.mark.parametrize(
    ("state", "reason", "seconds", "well"),
    [
        ("running", None, 600, True),
        ("starting", None, 5, True),
        ("starting", None, 31, False),
        ("stalled", "no packet for 15 s", 5, False),
        ("offline", "refused", 5, False),
        ("unauthorized", None, 5, False),
        ("paused", "0.4 GB free", 5, False),
        ("stopped", None, 5, True),
        ("stopped", "the process is gone", 5, False),
    ],
)
def test_health_by_state(site: Site, state: State, reason: str | None, seconds: float, well: bool) -> None:
    other = replace(CAM, name="cam2", state=state, reason=reason, since=NOW - seconds)
    site.board.cameras.append(other)
    answer = site.ask("/healthz")
    assert answer.status == (200 if well else 503)
    assert answer.json["ok"] is well
    assert answer.json["cameras"]["cam1"]["ok"] is True
    told = answer.json["cameras"]["cam2"]
    assert (told["ok"], told["state"]) == (well, state)
    assert well or told["reason"]
    assert site.metrics()["vcam_camera_up", "cam2"] == well


def test_a_camera_that_says_running_but_fell_silent_is_not_well(site: Site) -> None:
    """As when its process hangs and can report no stall."""
    site.now.time += 21
    answer = site.ask("/healthz")
    assert answer.status == 503
    assert answer.json["cameras"]["cam1"]["reason"] == "no packet has come since then"
    assert site.ask("/snapshot/cam1.jpg").status == 503
    assert not site.board.asked


# ---------------------------------------------------------------------------------------------- metrics, info


def test_metrics(site: Site) -> None:
    site.board.cameras.append(CameraStatus("cam2", "rtsp://10.0.0.9/", since=NOW))
    site.ask("/snapshot/cam1.jpg")
    site.ask("/snapshot/cam1.jpg")
    found = site.metrics()
    assert found["vcam_camera_up", "cam1"] == 1
    assert found["vcam_camera_state", "cam1", "running"] == 1
    assert found["vcam_camera_state", "cam2", "running"] == 0
    assert found["vcam_camera_recording", "cam1"] == 1
    assert found["vcam_camera_fps", "cam1"] == 19.96
    assert found["vcam_last_packet_timestamp_seconds", "cam1"] == NOW - 0.2
    assert ("vcam_last_packet_timestamp_seconds", "cam2") not in found
    assert found["vcam_packets_total", "cam1"] == 12000
    assert found["vcam_bytes_total", "cam1"] == 5_000_000
    assert found["vcam_clips_total", "cam1"] == 7
    assert found["vcam_reconnects_total", "cam1"] == 2
    assert found["vcam_skipped_frames_total", "cam1"] == 3
    assert found["vcam_snapshot_encodes_total",] == 1
    assert found["vcam_snapshot_cache_hits_total",] == 1


def test_metrics_in_the_format_that_is_asked_for(site: Site) -> None:
    assert site.ask("/metrics").headers["content-type"].startswith("text/plain")
    wanted = "application/openmetrics-text; version=1.0.0"
    answer = site.ask("/metrics", headers={"Accept": wanted})
    assert answer.headers["content-type"].startswith(wanted)
    assert answer.text.endswith("# EOF\n")


def test_info(site: Site) -> None:
    site.ask("/snapshot/cam1.jpg")
    site.ask("/snapshot/cam1.jpg")
    site.clock.time += 1.5
    assert site.ask("/info").json == {
        "versions": {"vcam": "1.2"},
        "cameras": {
            "cam1": {
                "address": "rtsp://***@192.168.1.20:554/stream1",
                "codec": "h264",
                "width": 640,
                "height": 360,
                "fps": 20.0,
                "transport": "tcp",
            }
        },
        "snapshot_cache": {"entries": 1, "bytes": 1007, "hits": 1, "encodes": 1, "oldest_s": 1.5},
    }


# ---------------------------------------------------------------------------------------------- snapshots


def test_a_snapshot(site: Site) -> None:
    answer = site.ask("/snapshot/cam1.jpg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.body.startswith(b"jpeg 1")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-snapshot-age"] == "0.5"
    assert site.board.asked == [("cam1", SnapshotRequest())]


def test_parameters_reach_the_camera(site: Site) -> None:
    site.ask("/snapshot/cam1.jpg?timestamp=1&width=320&quality=50&t=1234")
    assert site.board.asked == [("cam1", SnapshotRequest(width=320, quality=50, timestamp=True))]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("width=63", "width takes a whole number from 64 to 3840"),
        ("width=3841", "width takes a whole number from 64 to 3840"),
        ("width=99999999999999", "width takes a whole number from 64 to 3840"),
        ("width=", "width takes a whole number from 64 to 3840"),
        ("width=6_40", "width takes a whole number from 64 to 3840"),
        ("quality=9", "quality takes a whole number from 10 to 95"),
        ("quality=0", "quality takes a whole number from 10 to 95"),
        ("quality=high", "quality takes a whole number from 10 to 95"),
        ("timestamp=maybe", "timestamp takes 1 or 0"),
        ("refresh=2", "refresh takes 1 or 0"),
    ],
)
def test_wrong_parameters(site: Site, query: str, line: str) -> None:
    answer = site.ask(f"/snapshot/cam1.jpg?{query}")
    assert (answer.status, answer.text) == (400, line)
    assert not site.board.asked


def test_the_only_camera_needs_no_name(site: Site) -> None:
    assert site.ask("/snapshot").body.startswith(b"jpeg 1")
    site.board.cameras.append(replace(CAM, name="cam2"))
    answer = site.ask("/snapshot")
    assert answer.status == 404
    assert answer.text == "there are several cameras: /snapshot/cam1.jpg, /snapshot/cam2.jpg"


def test_a_camera_that_there_is_not(site: Site) -> None:
    answer = site.ask("/snapshot/<b>.jpg")
    assert answer.status == 404
    assert answer.text == "there is no such camera; there is /snapshot/cam1.jpg"


def test_the_cache_ends(site: Site) -> None:
    first = site.ask("/snapshot/cam1.jpg").body
    site.clock.time += KEEP_S - 0.1
    assert site.ask("/snapshot/cam1.jpg").body == first
    site.clock.time += 0.2
    assert site.ask("/snapshot/cam1.jpg").body != first
    assert KEEP_S <= STALE_S <= 5


def test_refresh_passes_the_cache(site: Site) -> None:
    first = site.ask("/snapshot/cam1.jpg").body
    second = site.ask("/snapshot/cam1.jpg?refresh=1").body
    assert second != first
    assert site.ask("/snapshot/cam1.jpg").body == second


def test_refresh_is_limited(site: Site) -> None:
    answers = [site.ask("/snapshot/cam1.jpg?refresh=1") for _ in range(50)]
    assert {answer.status for answer in answers} == {200}
    assert len(site.board.asked) == BURST_PICTURES
    site.clock.time += 1
    for _ in range(50):
        site.ask("/snapshot/cam1.jpg?refresh=1")
    assert len(site.board.asked) == BURST_PICTURES + 4


def test_sizes_without_end_are_limited(site: Site) -> None:
    site.board.cameras.append(replace(CAM, name="cam2"))
    answers = [site.ask(f"/snapshot/cam1.jpg?width={width}") for width in range(100, 120)]
    assert [answer.status for answer in answers] == [200] * BURST_PICTURES + [429] * (20 - BURST_PICTURES)
    assert answers[-1].headers["retry-after"] == "1"
    assert site.ask("/snapshot/cam2.jpg").status == 200


def test_the_cache_is_bounded(site: Site) -> None:
    site.board.size = MAX_BYTES // 5
    site.board.cameras = [replace(CAM, name=f"cam{number}") for number in range(20)]
    for number in range(20):
        assert site.ask(f"/snapshot/cam{number}.jpg").status == 200
    held = site.ask("/info").json["snapshot_cache"]
    assert 1 < held["entries"] <= 5
    assert held["bytes"] <= MAX_BYTES
    site.board.size = 1
    site.board.cameras = [replace(CAM, name=f"many{number}") for number in range(MAX_ENTRIES + 10)]
    for camera in site.board.cameras:
        site.ask(f"/snapshot/{camera.name}.jpg")
    assert site.ask("/info").json["snapshot_cache"]["entries"] == MAX_ENTRIES
    site.clock.time += STALE_S
    assert site.ask("/info").json["snapshot_cache"]["entries"] == 0


def test_a_thousand_requests_cost_one_encoding(site: Site) -> None:
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: site.ask("/snapshot/cam1.jpg"), range(1000)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len(site.board.asked) == 1


def test_who_comes_while_a_picture_is_made_waits_for_it_and_health_does_not(site: Site) -> None:
    site.board.gate.clear()
    with ThreadPoolExecutor(30) as threads:
        waiting = [threads.submit(site.ask, "/snapshot/cam1.jpg?refresh=1") for _ in range(30)]
        deadline = time.monotonic() + 10
        while site.ask("/info").json["snapshot_cache"]["hits"] < 29 and time.monotonic() < deadline:
            pass
        assert site.ask("/healthz").status == 200
        site.board.gate.set()
        assert {one.result().body[:6] for one in waiting} == {b"jpeg 1"}
    assert len(site.board.asked) == 1


def test_clearing_the_cache(site: Site) -> None:
    site.ask("/snapshot/cam1.jpg")
    site.ask("/snapshot/cam1.jpg?width=320")
    answer = site.ask("/snapshot/cache/clear", "POST")
    assert (answer.status, answer.json) == (200, {"dropped": 2})
    assert site.ask("/snapshot/cache/clear", "POST").json == {"dropped": 0}
    assert site.ask("/snapshot/cam1.jpg").body.startswith(b"jpeg 3")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Origin": "http://127.0.0.1:{port}"}, True),
        ({"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_a_page_elsewhere_can_not_clear_the_cache(site: Site, headers: dict[str, str], allowed: bool) -> None:
    site.ask("/snapshot/cam1.jpg")
    filled = {key: value.format(port=site.port) for key, value in headers.items()}
    assert site.ask("/snapshot/cache/clear", "POST", filled).status == (200 if allowed else 403)


# ---------------------------------------------------------------------------------------------- no picture


@pytest.mark.parametrize("state", ["starting", "stalled", "offline", "unauthorized", "stopped"])
def test_a_camera_without_a_picture_says_why_in_one(site: Site, state: State) -> None:
    site.board.cameras = [replace(CAM, state=state, reason="it is raining", since=NOW - 5)]
    answer = site.ask("/snapshot/cam1.jpg?width=800")
    assert answer.status == 503
    assert answer.headers["cache-control"] == "no-store"
    drawn = picture(answer)
    assert drawn.shape == (450, 800, 3)
    assert not site.board.asked
    site.board.cameras = [replace(CAM, state=state, reason="it is snowing", since=NOW - 5)]
    assert (picture(site.ask("/snapshot/cam1.jpg?width=800")) != drawn).any()


def test_while_recording_is_paused_there_is_a_picture(site: Site) -> None:
    site.board.cameras = [replace(CAM, state="paused", reason="0.4 GB free")]
    assert site.ask("/snapshot/cam1.jpg").status == 200


def test_a_camera_that_gives_none(site: Site) -> None:
    site.board.snapshots["cam1"] = None
    first = site.ask("/snapshot/cam1.jpg")
    assert first.status == 503
    assert picture(first).shape == (360, 640, 3)
    site.clock.time += KEEP_S
    site.now.time += KEEP_S
    assert site.ask("/snapshot/cam1.jpg").body == first.body  # "since" stays
    assert len(site.board.asked) == 2


def test_a_picture_that_is_too_old(site: Site) -> None:
    site.board.snapshots["cam1"] = Snapshot(b"old", NOW - 16)
    answer = site.ask("/snapshot/cam1.jpg")
    assert answer.status == 503
    assert picture(answer).shape == (360, 640, 3)
    site.board.snapshots["cam1"] = Snapshot(b"young enough", NOW - 14)
    assert site.ask("/snapshot/cam1.jpg?refresh=1").body == b"young enough"


@pytest.mark.parametrize("query", ["width=64&quality=10", "width=3840&quality=95", ""])
def test_pictures_of_trouble_of_any_size(site: Site, query: str) -> None:
    site.board.cameras = [CameraStatus("c" * 32, "http://" + "a" * 300, "offline", "äöü 中 " + "x" * 500)]
    drawn = picture(site.ask(f"/snapshot?{query}"))
    assert drawn.shape[0] * 16 == drawn.shape[1] * 9
    assert drawn.std() > 5


# ---------------------------------------------------------------------------------------------- the page, safety


def test_the_page_shows_every_camera(site: Site) -> None:
    site.board.cameras.append(
        replace(CAM, name="door", state="offline", reason="nobody answers", since=NOW - 60, last_packet=NOW - 300)
    )
    answer = site.ask("/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for part in (
        "/snapshot/cam1.jpg?width=640",
        "1 of 2 well",
        "nobody answers · since",
        "5 min ago",
        "h264 · 640×360",
    ):
        assert part in answer.text
    assert "http" not in answer.text.replace("http-equiv", "")  # nothing from elsewhere


def test_what_cameras_say_is_escaped(site: Site) -> None:
    evil = "<script>alert(1)</script>\"'&"
    site.board.cameras = [replace(CAM, state="offline", reason=evil, display_url=evil, codec=evil, transport=evil)]
    text = site.ask("/").text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;") == 4


def test_no_secret_comes_out(site: Site) -> None:
    address = "rtsp://admin:p%40ss%2Fw%C3%B6rd@192.168.1.20/stream1"
    site.board.cameras = [
        replace(CAM, display_url=address, state="offline", reason=f"{address}: wrong password {SECRET}"),
        replace(CAM, name="cam2", display_url=address, reason=address),
    ]
    paths = ("/", "/healthz", "/info", "/metrics", "/snapshot", "/snapshot/no.jpg", "/snapshot/cam1.jpg", "/no")
    for path in paths:
        text = site.ask(path).body.decode("latin-1")
        for secret in ("admin", "p%40ss", "p@ss", "w%C3%B6rd"):
            assert secret not in text, path


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/info", "/snapshot", "/snapshot/cam1.jpg", "/no"])
def test_head_is_get_without_the_body(site: Site, path: str) -> None:
    full, head = site.ask(path), site.ask(path, "HEAD")
    assert head.body == b""
    assert head.status == full.status
    for name in ("content-type", "content-length", "cache-control", "x-content-type-options"):
        assert head.headers[name] == full.headers[name]


@pytest.mark.parametrize("path", ["/no", "/snapshot/", "/snapshot/cam1.png", "/../etc/passwd", "/healthz/", "/static"])
def test_other_paths_are_plainly_not_there(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert (answer.status, answer.text) == (404, "Not Found")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("DELETE", "/snapshot/cam1.jpg"),
        ("GET", "/snapshot/cache/clear"),
        ("PUT", "/snapshot/cache/clear"),
    ],
)
def test_other_methods_are_refused(site: Site, method: str, path: str) -> None:
    assert site.ask(path, method).status == 405


def test_every_answer_carries_the_safety_headers(site: Site) -> None:
    for path in ("/", "/healthz", "/snapshot/cam1.jpg", "/no", "/snapshot/cam1.jpg?width=1"):
        headers = site.ask(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("cams.localhost", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8080", 421),
        ("[", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/snapshot/cam1.jpg", "/nowhere"])
def test_names_of_elsewhere_reach_nothing(site: Site, path: str, host: str, status: int) -> None:
    answer = site.ask(path, headers={"Host": host})
    assert answer.status == (404 if status == 200 and path == "/nowhere" else status)
    assert status == 200 or "HTTP_NAMES" in answer.text


def test_a_fault_of_ours_shows_no_insides(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.board.snapshots["cam1"] = "no snapshot"  # type: ignore[assignment]
    answer = site.ask("/snapshot/cam1.jpg")
    assert (answer.status, answer.text) == (500, "Internal Server Error")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert site.ask("/healthz").status == 200
    site.server.stop()  # the fault is logged after the answer
    assert "AttributeError" in caplog.text


def test_what_is_no_http_does_no_harm(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as client:
        client.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    assert site.ask("/healthz").status == 200


# ---------------------------------------------------------------------------------------------- start, stop, settings


def test_stopping_is_quick_whoever_waits(site: Site) -> None:
    site.board.gate.clear()
    idle = socket.create_connection(("127.0.0.1", site.port), timeout=10)
    with idle, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(site.ask, "/snapshot/cam1.jpg")
        deadline = time.monotonic() + 10
        while not site.board.asked and time.monotonic() < deadline:
            pass
        began = time.monotonic()
        site.server.stop()
        assert time.monotonic() - began < 1
        assert waiting.result().status == 503
    site.server.stop()
    with pytest.raises(ConnectionRefusedError):
        site.ask("/healthz")
    assert not any(thread.name == "http" for thread in threading.enumerate())


def test_every_answer_carries_the_date_it_was_given(site: Site) -> None:
    dates: list[str] = []
    deadline = time.monotonic() + 20
    while len(set(dates)) < 2:
        dates.append(site.ask("/healthz").headers["date"])
        assert abs(parsedate_to_datetime(dates[-1]).timestamp() - time.time()) < 10
        assert time.monotonic() < deadline


def test_nothing_wakes_up_while_nobody_asks(site: Site) -> None:
    site.ask("/healthz")
    [thread] = [one for one in threading.enumerate() if one.name == "http"]
    status = Path(f"/proc/self/task/{thread.native_id}/status")

    def wakes() -> int:
        found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE)
        assert found
        return int(found[1])

    before = wakes()
    time.sleep(1)  # how often it wakes up in a while is the question
    assert wakes() - before <= 3


def test_stop_without_start(board: FakeBoard) -> None:
    HttpServer(HttpSettings(), board, {}).stop()


def test_a_port_can_be_taken_again_at_once(board: FakeBoard) -> None:
    first = HttpServer(HttpSettings(port=0), board, {})
    first.start()
    again = Site(first, board, Clock(0), Clock(0))
    again.ask("/healthz")
    first.stop()
    second = HttpServer(HttpSettings(port=again.port), board, {})
    second.start()
    assert again.ask("/").status == 200
    second.stop()


def test_a_busy_port_is_named(site: Site) -> None:
    with pytest.raises(SettingError) as caught:
        HttpServer(HttpSettings(port=site.port), site.board, {}).start()
    assert str(caught.value) == (
        f"HTTP_PORT is {site.port}, which another program uses already on HTTP_HOST 127.0.0.1: "
        "set HTTP_PORT to a free port"
    )


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "not a host", "x" * 100])
def test_a_host_that_is_none_is_named(board: FakeBoard, host: str) -> None:
    with pytest.raises(
        SettingError, match=r"^HTTP_HOST is '.*', which is no address of this machine: use 127\.0\.0\.1"
    ):
        HttpServer(HttpSettings(host, 0), board, {}).start()


def test_all_addresses(board: FakeBoard) -> None:
    names = frozenset({"vm.lab.example"})
    server = HttpServer(HttpSettings("0.0.0.0", 0, names), board, {})
    server.start()
    try:
        reached = Site(server, board, Clock(0), Clock(0))
        assert server.address == f"http://0.0.0.0:{reached.port}"
        assert reached.ask("/", headers={"Host": "vm.lab.example"}).status == 200
        assert reached.ask("/", headers={"Host": "evil.example"}).status == 421
    finally:
        server.stop()


def test_settings() -> None:
    assert HttpSettings.from_env({}) == HttpSettings("127.0.0.1", 8080)
    assert HttpSettings.from_env({"HTTP_HOST": "0.0.0.0", "HTTP_PORT": "9000"}) == HttpSettings("0.0.0.0", 9000)
    with pytest.raises(SettingError, match="HTTP_PORT is '70000'"):
        HttpSettings.from_env({"HTTP_PORT": "70000"})
