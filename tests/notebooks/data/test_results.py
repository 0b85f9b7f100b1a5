"""The log, the boxes and the uptime as frames: what is read, and what cannot break it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from devtools.benchmarks.results import write_log
from devtools.paths import ROOT
from notebooks.lab.data.line_types import BOX_COLUMNS, NUMBERS, STEP_COLUMNS, TEXTS, TIMES, WHOLES, KnownLine
from notebooks.lab.data.results import ORDER, boxes, iter_boxes, latest, load_log, objects, uptime
from shared_utils.contracts.boxes import NEEDED
from shared_utils.contracts.camera_log import CAMERA_LOG_NAME
from shared_utils.contracts.detections_log import append_record
from tests.support.records import KYIV, NAME, OLD, line, write
from video_worker.steps import STEPS
from video_worker.steps.declarations import Kind, LogColumn


def test_a_line_becomes_a_row_with_every_column(path: Path) -> None:
    [row] = load_log(write(path, line()), zone=KYIV).to_dict("records")
    assert pd.isna(row.pop("error"))
    assert pd.isna(row.pop("queued_s"))
    assert pd.isna(row.pop("aspect"))
    assert pd.isna(row.pop("input"))
    assert json.loads(row.pop("objects")) == line()["objects"]
    assert row.pop("zones") == ""
    for column in STEP_COLUMNS[1:]:  # tested below
        assert pd.isna(row.pop(column.name))
    assert row == {
        "run_id": "01a",
        "job_id": "clip-20260223-144819-door",
        "filename": NAME,
        "camera": "door",
        "ok": True,
        "detected": ("person", "tv"),
        "count": 2,
        "timestamp": pd.Timestamp("2026-02-23 14:49:15.581433", tz=KYIV),
        "started_at": pd.Timestamp("2026-02-23 14:48:19.25", tz=KYIV),
        "duration_s": 30.0,
        "frames": 600,
        "width": 1920,
        "height": 1080,
        "clip_sha256": "ab" * 32,
        "model": "yolov8n",
        "model_sha256": "cd" * 32,
        "engine": "openvino 2026.4.1",
        "conf": 0.5,
        "imgsz": 640,
        "fps": 5.0,
        "min_hits": 2,
        "classes": (),
        "asked_imgsz": 640,
        "sampled_frames": 150,
        "decode_s": 0.7,
        "infer_s": 1.4,
        "total_s": 2.2,
    }


def test_kinds_of_columns_are_the_same_whatever_the_log_holds(path: Path) -> None:
    full = load_log(write(path, line()), zone=KYIV)
    kinds = full.dtypes.astype(str).to_dict()
    assert {name: kinds[name] for name in ("camera", "count", "ok", "run_id", "conf")} == {
        "camera": "category",
        "count": "Int32",
        "ok": "bool",
        "run_id": "str",
        "conf": "float64",
    }
    assert kinds["started_at"] == kinds["timestamp"] == "datetime64[us, Europe/Kyiv]"
    for lines in ([], [OLD], [{"ok": False, "filename": NAME, "error": "x"}], [b"torn"]):
        other = load_log(write(path, *lines), zone=KYIV)
        assert other.dtypes.astype(str).to_dict() == kinds
        assert objects(other).dtypes.astype(str).to_dict() == objects(full).dtypes.astype(str).to_dict()


VALUES: dict[Kind, tuple[object, object, str]] = {
    Kind.NUMBER: (96.1, [1], "float64"),
    Kind.WHOLE: (7, "seven", "Int32"),
    Kind.FLAG: (True, "very", "boolean"),
    Kind.TEXT: ("red", 5, "str"),
}
"""By kind: a value, one of another kind, and the column's type."""


