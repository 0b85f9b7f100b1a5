"""The whole way, with real programs: a network camera, capture, and the live worker."""

from __future__ import annotations

import time

import pytest

from devtools.ports import free_port
from devtools.redis_server import RedisServer
from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.queue.event_stream import EventReader
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
