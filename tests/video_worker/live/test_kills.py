"""``kill -9`` at random moments: nothing is lost, nothing is reported twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import cv2
import pytest

from shared_utils.contracts.events import events_log_path
from shared_utils.contracts.json_lines import read_objects
from tests.support.network.frame_server import FrameServer, Still
from tests.video_worker.live.conftest import Live, standing
from tests.video_worker.live.test_live_worker import wait_until
from video_worker import messages

KILLS = 30
FIGURES = 8


@pytest.mark.slow
def test_thirty_kills_lose_nothing_and_report_nothing_twice(live: Live, serve: Callable[..., FrameServer]) -> None:
    chance = random.Random(12)
    camera = Still(standing(1)[0])
    server = serve(door=camera)
    shown = 1
    for kill in range(KILLS):
        program = live.start(server.url)
        program.wait_for(messages.LIVE_CAMERA_SERVED)
        if shown < FIGURES and kill % 4 == 0:
            # around the moment at which the event is written, and the state after it
            deadline = time.monotonic() + chance.uniform(0.0, 1.0)
            while time.monotonic() < deadline:
                time.sleep(0.01)
            shown += 1
            camera.picture = standing(shown)[0]
        deadline = time.monotonic() + chance.uniform(0.0, 1.5)
        while time.monotonic() < deadline:
            time.sleep(0.01)
        program.end()
    camera.picture, labels = standing(FIGURES)
    program = live.start(server.url)
    wait_until(lambda: len(live.events()) >= FIGURES, "all events")
    state = live.video_dir / ".live" / "door.json"
    wait_until(lambda: json.loads(state.read_text())["last_event"] == live.events()[-1].id, "the last state")
    program.stop()
    assert sorted(live.labels()) == sorted(labels)
    places = {tuple(round(value, 1) for value in event.more["box"]) for event in live.events()}
    assert len(places) == FIGURES
    assert len(list(read_objects(events_log_path(live.video_dir)))) == FIGURES
    assert len({event.more["track"] for event in live.events()}) == FIGURES
    for event in live.events():
        assert cv2.imread(str(live.video_dir / str(event.picture))) is not None
    assert len(state.read_text()) < 20_000
