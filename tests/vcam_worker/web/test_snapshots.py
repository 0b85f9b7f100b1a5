"""Snapshots over HTTP: parameters, the cache and its limits, pictures of trouble."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.network.http_site import CAM, NOW, Site, picture
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest, State
from vcam_worker.web.snapshot_cache import BURST_PICTURES, KEEP_S, MAX_BYTES, MAX_ENTRIES, STALE_S


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
def test_a_page_elsewhere_cannot_clear_the_cache(site: Site, headers: dict[str, str], allowed: bool) -> None:
    site.ask("/snapshot/cam1.jpg")
    filled = {key: value.format(port=site.port) for key, value in headers.items()}
    assert site.ask("/snapshot/cache/clear", "POST", filled).status == (200 if allowed else 403)


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
