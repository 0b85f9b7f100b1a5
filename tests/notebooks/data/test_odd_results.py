"""Odd values in the log or a boxes file: the row is named and left empty, all others are as they were."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd
import pytest

from notebooks.lab.data.results import boxes, load_log, objects
from shared_utils.errors import FormatError


def line(number: int, **changes: object) -> str:
    entry = {"label": "car", "tracks": 1, "hits": 3, "max_conf": 0.9, "first_s": 1.0, "last_s": 2.0}
    record = {
        "ok": True, "filename": f"2026022{number}-144819-cam1.mp4", "run_id": f"r{number}", "detected": ["car"],
        "count": 1, "timestamp": "2026-02-23T14:49:15+02:00", "schema": 2, "camera": "cam1",
        "objects": [entry, {**entry, "label": "dog"}],
        "clip": {"sha256": "x", "started_at": f"2026-02-2{number}T12:00:00+00:00", "duration_s": 30.0, "frames": 9,
                 "width": 3, "height": 4},
        "model": {"name": "y", "sha256": "z", "engine": "e", "conf": 0.5, "imgsz": 640, "fps": 5},
    }  # fmt: skip
    record["clip"] |= changes.pop("clip", {})
    record["objects"][0] |= changes
    return json.dumps(record)


def write(folder: Path, *lines: str) -> Path:
    (folder / "detections_log.jsonl").write_text("\n".join(lines) + "\n")
    return folder


ABSURD = ["1e300", "1e400", "-5", "1e12", "9.3e9", "NaN", "Infinity", "-Infinity", '"soon"', "[]", "true", "9" * 40]


@pytest.mark.parametrize("where", ["first_s", "last_s"])
@pytest.mark.parametrize("value", ABSURD)
def test_one_absurd_time_costs_that_time_alone(tmp_path, caplog, where, value):
    bad = line(2).replace(f'"{where}": {1.0 if where == "first_s" else 2.0}', f'"{where}": {value}', 1)
    log = load_log(write(tmp_path, line(1), bad, line(3)), zone="Europe/Kyiv")
    with caplog.at_level(logging.WARNING):
        found = objects(log)
    assert len(log) == 3
    assert found["label"].tolist() == ["car", "dog"] * 3
    assert found[where].isna().tolist() == [False, False, True, False, False, False]
    at = "first_at" if where == "first_s" else "last_at"
    assert found[at].isna().tolist() == [False, False, True, False, False, False]
    assert found[at].iloc[0] == pd.Timestamp("2026-02-21T14:00:01+02:00") + pd.Timedelta(seconds=int(where == "last_s"))
    [message] = [record.getMessage() for record in caplog.records]
    assert "20260222-144819-cam1.mp4 of run r2" in message
    assert f"{where} of car" in message


def test_many_odd_runs_are_counted(tmp_path, caplog):
    log = load_log(write(tmp_path, *(line(number % 9 + 1, first_s=-number) for number in range(1, 31))))
    log["run_id"] = [f"r{number}" for number in range(len(log))]
    objects(log)
    assert len(caplog.records) <= 13


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "99999-01-01T00:00:00Z"])
def test_a_start_outside_of_the_calendar_is_that_of_the_name(tmp_path, moment):
    log = load_log(write(tmp_path, line(1), line(2, clip={"started_at": moment})), zone="Europe/Kyiv")
    assert log["started_at"].tolist() == [
        pd.Timestamp("2026-02-21T14:00:00+02:00"), pd.Timestamp("2026-02-22T14:48:19+02:00")
    ]  # fmt: skip
    assert objects(log)["first_at"].notna().all()


@pytest.mark.parametrize("value", ["1e300", "-1", "1e12", '"x"', "NaN"])
def test_one_absurd_frame_of_a_boxes_file_costs_that_frame_alone(tmp_path, value):
    row = '{"t": %s, "frame": %s, "boxes": [["car", 0.9, 1, 2, 3, 4, 1]]}\n'
    (tmp_path / "boxes").mkdir()
    path = tmp_path / "boxes" / "20260221-144819-cam1.r1.jsonl"
    path.write_text(row % (1.0, 1) + row % (value, 2) + row % (2.0, 99999999999999) + row % (3.0, 3))
    found = boxes(load_log(write(tmp_path, line(1))), tmp_path)
    assert found["t"].tolist() == [1.0, 3.0]


def test_an_absurd_duration_is_left_empty(tmp_path):
    log = load_log(write(tmp_path, line(1), line(2, clip={"duration_s": 1e12})))
    assert log["duration_s"].isna().tolist() == [False, True]
    assert log.attrs["mended"] == 1


def test_lines_of_a_newer_version_are_reported_and_not_taken_for_nothing_found(tmp_path, caplog):
    newer = json.dumps(json.loads(line(2)) | {"schema": 3, "detected": {"car": 1}, "objects": []})
    old = json.dumps({"ok": True, "filename": "20260225-144819-cam1.mp4", "detected": ["cat"], "count": 1})
    with caplog.at_level(logging.WARNING):
        log = load_log(write(tmp_path, line(1), newer, line(3).replace('"schema": 2', '"schema": 1'), old))
    assert log["detected"].tolist() == [("car",), ("car",), ("cat",)]
    [message] = [record.getMessage() for record in caplog.records]
    assert "1 of schema 3, which this version does not know: update vcam" in message


def test_a_log_of_a_newer_version_alone_is_an_error_and_not_an_empty_frame(tmp_path):
    newer = json.dumps(json.loads(line(2)) | {"schema": 3, "detected": {"car": 1}})
    with pytest.raises(FormatError, match=r"detections_log\.jsonl: every line is of schema 3.*update vcam"):
        load_log(write(tmp_path, newer, newer))
