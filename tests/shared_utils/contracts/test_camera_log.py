"""When cameras were watched: what is written, and what is made of it."""

from __future__ import annotations

import json
import logging
import multiprocessing
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared_utils import messages
from shared_utils.contracts.camera_log import (
    ALIVE_SECONDS,
    CAMERA_LOG_NAME,
    CameraLog,
    Changes,
    Interval,
    read_intervals,
)
from shared_utils.contracts.detections_log import append_record
from shared_utils.errors import SettingError
from shared_utils.redact import Redactor
from tests.support.log_lines import logged

NOON = datetime.fromisoformat("2026-02-23T12:00:00+02:00")
EPOCH = NOON.timestamp()


@dataclass(frozen=True)
class Status:
    """What the log looks at of a camera."""

    name: str = "door"
    state: str = "running"
    reason: str | None = None
    last_packet: float | None = None


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def write(path: Path, *events: tuple[str, float], camera: str = "door", **more: object) -> Path:
    for event, minutes in events:
        append_record(path, {"camera": camera, "event": event, "at": at(minutes).isoformat(), **more})
    return path


def spans(path: Path) -> list[tuple[float, float]]:
    return [
        ((one.start - NOON).total_seconds() / 60, (one.end - NOON).total_seconds() / 60) for one in read_intervals(path)
    ]


def look(changes: Changes, seconds: float, *statuses: Status) -> list[tuple[str, str, float]]:
    found = changes.look(statuses, EPOCH + seconds, seconds)
    return [(e["camera"], e["event"], datetime.fromisoformat(e["at"]).timestamp() - EPOCH) for e in found]


def test_changes_make_lines_and_a_sign_of_life_every_few_minutes() -> None:
    changes = Changes()
    assert look(changes, 0, Status(state="starting")) == []
    assert look(changes, 2, Status()) == [("door", "up", 2)]
    assert look(changes, 3, Status()) == []
    assert look(changes, ALIVE_SECONDS + 1, Status()) == []
    assert look(changes, ALIVE_SECONDS + 2, Status()) == [("door", "alive", ALIVE_SECONDS + 2)]
    assert look(changes, ALIVE_SECONDS + 3, Status()) == []
    away = Status(state="stalled", reason="silent", last_packet=EPOCH + ALIVE_SECONDS)
    assert look(changes, ALIVE_SECONDS + 18, away) == [("door", "down", ALIVE_SECONDS)]
    assert look(changes, ALIVE_SECONDS + 19, Status(state="offline", last_packet=EPOCH)) == []
    assert look(changes, 3 * ALIVE_SECONDS, Status(state="offline")) == []
    assert look(changes, 3 * ALIVE_SECONDS + 1, Status()) == [("door", "up", 3 * ALIVE_SECONDS + 1)]


def test_a_full_disk_is_no_watching_and_a_new_process_is_a_gap() -> None:
    changes = Changes()
    look(changes, 0, Status(), Status("yard"))
    assert look(changes, 5, Status(state="paused", last_packet=EPOCH + 5), Status("yard", "starting")) == [
        ("door", "down", 5),
        ("yard", "down", 5),
    ]


def test_a_last_packet_of_another_day_is_not_believed() -> None:
    for wrong in (EPOCH - 86400, EPOCH + 86400, None):
        changes = Changes()
        look(changes, 0, Status())
        assert look(changes, 30, Status(state="offline", last_packet=wrong)) == [("door", "down", 30)]


def test_the_end_is_told_of_cameras_that_are_up() -> None:
    changes = Changes()
    look(changes, 0, Status(), Status("yard", "offline"))
    [entry] = changes.end("capture was stopped", EPOCH + 9)
    assert (entry["camera"], entry["event"], entry["reason"]) == ("door", "down", "capture was stopped")