@pytest.mark.parametrize("column", STEP_COLUMNS, ids=lambda column: column.name)
def test_what_a_step_declares_is_a_column(path: Path, column: LogColumn) -> None:
    value, wrong, kind = VALUES[column.kind]
    lines = []
    one: Any
    for number, one in enumerate((value, wrong, None)):
        for name in reversed(column.path):
            one = {name: one}  # noqa: PLW2901
        lines.append(line(run_id=str(number), **one))
    log = load_log(write(path, *lines))
    assert str(log[column.name].dtype) == kind
    assert log[column.name].isna().tolist() == [False, True, True]
    assert log.loc[0, column.name] == value
    assert log.attrs == {"skipped": {}, "mended": 1}


def test_columns_that_steps_declare_have_names_of_their_own() -> None:
    of_log = [column.name for column in STEP_COLUMNS]
    assert len(ORDER) == len(set(ORDER))
    assert len(of_log) == len(set(of_log))
    assert not set(of_log) & {*TEXTS[:4], *TIMES, *NUMBERS[:5], *WHOLES[:4], *KnownLine.__struct_fields__}
    assert not {column.path[0] for column in STEP_COLUMNS} & set(KnownLine.__struct_fields__)
    of_boxes = [column.name for step in STEPS for column in step.adds.box_columns]
    assert len(of_boxes) == len(set(of_boxes))
    assert not set(of_boxes) & {"run_id", "filename", "t", "frame", "conf", "at", *NEEDED}


def test_classes_and_other_names_of_things(path: Path) -> None:
    first, *rest = line()["objects"]
    lines = [
        line(
            options={"min_hits": 2, "classes": ["person", "tv"]},
            objects=[{**first, "also": {"dog": 3, "cat": 1}}, *rest],
        ),
        line(run_id="b", objects=[{**first, "also": {}}]),
        line(run_id="c", objects=[{**first, "also": "dog"}]),
        OLD,
    ]
    log = load_log(write(path, *lines), zone=KYIV)
    assert log["classes"].tolist() == [("person", "tv"), (), (), ()]
    found = objects(log)
    assert found["also"].tolist()[0] == "dog ×3, cat ×1"
    assert found["also"].isna().tolist() == [False] + [True] * 6
    # an odd value costs no more than itself
    assert found["hits"].tolist()[3:5] == [41, 41]


def test_old_lines_and_failures_take_camera_and_time_from_the_name(path: Path) -> None:
    failed = {"ok": False, "filename": NAME, "error": "no video", "timestamp": OLD["timestamp"], "camera": "door"}
    log = load_log(write(path, OLD, failed, {**OLD, "filename": "holiday.mp4"}), zone=KYIV)
    assert log["camera"].tolist()[:2] == ["door", "door"]
    assert log["started_at"].tolist()[:2] == [pd.Timestamp("2026-02-23 14:48:19", tz=KYIV)] * 2
    assert log.loc[2, ["camera", "started_at"]].isna().all()
    assert log["error"].tolist()[1] == "no video"
    assert log["ok"].tolist() == [True, False, True]
    assert log["detected"].tolist() == [("person", "tv"), (), ("person", "tv")]
    assert log["model"].isna().all()


