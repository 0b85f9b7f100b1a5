"""When cameras were watched: what is written, and what is made of it."""

from __future__ import annotations

import json
import multiprocessing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared_utils.contracts.camera_log import (
    CAMERA_LOG_NAME,
    Interval,
    append_camera_line,
    camera_line,
    camera_log_path,
    read_intervals,
)
from shared_utils.contracts.detections_log import append_record
from shared_utils.errors import FormatError, SettingError

NOON = datetime.fromisoformat("2026-02-23T12:00:00+02:00")


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


def test_cameras_are_kept_apart_and_foreign_lines_skipped(tmp_path: Path) -> None:
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


def test_an_interval_across_the_change_of_clocks_keeps_its_length(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for event, moment in (("up", "2026-10-25T03:58:00+03:00"), ("down", "2026-10-25T03:02:00+02:00")):
        append_record(path, {"camera": "door", "event": event, "at": moment})
    [one] = read_intervals(path)
    assert one.end - one.start == timedelta(minutes=4)


def test_a_missing_log_is_empty_and_a_folder_is_an_error(tmp_path: Path) -> None:
    assert read_intervals(tmp_path / "none") == []
    with pytest.raises(SettingError, match="cannot be read as a log"):
        read_intervals(tmp_path)


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


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = camera_log_path(tmp_path)
    append_camera_line(path, camera_line("door", "up", at(0)))
    append_camera_line(path, camera_line("door", "down", at(3), "no connection " * 100))
    assert read_intervals(path) == [Interval("door", at(0), at(3))]
    last = json.loads(path.read_text().splitlines()[-1])
    assert len(last["reason"]) == 200
    assert "schema" not in last


def test_lines_of_a_later_version_are_an_error_and_not_a_time_without_cameras(tmp_path: Path) -> None:
    path = write(camera_log_path(tmp_path), ("up", 0), ("down", 1), schema=1)
    assert len(read_intervals(path)) == 1
    write(path, ("up", 2), schema=2)
    with pytest.raises(FormatError, match=r"cameras_log\.jsonl is of schema 2.*update vcam"):
        read_intervals(path)