def test_reasons_hold_no_secret() -> None:
    changes = Changes(Redactor(["hunter22"]))
    [entry] = changes.look([Status(state="offline", reason="rtsp://me:x@cam refused, hunter22 " * 20)], EPOCH, 0)
    assert "hunter22" not in json.dumps(entry)
    assert "me:x" not in json.dumps(entry)
    assert len(entry["reason"]) <= 200


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([("up", 0)], []),  # no more is known than the moment
        ([("up", 0), ("alive", 5), ("alive", 10)], [(0, 10)]),
        ([("up", 0), ("alive", 5), ("down", 7)], [(0, 7)]),
        ([("up", 0), ("alive", 5), ("down", 4.8)], [(0, 4.8)]),  # the last packet came before the sign of life
        ([("up", 0), ("alive", 5), ("up", 60), ("alive", 65)], [(0, 5), (60, 65)]),  # a crash
        ([("up", 0), ("alive", 5), ("alive", 60), ("down", 61)], [(0, 5), (60, 61)]),  # the machine slept
        ([("up", 0), ("alive", 5), ("down", 60)], [(0, 5)]),
        ([("down", 0), ("up", 1), ("down", 2), ("down", 3)], [(1, 2)]),
        ([("up", 0), ("down", 1), ("up", 1), ("down", 2)], [(0, 2)]),
        ([("up", 0), ("alive", 5), ("up", -60), ("alive", -55), ("up", 3), ("down", 4)], [(-60, -55), (0, 5)]),
    ],
)
def test_intervals(tmp_path: Path, events: list, expected: list) -> None:
    assert spans(write(tmp_path / "log", *events)) == expected


def test_a_new_capture_without_its_camera_does_not_know_how_the_one_before_ended(tmp_path: Path) -> None:
    path = write(tmp_path / "log", ("up", 0), ("alive", 5))
    write(path, ("down", 8), first=True)
    assert spans(path) == [(0, 5)]


def test_cameras_are_kept_apart_and_odd_lines_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "log", ("up", 0))
    write(path, ("up", 1), camera="yard")
    with path.open("ab") as file:
        file.write(b'[1]\nnull\n\xff\n{"camera": 5, "event": "up", "at": "x"}\n{"camera": "door", "event": "off"}\n')
        file.write(b'{"camera": "door", "event": "down", "at": "yesterday"}\n')
        file.write(b'{"camera": "door", "event": "up", "at": "0001-01-01T00:00:00"}\n' + b"[" * 100_000 + b"\n")
        file.write(b'{"camera": "door", "ev')
    write(path, ("alive", 5), ("down", 6))
    write(path, ("alive", 5), camera="yard")
    assert read_intervals(path) == [
        Interval("door", at(0), at(6)),
        Interval("yard", at(1), at(5)),
    ]


def test_times_across_the_change_of_clocks_are_as_long_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for event, moment in (("up", "2026-10-25T03:58:00+03:00"), ("down", "2026-10-25T03:02:00+02:00")):
        append_record(path, {"camera": "door", "event": event, "at": moment})
    [one] = read_intervals(path)
    assert one.end - one.start == timedelta(minutes=4)


def test_a_missing_log_is_empty_and_a_folder_is_told(tmp_path: Path) -> None:
    assert read_intervals(tmp_path / "none") == []
    with pytest.raises(SettingError, match="can not be read as a log"):
        read_intervals(tmp_path)


def test_lines_wait_for_a_disk_that_takes_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / CAMERA_LOG_NAME
    path.mkdir()
    caplog.set_level(logging.INFO)
    states = [Status()]
    log = CameraLog(path, lambda: states)
    log.start()
    wait_until(lambda: logged(caplog, messages.CAMERA_LOG_NOT_WRITTEN))
    path.rmdir()
    wait_until(path.exists)
    states[:] = [Status(state="offline", reason="refused")]
    wait_until(lambda: path.read_text().count("\n") == 2)
    log.stop()
    log.join()
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events == ["up", "down"]
    assert len(logged(caplog, messages.CAMERA_LOG_NOT_WRITTEN)) == 1
    assert len(logged(caplog, messages.CAMERA_LOG_WRITTEN_AGAIN)) == 1


def test_many_writers_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / CAMERA_LOG_NAME
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(path, f"cam{number}")) for number in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [one.camera for one in read_intervals(path)] == ["cam0", "cam1", "cam2"]
    assert len(path.read_text().splitlines()) == 300


def append_many(path: Path, camera: str) -> None:
    write(path, ("up", 0), *(("alive", number) for number in range(1, 100)), camera=camera)


def test_a_day_of_a_camera_takes_some_20_kilobytes() -> None:
    changes = Changes()
    ticks = range(0, 86_400, 60)
    lines = [line for tick in ticks for line in changes.look([Status("car-park")], EPOCH + tick, tick)]
    size = sum(len(json.dumps(line)) + 1 for line in lines)
    assert 20_000 < size < 26_000


def wait_until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
