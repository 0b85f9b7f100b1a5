"""WatchLive as it is saved, and watch_live in a real kernel without a page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from devtools.redis_server import RedisServer
from notebooks.lab.jobs.places import Places
from notebooks.lab.live import watch_live
from shared_utils.config.redis import RedisSettings
from shared_utils.errors import SettingError
from tests.notebooks.conftest import RunNotebook
from tests.notebooks.live.capture_server import CaptureServer, capture_server
from tests.notebooks.live.test_frames import wait_until

TWICE = """watch_live(CAMERA)
first = watch_live("cam1", fps=1)
second = watch_live("yard")"""


@pytest.fixture
def server() -> Iterator[CaptureServer]:
    with capture_server("cam1", "yard") as running:
        yield running


def test_the_notebook_is_saved_with_a_picture_and_its_kernels_end_is_the_end(
    run_notebook: RunNotebook, server: CaptureServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    env = {**redis_server.env, "CAPTURE_URL": server.url}
    done = run_notebook("WatchLive", tmp_path, env, values=["watch_live.__module__"])
    [output] = list(done.outputs("execute_result"))
    saved = cv2.imdecode(np.frombuffer(base64.b64decode(output.data["image/jpeg"]), np.uint8), cv2.IMREAD_COLOR)
    assert saved.shape == (180, 320, 3)
    assert done.values == {"watch_live.__module__": "notebooks.lab.live.watch"}
    assert [path.split("?")[0] for path in server.requested] == ["/frames/cam1"]
    wait_until(lambda: server.open == 0)


def test_several_views_and_a_capture_that_is_away(
    run_notebook: RunNotebook, server: CaptureServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    env = {**redis_server.env, "CAPTURE_URL": server.url}
    values = ["first.feed.asks", "(first.stop(), first.feed.asks)[1]", "second.feed.asks"]
    done = run_notebook("WatchLive", tmp_path, env, values=values, changes={"watch_live(CAMERA)": TWICE})
    assert list(done.values.values()) == [True, False, True]
    wait_until(lambda: server.open == 0)
    server.stop()
    done = run_notebook("WatchLive", tmp_path, env)
    [output] = list(done.outputs("execute_result"))
    assert "image/jpeg" not in output.data


def test_wrong_arguments_are_one_line(tmp_path: Path) -> None:
    places = Places(tmp_path, RedisSettings())
    for arguments in ({"fps": 0}, {"fps": 31}, {"width": 63}, {"width": 100_000}, {"fps": float("nan")}):
        [name] = arguments
        with pytest.raises(SettingError, match=f"^{name} is .*: give a number from"):
            watch_live("door", places, **arguments)
    with pytest.raises(SettingError, match="CAPTURE_URL"):
        watch_live("door", Places(tmp_path, RedisSettings(), "capture"))
    assert Places.from_env({}).capture == "http://capture:8080"
    with pytest.raises(SettingError, match="CAPTURE_URL"):
        Places.from_env({"CAPTURE_URL": "capture:8080"})
