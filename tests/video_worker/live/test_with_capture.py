"""The whole way, with real programs: a network camera, capture, and the live worker."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from devtools.ports import free_port
from devtools.redis_server import RedisServer
from shared_utils import messages as shared_messages
from shared_utils.contracts.clips import list_clips
from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.errors import EXIT_OK
from shared_utils.queue.event_stream import EventReader
from tests.support.events import Listener
from tests.support.network.deaf_server import deaf_server
from tests.support.programs import Programs
from tests.video_worker.live.conftest import Live
from tests.video_worker.live.test_live_worker import wait_until
from vcam_worker import messages as capture_messages
from video_worker import messages

LATEST_S = 20.0
"""From motion to the event, on a machine that does other things as well; scripts/bench live measures it."""


@pytest.mark.slow
def test_what_comes_into_the_picture_is_reported_while_it_is_there(
    live: Live, programs: Programs, redis_server: RedisServer
) -> None:
    camera_url, port = f"rtsp://127.0.0.1:{free_port()}/stream", free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"RTSP_URL": camera_url, "CAMERA_NAME": "street", "HTTP_PORT": str(port), "CLIP_SECONDS": "10"}
    gate = {"name": "gate", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "tasks": [{"do": "objects", "when": "live"}]}
    live.video_dir.mkdir()
    write_zones(zones_path(live.video_dir, "street"), {"zones": [gate]})
    camera = programs.python("-m", "camera_emulator", "--source", "scene", "--url", camera_url)
    camera.wait_for("ready")
    with EventReader(redis_server.settings, after="0") as stream:
        worker = live.start(url)
        worker.wait_for(messages.LIVE_CAPTURE_AWAY)
        capture = programs.python("-m", "vcam_worker", env={**live.env(url), **settings})
        capture.wait_for(capture_messages.CONNECTED)
        worker.wait_for(messages.LIVE_CAMERA_SERVED)
        found: list[tuple[float, Event]] = []

        def news(kind: str, value: str) -> list[tuple[float, Event]]:
            found.extend((time.time(), event) for event in stream.read(0.2))
            return [(at, event) for at, event in found if (event.type, event.value) == (kind, value)]

        wait_until(lambda: news("object", "seen") and news("motion", "started"), "an object, live", 90)
        arrived, seen = news("object", "seen")[0]
        assert arrived - seen.at.timestamp() < LATEST_S
        assert seen.camera == "street"
        assert (live.video_dir / str(seen.picture)).exists()
        assert capture.stop() == 0
        worker.wait_for(messages.LIVE_FRAMES_MISSING)
        assert worker.stop() == 0
    assert worker.count(messages.LIVE_READER_FAILED) == worker.count(messages.LIVE_CAMERA_FAILED) == 0


@pytest.mark.slow
def test_a_redis_that_never_answers_delays_neither_clips_nor_events_and_gets_all_of_it_later(
    live: Live, programs: Programs, tmp_path: Path
) -> None:
    camera_url, port = f"rtsp://127.0.0.1:{free_port()}/stream", free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"RTSP_URL": camera_url, "CAMERA_NAME": "street", "HTTP_PORT": str(port), "CLIP_SECONDS": "5"}
    settings["PRE_ROLL_SECONDS"] = "1"
    street = ("--source", "scene", "--size", "640x360", "--fps", "10")
    programs.python("-m", "camera_emulator", *street, "--url", camera_url).wait_for("ready")
    with deaf_server() as redis_port:
        redis = {"RDS_PORT": str(redis_port)}
        capture = programs.python("-m", "vcam_worker", env={**live.env(url, **settings), **redis})
        worker = live.start(url, **redis)
        clip_worker = programs.python("-m", "video_worker", env={**live.env(url), **redis})
        capture.wait_for(capture_messages.CLIP_SAVED, 90, count=3)
        wait_until(lambda: len(live.events()) >= 3, "three events", 90)
        assert live.health(url) == EXIT_OK
        for program in (capture, worker):
            program.wait_for(shared_messages.EVENTS_NOT_PUBLISHED)
        clip_worker.wait_for(messages.WORKER_REDIS_UNREACHABLE)
    server = RedisServer(tmp_path / "late", port=redis_port)
    server.start()
    try:
        listener = Listener(server)
        listener.wait_for("clip", "analysed", 3, 120)
        for program in (clip_worker, worker, capture):
            assert program.stop() == EXIT_OK
            assert program.count(shared_messages.EVENTS_NOT_PUBLISHED) == (program is not clip_worker)
            assert "Traceback" not in program.text
        listener.wait_for("service", "stopped", 3)
    finally:
        server.stop()
    assert {event.more["program"] for event in listener.of("service", "started")} == {"capture", "worker", "live"}
    news = [event.id for event in listener.events if event.type == "object"]
    assert news == [event.id for event in live.events()]
    saved = [event.filename for event in listener.of("clip", "saved")]
    assert saved == [path.name for path in list_clips(live.video_dir)]
    referred = [one for event in listener.of("clip", "analysed") for one in event.more["live"]]
    assert referred
    assert set(referred) <= set(news)


@pytest.mark.slow
def test_all_programs_end_in_time_while_redis_does_not_answer(live: Live, programs: Programs) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"RTSP_URL": f"rtsp://127.0.0.1:{free_port()}/stream", "HTTP_PORT": str(port)}
    with deaf_server() as redis_port:
        redis = {"RDS_PORT": str(redis_port)}
        capture = programs.python("-m", "vcam_worker", env={**live.env(url, **settings), **redis})
        worker = live.start(url, **redis)
        clip_worker = programs.python("-m", "video_worker", env={**live.env(url), **redis})
        for program in (capture, worker):
            program.wait_for(shared_messages.EVENTS_NOT_PUBLISHED)
        clip_worker.wait_for(messages.WORKER_REDIS_UNREACHABLE)
        for program in (capture, worker, clip_worker):
            assert program.stop() == EXIT_OK
            assert "Traceback" not in program.text
