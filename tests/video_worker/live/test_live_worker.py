"""The live worker as a process: what it reports, where, and that it follows what changes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from devtools.log_lines import line_of
from devtools.redis_server import RedisServer
from shared_utils import messages as shared_messages
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, QueueUnavailable
from shared_utils.queue.event_stream import EventReader
from shared_utils.queue.live_boxes import BoxesReader
from tests.support.events import Listener
from tests.support.network.frame_server import FrameServer, Still, Street
from tests.support.programs import Programs
from tests.video_worker.live.conftest import Live, standing
from video_worker import messages

WAIT_S = 60.0

Serve = Callable[..., FrameServer]


def wait_until(condition: Callable[[], object], what: str, seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


def fill(path: Path) -> None:
    """Write to a file until the file system is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"0" * 4096):
            pass


def test_what_stands_there_is_reported_once_with_a_picture_and_on_the_stream(
    live: Live, serve: Serve, redis_server: RedisServer
) -> None:
    picture, labels = standing(3)
    server = serve(door=Still(picture))
    with ExitStack() as stack:
        stream = stack.enter_context(EventReader(redis_server.settings, after="0", types=["object", "service"]))
        boxes = stack.enter_context(BoxesReader(redis_server.settings, "door"))
        program = live.start(server.url)
        wait_until(lambda: len(live.events()) >= 3, "three events")
        found: list = []
        wait_until(lambda: found.extend(boxes.read(0.5)) or found, "boxes")
        assert live.health(server.url) == EXIT_OK
        assert program.stop() == EXIT_OK
        events = stream.read(5.0)
    assert sorted(live.labels("door")) == sorted(labels)
    for event in live.events():
        assert (event.type, event.value, event.source, event.run_id) == ("object", "seen", "live", None)
        assert event.confidence == event.more["score"] >= 0.5
        assert event.picture == f"events/{event.id}.jpg"
        drawn = cv2.imread(str(live.video_dir / event.picture))
        assert drawn.shape == picture.shape
        x1, y1, _, y2 = (round(value) for value in np.multiply(event.more["box"], (640, 360, 640, 360)))
        frame = np.abs(drawn[y1:y2, x1 : x1 + 3].astype(int) - picture[y1:y2, x1 : x1 + 3]).mean()
        assert frame > 20, "no box is drawn"
    assert [event.id for event in events if event.type == "object"] == [event.id for event in live.events()]
    assert [event.value for event in events] == ["started", *["seen"] * 3, "stopped"]
    assert {one.label for one in found[-1].boxes} == set(labels)
    assert len({one.track for one in found[-1].boxes}) == 3


def test_nothing_is_analysed_while_nothing_moves(live: Live, serve: Serve) -> None:
    camera = Still(standing(1)[0], moving=False)
    server = serve(door=camera)
    server.settings["door"] = {"live_objects": "motion"}
    program = live.start(server.url)
    wait_until(lambda: server.open == 1, "the connection")
    assert any("when=motion" in path for path in server.requests)
    camera.moving = True
    wait_until(live.events, "an event")
    assert program.count(messages.LIVE_FRAMES_MISSING) == 0


def test_cameras_zones_and_classes_are_followed(live: Live, serve: Serve) -> None:
    picture, labels = standing(6)
    assert set(labels) == {"person", "dog"}
    server = serve(door=Still(picture))
    server.settings["door"] = {"live_objects": "off"}
    program = live.start(server.url)
    program.wait_for(messages.LIVE_READY)
    # off, until a zone wants something of it
    path = zones_path(live.video_dir, "door")
    task = {"do": "objects", "when": "live", "labels": ["cat", "dgo"]}
    write_zones(path, {"zones": [{"name": "gate", "points": [[0, 0], [1, 0], [1, 1]], "tasks": [task]}]})
    program.wait_for("1 tasks of its zones", 30)
    program.wait_for(line_of(messages.ZONE_LABEL_UNKNOWN, "zone 'gate': .*'dgo' .did you mean 'dog'.*"))
    wait_until(lambda: server.open == 1, "frames")
    path.write_text(path.read_text().replace('"objects"', '"objcts"'))
    program.wait_for(messages.LIVE_ZONES_WRONG)
    assert program.count(messages.LIVE_CAMERA_LEFT) == 0
    write_zones(path, {"zones": []})
    program.wait_for(messages.LIVE_CAMERA_LEFT)
    assert program.count(messages.LIVE_ZONES_WRONG) == program.count(messages.LIVE_ZONES_RIGHT_AGAIN) == 1
    assert live.labels() == []
    # objects, first of one label, then of all
    server.settings["door"] = {"live_objects": "on", "classes": ["DOG"]}
    wait_until(live.events, "the dog")
    server.settings["door"]["classes"] = ["cat", "dragon"]
    program.wait_for(messages.LIVE_CAMERA_REFUSED)
    server.settings["door"]["classes"] = None
    wait_until(lambda: len(live.events()) >= 6, "all of them")
    assert live.labels()[0] == "dog"
    assert sorted(live.labels()) == sorted(labels)
    # another camera comes, and this one goes
    server.cameras["yard"] = Still(standing(1)[0])
    wait_until(lambda: live.events("yard"), "the other camera")
    del server.cameras["door"]
    program.wait_for(messages.LIVE_CAMERA_LEFT, count=2)
    assert program.count(messages.LIVE_CAMERA_REFUSED) == 1