def test_local_times_cross_the_changes_of_clocks(path: Path) -> None:
    starts = ["2026-03-29T00:59:00+00:00", "2026-03-29T01:01:00+00:00", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
    log = load_log(write(path, *(line(run_id=at, clip={"started_at": at}) for at in starts)), zone=KYIV)
    assert [str(at) for at in log["started_at"]] == [
        "2026-03-29 02:59:00+02:00",
        "2026-03-29 04:01:00+03:00",
        "2026-10-25 03:30:00+03:00",
        "2026-10-25 03:30:00+02:00",
    ]
    # names are local: an hour that is twice is the first of them, as in the worker; one that is not moves on
    names = ["20261025-033000-door.mp4", "20260329-033000-door.mp4", "20260329-020000-door.mp4"]
    log = load_log(write(path, *({**OLD, "filename": name} for name in names)), zone=KYIV)
    assert [str(at) for at in log["started_at"]] == [
        "2026-10-25 03:30:00+03:00",
        "2026-03-29 04:00:00+03:00",
        "2026-03-29 02:00:00+02:00",
    ]


def test_a_time_without_a_zone_is_local(path: Path) -> None:
    times = [
        "2026-02-23T14:49:15",
        "2026-02-23 14:49:15.5",
        "2026-02-23T14:49:15+02:00",
        "soon",
        "2026-02-23T14:49:15Z",
    ]
    log = load_log(write(path, *({**OLD, "timestamp": time} for time in times)), zone=KYIV)
    assert [str(at)[11:] for at in log["timestamp"]] == [
        "14:49:15+02:00",
        "14:49:15.500000+02:00",
        "14:49:15+02:00",
        "",
        "16:49:15+02:00",
    ]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("America/New_York", "2026-02-23 07:48:19.250000-05:00"), ("EET-2EEST", "TZ is not the name of a time zone")],
)
def test_this_machine_s_zone_is_the_default(path: Path, zone: str, expected: str) -> None:
    program = (
        "import sys; from notebooks.lab.data.results import load_log; print(load_log(sys.argv[1]).loc[0, 'started_at'])"
    )
    command = [sys.executable, "-c", program, str(write(path, line()))]
    done = subprocess.run(
        command, env={**os.environ, "TZ": zone}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert expected in done.stdout + done.stderr


def test_latest_is_the_last_good_run_of_each_clip(path: Path) -> None:
    other = "20260223-150000-yard.mp4"
    lines = [
        line(run_id="1"),
        line(run_id="2", filename=other),
        line(run_id="3", timestamp="2026-02-24T00:00:00+02:00"),
        {"ok": False, "filename": NAME, "run_id": "4", "error": "x"},
    ]
    assert latest(load_log(write(path, *lines)))["run_id"].tolist() == ["2", "3"]


def test_a_run_that_failed_and_then_went_well_has_two_rows(path: Path) -> None:
    log = load_log(write(path, {"ok": False, "filename": NAME, "run_id": "01a", "error": "x"}, line(), line()))
    assert log["ok"].tolist() == [False, True]


def test_objects_are_one_row_a_label_and_run(path: Path) -> None:
    found = objects(load_log(write(path, line(), {**OLD, "filename": "20260301-000000-yard.mp4"}), zone=KYIV))
    assert found["label"].tolist() == ["person", "tv", "cat", "person", "tv"]
    assert found["detected"].tolist() == [True, True, False, True, True]
    first = found.loc[0].to_dict()
    assert first["first_at"] == pd.Timestamp("2026-02-23 14:48:24.05", tz=KYIV)
    assert first["last_at"] == pd.Timestamp("2026-02-23 14:48:40.45", tz=KYIV)
    assert (first["run_id"], first["camera"], first["tracks"], first["hits"]) == ("01a", "door", 1, 41)
    assert (first["model"], first["conf"]) == ("yolov8n", 0.5)
    old = found[found["camera"] == "yard"]
    assert old[["tracks", "hits", "max_conf", "first_s", "first_at"]].isna().all().all()
    assert old["started_at"].tolist() == [pd.Timestamp("2026-03-01", tz=KYIV)] * 2


def test_objects_of_a_part_are_those_of_its_rows(path: Path) -> None:
    log = load_log(write(path, *(line(run_id=str(n), camera=f"cam{n % 2}") for n in range(10))))
    part = objects(log[log["camera"] == "cam1"].sample(frac=1, random_state=1))
    assert sorted(part["run_id"].unique()) == ["1", "3", "5", "7", "9"]
    assert len(part) == 15


def frame_line(t: float, *found: list) -> bytes:
    return json.dumps({"t": t, "frame": int(t * 10), "boxes": list(found)}).encode() + b"\n"


def test_boxes_are_read_clip_by_clip_when_they_are_asked_for(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["20260223-144819-door.mp4", "20260223-150000-yard.mp4", "20260223-160000-yard.mp4"]
    lines = [line(run_id=f"r{n}", filename=name) for n, name in enumerate(names)]
    log = load_log(
        write(path, *lines, line(run_id="../../x"), {"ok": False, "filename": NAME, "run_id": "f"}), zone=KYIV
    )
    folder = tmp_path / "boxes"
    folder.mkdir()
    car, cat = ["car", 0.9, 1.5, 2.5, 30.0, 40.0, 1], ["cat", 0.2, 1, 2, 3, 4, None]
    write(folder / "20260223-144819-door.r0.jsonl", frame_line(0), frame_line(4.8, car, cat), b'{"t": 5, "fra\n')
    write(folder / "20260223-150000-yard.r1.jsonl", frame_line(0.2, cat))
    found = boxes(log, tmp_path)
    assert found.dtypes.astype(str).to_dict() == boxes(log.iloc[:0], tmp_path).dtypes.astype(str).to_dict()
    [message] = [record.getMessage() for record in caplog.records]
    assert message == "boxes: no file for 2 of 4 runs; 1 lines skipped"
    assert found.drop(columns=["at", *BOX_COLUMNS]).values.tolist() == [
        ["r0", names[0], 4.8, 48, "car", 0.9, 1.5, 2.5, 30.0, 40.0, 1],
        ["r0", names[0], 4.8, 48, "cat", 0.2, 1.0, 2.0, 3.0, 4.0, pd.NA],
        ["r1", names[1], 0.2, 2, "cat", 0.2, 1.0, 2.0, 3.0, 4.0, pd.NA],
    ]
    assert found.loc[0, "at"] == pd.Timestamp("2026-02-23 14:48:24.05", tz=KYIV)
    assert boxes(log, tmp_path, min_conf=0.5)["label"].tolist() == ["car"]
    lazy = iter_boxes(log, tmp_path)
    assert len(next(lazy)) == 2
    (folder / "20260223-150000-yard.r1.jsonl").unlink()
    assert list(lazy) == []


def test_boxes_of_a_video_without_a_time_of_day(tmp_path: Path, path: Path) -> None:
    log = load_log(write(path, line(filename="holiday.mp4", clip={})), zone=KYIV)
    (tmp_path / "boxes").mkdir()
    write(tmp_path / "boxes" / "holiday.01a.jsonl", frame_line(0.2, ["cat", 0.2, 1, 2, 3, 4, None]))
    found = boxes(log, tmp_path)
    assert found["at"].isna().all()
    assert str(found["at"].dtype) == "datetime64[us, Europe/Kyiv]"


def test_uptime_is_one_row_an_interval(tmp_path: Path) -> None:
    for event, at in (("up", "2026-02-23T12:00:00+02:00"), ("alive", "2026-02-23T12:05:00+02:00")):
        append_record(tmp_path / CAMERA_LOG_NAME, {"camera": "door", "event": event, "at": at})
    found = uptime(tmp_path, zone=KYIV)
    assert found["camera"].tolist() == ["door"]
    assert (found["end"] - found["start"]).tolist() == [pd.Timedelta(minutes=5)]
    assert str(found["start"].dtype) == "datetime64[us, Europe/Kyiv]"
    empty = uptime(tmp_path / "none", zone=KYIV)
    assert empty.dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()


def test_a_generated_log_is_read_whole(path: Path) -> None:
    kinds = write_log(path, 2000)
    log = load_log(path)
    assert len(log) == 2000
    assert kinds["failed"] == (~log["ok"]).sum() > 0
    assert log["camera"].nunique() == 4
    assert log["started_at"].notna().all()
    assert log["started_at"].min() < pd.Timestamp(datetime(2025, 1, 2).astimezone())
    assert objects(log)["detected"].any()
