"""The HTTP pages, asked over real sockets."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from shared_utils.errors import SettingError
from tests.support.network.http_site import CAM, NOW, SECRET, Site
from vcam_worker.runtime.status import CameraStatus, State
from vcam_worker.web.settings import HttpSettings


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
    described = answer.json["cameras"]["cam2"]
    assert (described["ok"], described["state"]) == (well, state)
    assert well or described["reason"]
    assert site.metrics()["vcam_camera_up", "cam2"] == well


def test_a_camera_that_says_running_but_fell_silent_is_not_well(site: Site) -> None:
    """As when its process hangs and can report no stall."""
    site.now.time += 21
    answer = site.ask("/healthz")
    assert answer.status == 503
    assert answer.json["cameras"]["cam1"]["reason"] == "no packet has come since then"
    assert site.ask("/snapshot/cam1.jpg").status == 503
    assert not site.board.asked


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
                "live_objects": "motion",
                "classes": None,
                "live": {"clients": {}, "subscriptions": 0, "decoding": False, "frames": 0},
            }
        },
        "snapshot_cache": {"entries": 1, "bytes": 1007, "hits": 1, "encodes": 1, "oldest_s": 1.5},
    }


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
    assert "<video" not in answer.text  # Chromium would never free what the page parses of itself


def test_the_page_has_its_own_files_and_no_others(site: Site) -> None:
    for name, kind in (("page.css", "css"), ("page.js", "javascript"), ("live.js", "javascript")):
        answer = site.ask(f"/static/{name}")
        assert (answer.status, answer.headers["content-type"]) == (200, f"text/{kind}; charset=utf-8")
        assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("", "no.js", "..%2Froutes.py", "%2e%2e/routes.py", "/pages.py"):
        assert site.ask(f"/static/{name}").status == 404
    assert "unsafe" not in site.ask("/").headers["content-security-policy"]


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


def test_settings() -> None:
    assert HttpSettings.from_env({}) == HttpSettings("127.0.0.1", 8080)
    assert HttpSettings.from_env({"HTTP_HOST": "0.0.0.0", "HTTP_PORT": "9000"}) == HttpSettings("0.0.0.0", 9000)
    with pytest.raises(SettingError, match="HTTP_PORT is '70000'"):
        HttpSettings.from_env({"HTTP_PORT": "70000"})