def test_capture_may_come_late_and_go(live: Live, serve: Serve) -> None:
    camera = Still(standing(1)[0])
    server = serve(door=camera)
    server.stop()
    program = live.start(server.url)
    program.wait_for(messages.LIVE_CAPTURE_AWAY)
    assert live.health(server.url) == EXIT_OK
    server.start()
    wait_until(live.events, "an event")
    server.stop()
    program.wait_for(messages.LIVE_FRAMES_MISSING)
    program.wait_for(messages.LIVE_CAPTURE_AWAY, count=2)
    camera.picture = standing(2)[0]
    server.start()
    program.wait_for(messages.LIVE_FRAMES_AGAIN)
    program.wait_for(messages.LIVE_CAPTURE_BACK, count=2)
    wait_until(lambda: len(live.events()) == 2, "the second event")
    assert program.stop() == EXIT_OK
    assert program.count(messages.LIVE_FRAMES_MISSING) == 1
    assert program.count(messages.LIVE_CAPTURE_AWAY) == 2


def test_a_frame_that_cannot_be_decoded_is_skipped_and_reported_once(live: Live, serve: Serve) -> None:
    class Damaged(Still):
        damaged = True

        def jpeg(self, at: float) -> bytes:
            whole = super().jpeg(at)
            return whole[:200] if self.damaged else whole

    camera = Damaged(standing(1)[0])
    server = serve(door=camera)
    program = live.start(server.url)
    program.wait_for(messages.LIVE_FRAME_UNDECODABLE)
    camera.damaged = False
    program.wait_for(messages.LIVE_FRAMES_DECODABLE_AGAIN)
    wait_until(live.events, "an event")
    assert program.count(messages.LIVE_FRAME_UNDECODABLE) == 1


@pytest.mark.slow
def test_a_state_that_its_analysis_fails_at_holds_nobody_else_up_and_is_given_up(live: Live, serve: Serve) -> None:
    server = serve(door=Still(standing(1)[0]), yard=Still(standing(1)[0]))
    program = live.start(server.url)
    wait_until(lambda: len(live.events()) == 2, "both events")
    program.stop()
    path = live.video_dir / ".live" / "door.json"
    state = json.loads(path.read_text())
    state["steps"]["Track"] |= {"begun": 10**30, "tracks": []}
    path.write_text(json.dumps(state))
    (path.parent / "yard.json").write_text('{"schema": 99}')
    program = live.start(server.url)
    program.wait_for(messages.LIVE_CAMERA_FAILED)
    assert program.count(messages.LIVE_STATE_UNREADABLE) == 1
    server.cameras["yard"].picture = standing(3)[0]
    wait_until(lambda: len(live.events("yard")) >= 3, "the other camera")
    wait_until(lambda: len(live.events("door")) == 2, "the camera, anew")
    assert program.count(messages.LIVE_CAMERA_FAILED) == 1
    assert program.stop() == EXIT_OK


def test_a_second_live_worker_says_who_serves_the_volume(live: Live, serve: Serve) -> None:
    server = serve(door=Still(standing(1)[0]))
    first = live.start(server.url)
    first.wait_for(messages.LIVE_READY)
    second = live.start(server.url)
    assert second.wait(60) == EXIT_FAILED
    assert len(second.lines) == 1
    assert f"process {first.process.pid}" in second.text
    first.end()
    third = live.start(server.url)
    third.wait_for(messages.LIVE_READY)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"CAPTURE_URL": "ftp://capture"}, "CAPTURE_URL"),
        ({"CAPTURE_URL": "http://user:secret@capture"}, "CAPTURE_URL"),
        ({"CAPTURE_URL": "http://capture:99999"}, "CAPTURE_URL"),
        ({"LIVE_FPS": "0"}, "LIVE_FPS"),
        ({"YOLO_MODEL": "missing.onnx"}, "YOLO_MODEL"),
        ({"YOLO_CLASSES": "dragon"}, "YOLO_CLASSES"),
    ],
)
def test_a_wrong_setting_is_one_line(live: Live, settings: dict[str, str], named: str) -> None:
    program = live.start("http://127.0.0.1:1", **settings)
    assert program.wait() == EXIT_USAGE
    assert len(program.lines) == 1
    assert named in program.text
    assert "secret" not in program.text


def test_health_without_a_live_worker_is_one_line(live: Live) -> None:
    assert live.health("http://127.0.0.1:1") == EXIT_FAILED


