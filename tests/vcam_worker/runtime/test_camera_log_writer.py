"""What capture writes of cameras into ``cameras_log.jsonl``."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared_utils.contracts.camera_log import ALIVE_S, camera_log_path
from shared_utils.redact import Redactor
from tests.support.log_lines import logged
from vcam_worker import messages
from vcam_worker.runtime.camera_log import CameraLogWriter, Changes
from vcam_worker.runtime.status import CameraStatus

EPOCH = datetime.fromisoformat("2026-02-23T12:00:00+02:00").timestamp()


def status(name: str = "door", state: Any = "running", **more: Any) -> CameraStatus:
    return CameraStatus(name, "rtsp://camera", state, **more)


def lines_at(changes: Changes, seconds: float, *statuses: CameraStatus) -> list[tuple[str, str, float]]:
    found = changes.lines(statuses, EPOCH + seconds, seconds)
    return [(e["camera"], e["event"], datetime.fromisoformat(e["at"]).timestamp() - EPOCH) for e in found]


def test_changes_make_lines_and_a_sign_of_life_every_few_minutes() -> None:
    changes = Changes()
    assert lines_at(changes, 0, status(state="starting")) == []
    assert lines_at(changes, 2, status()) == [("door", "up", 2)]
    assert lines_at(changes, 3, status()) == []
    assert lines_at(changes, ALIVE_S + 1, status()) == []
    assert lines_at(changes, ALIVE_S + 2, status()) == [("door", "alive", ALIVE_S + 2)]
    assert lines_at(changes, ALIVE_S + 3, status()) == []
    away = status(state="stalled", reason="silent", last_packet=EPOCH + ALIVE_S)
    assert lines_at(changes, ALIVE_S + 18, away) == [("door", "down", ALIVE_S)]
    assert lines_at(changes, ALIVE_S + 19, status(state="offline", last_packet=EPOCH)) == []
    assert lines_at(changes, 3 * ALIVE_S, status(state="offline")) == []
    assert lines_at(changes, 3 * ALIVE_S + 1, status()) == [("door", "up", 3 * ALIVE_S + 1)]


def test_a_full_disk_and_a_new_process_are_gaps() -> None:
    changes = Changes()
    lines_at(changes, 0, status(), status("yard"))
    assert lines_at(changes, 5, status(state="paused", last_packet=EPOCH + 5), status("yard", "starting")) == [
        ("door", "down", 5),
        ("yard", "down", 5),
    ]


def test_a_last_packet_of_another_day_is_not_believed() -> None:
    for wrong in (EPOCH - 86400, EPOCH + 86400, None):
        changes = Changes()
        lines_at(changes, 0, status())
        assert lines_at(changes, 30, status(state="offline", last_packet=wrong)) == [("door", "down", 30)]


def test_cameras_that_are_up_go_down_at_the_end() -> None:
    changes = Changes()
    lines_at(changes, 0, status(), status("yard", "offline"))
    [entry] = changes.end("capture was stopped", EPOCH + 9)
    assert (entry["camera"], entry["event"], entry["reason"]) == ("door", "down", "capture was stopped")


def test_reasons_hold_no_secret() -> None:
    changes = Changes(Redactor(["hunter22"]))
    [entry] = changes.lines([status(state="offline", reason="rtsp://me:x@cam refused, hunter22 " * 20)], EPOCH, 0)
    assert "hunter22" not in json.dumps(entry)
    assert "me:x" not in json.dumps(entry)
    assert len(entry["reason"]) <= 200


def test_lines_wait_for_a_disk_that_takes_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = camera_log_path(tmp_path)
    path.mkdir()
    caplog.set_level(logging.INFO)
    states = [status()]
    log = CameraLogWriter(path, lambda: states)
    log.start()
    wait_until(lambda: logged(caplog, messages.CAMERA_LOG_NOT_WRITTEN))
    path.rmdir()
    wait_until(path.exists)
    states[:] = [status(state="offline", reason="refused")]
    wait_until(lambda: path.read_text().count("\n") == 2)
    log.stop()
    log.join()
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events == ["up", "down"]
    assert len(logged(caplog, messages.CAMERA_LOG_NOT_WRITTEN)) == 1
    assert len(logged(caplog, messages.CAMERA_LOG_WRITTEN_AGAIN)) == 1


def test_a_day_of_a_camera_takes_some_20_kilobytes() -> None:
    changes = Changes()
    ticks = range(0, 86_400, 60)
    lines = [line for tick in ticks for line in changes.lines([status("car-park")], EPOCH + tick, tick)]
    size = sum(len(json.dumps(line)) + 1 for line in lines)
    assert 20_000 < size < 26_000


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