def test_events_wait_for_a_volume_that_is_full_and_are_published_meanwhile(
    live: Live, serve: Serve, redis_server: RedisServer, small_volume: Path
) -> None:
    live.video_dir = small_volume
    camera = Still(standing(0)[0])
    server = serve(door=camera)
    program = live.start(server.url)
    wait_until((small_volume / ".live" / "door.json").exists, "a state")
    filler = small_volume / "filler"
    fill(filler)
    listener = Listener(redis_server)
    camera.picture, labels = standing(2)
    program.wait_for(messages.LIVE_NOT_WRITTEN)
    listener.wait_for("object", "seen", 2)
    assert live.events() == []
    filler.unlink()
    wait_until(lambda: len(live.events()) == 2, "the lines")
    program.wait_for(messages.LIVE_WRITTEN_AGAIN)
    listener.wait_for("service", "trouble", 2)
    news = listener.of("object", "seen")
    troubles = [event.more for event in listener.of("service", "trouble")]
    assert [(more["what"], more["reason"], more["over"]) for more in troubles] == [
        ("volume_unavailable", "No space left on device", False),
        ("volume_unavailable", "No space left on device", True),
    ]
    assert sorted(live.labels()) == sorted(labels)
    assert [event.id for event in live.events()] == [event.id for event in news]
    assert all((small_volume / str(event.picture)).stat().st_size > 1000 for event in live.events())
    assert program.count(messages.LIVE_NOT_WRITTEN) == 1


def test_a_dead_redis_delays_nothing(live: Live, serve: Serve, redis_server: RedisServer) -> None:
    redis_server.stop()
    server = serve(door=Still(standing(2)[0]))
    program = live.start(server.url)
    wait_until(lambda: len(live.events()) == 2, "the lines")
    assert live.health(server.url) == EXIT_OK
    redis_server.start()
    with EventReader(redis_server.settings, after="0", types=["object"]) as stream:
        found: list = []
        try:
            wait_until(lambda: found.extend(stream.read(0.5)) or len(found) == 2, "the news")
        except QueueUnavailable:
            pytest.fail("Redis is there")
    assert program.count(shared_messages.EVENTS_NOT_PUBLISHED) == 1


def test_a_state_whose_times_are_none_is_left_out(live: Live, serve: Serve) -> None:
    server = serve(**{f"cam{number}": Still(standing(1)[0]) for number in range(3)})
    (live.video_dir / ".live").mkdir(parents=True)
    for number, (began, last_s) in enumerate([(1e30, 1.0), (math.nan, 1.0), (1e9, math.inf)]):
        state = {"schema": 1, "began": began, "last_s": last_s, "last_at": began, "steps": {}}
        (live.video_dir / ".live" / f"cam{number}.json").write_text(json.dumps(state))
    program = live.start(server.url)
    wait_until(lambda: len({event.camera for event in live.events()}) == 3, "an event of each")
    assert program.stop() == EXIT_OK


FAILING = """
import os
from video_worker.live.program import live
from video_worker.live.worker import LiveWorker

def fail(*_):
    raise OSError("by the test")

LiveWorker.run = fail
live(os.environ)
"""


def test_one_that_ends_by_an_error_says_that_it_has_stopped(
    live: Live, programs: Programs, redis_server: RedisServer
) -> None:
    live.video_dir.mkdir()
    program = programs.python("-c", FAILING, env=live.env("http://127.0.0.1:1"))
    assert program.wait(60) == EXIT_FAILED
    assert "by the test" in program.text
    listener = Listener(redis_server)
    listener.wait_for("service", "stopped")
    assert listener.summary() == ["service started", "service stopped"]
    assert {event.more["program"] for event in listener.events} == {"live"}


@pytest.mark.slow
def test_with_too_little_cpu_the_rate_is_lowered_for_all_and_raised_again(live: Live, serve: Serve) -> None:
    server = serve(**{f"cam{number}": Street((320, 180), seed=number) for number in range(6)})
    program = live.start(server.url, LIVE_FPS="30", YOLO_IMGSZ="1280")
    program.wait_for(messages.LIVE_TOO_SLOW, 90)
    states = [live.video_dir / ".live" / f"cam{number}.json" for number in range(6)]

    def last() -> list[float]:
        return [json.loads(path.read_text())["last_at"] if path.exists() else 0.0 for path in states]

    wait_until(lambda: min(last()) > 0, "each camera to be served")
    assert max(last()) - min(last()) < 5, "a camera is left behind"
    wait_until(lambda: any("fps=15" in path for path in server.requests), "a lower rate")
    for number in range(1, 6):
        del server.cameras[f"cam{number}"]
    server.cameras["cam0"] = Still(standing(0)[0], moving=False)
    server.settings["cam0"] = {"live_objects": "motion"}
    wait_until(lambda: "fps=30" in server.requests[-1] or "fps=30" in server.requests[-2], "the full rate", 180)
    assert program.count(messages.LIVE_TOO_SLOW) == 1
