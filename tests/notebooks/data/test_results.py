"""The log, the boxes and the uptime as frames: what is read, and what can not break it."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from devtools.benchmarks.results import write_log
from devtools.paths import ROOT
from notebooks.lab.data.line_types import STEP_COLUMNS
from notebooks.lab.data.results import boxes, iter_boxes, latest, load_log, objects, uptime
from shared_utils.contracts.camera_log import CAMERA_LOG_NAME
from shared_utils.contracts.detections_log import LOG_NAME, append_record, log_path
from shared_utils.errors import SettingError
from video_worker.steps.declarations import Kind, LogColumn

KYIV = "Europe/Kyiv"
NAME = "20260223-144819-door.mp4"


def line(**more: object) -> dict:
    return {
        "ok": True,
        "filename": NAME,
        "detected": ["person", "tv"],
        "count": 2,
        "timestamp": "2026-02-23T14:49:15.581433+02:00",
        "schema": 1,
        "camera": "door",
        "run_id": "01a",
        "job_id": "clip-20260223-144819-door",
        "objects": [
            {"label": "person", "tracks": 1, "hits": 41, "max_conf": 0.94, "first_s": 4.8, "last_s": 21.2},
            {"label": "tv", "tracks": 2, "hits": 7, "max_conf": 0.6, "first_s": 0.0, "last_s": 30.0},
            {"label": "cat", "tracks": 1, "hits": 1, "max_conf": 0.2, "first_s": 3.0, "last_s": 3.0},
        ],
        "clip": {
            "sha256": "ab" * 32,
            "started_at": "2026-02-23T12:48:19.250000+00:00",
            "duration_s": 30.0,
            "frames": 600,
            "width": 1920,
            "height": 1080,
        },
        "model": {"name": "yolov8n", "sha256": "cd" * 32, "engine": "openvino 2026.4.1", "conf": 0.5, "imgsz": 640}
        | {"fps": 5},
        "timing": {"queued_s": None, "decode_s": 0.7, "infer_s": 1.4, "total_s": 2.2},
        "options": {"model": "yolov8n.onnx", "conf": 0.5, "imgsz": 640, "fps": 5.0, "min_hits": 2},
        "versions": {"av": "18.1.0"},
        "sampled_frames": 150,
        **more,
    }


OLD = {key: line()[key] for key in ("ok", "filename", "detected", "count", "timestamp")}


def write(path: Path, *lines: object) -> Path:
    """Write lines: bytes as they are, everything else as JSON."""
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines]
    path.write_bytes(b"".join(texts))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return log_path(tmp_path)


def test_a_line_becomes_a_row_with_every_column(path: Path) -> None:
    [row] = load_log(write(path, line()), zone=KYIV).to_dict("records")
    assert pd.isna(row.pop("error"))
    assert pd.isna(row.pop("queued_s"))
    assert pd.isna(row.pop("aspect"))
    assert pd.isna(row.pop("input"))
    assert json.loads(row.pop("objects")) == line()["objects"]
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


BROKEN = {
    "blank": b"\n  \n",
    "a torn line in the midst": b'{"ok": true, "filen\n',
    "no text": b"\xff\xfe\x00\n",
    "zeros of a power cut": b"\0" * 5000 + b"\n",
    "another program's": b'{"level": "info", "ok": true}\n',
    "a list": b"[1, 2]\n",
    "a number": b"5\n",
    "null": b"null\n",
    "ok of a wrong kind": json.dumps(line(ok="yes")).encode() + b"\n",
    "no name": json.dumps(line(filename=None)).encode() + b"\n",
    "an empty name": json.dumps(line(filename="")).encode() + b"\n",
    "a number for a name": json.dumps(line(filename=5)).encode() + b"\n",
    "deep": b'{"ok": true, "filename": ' + b"[" * 200_000 + b"\n",
    "deep beside": b'{"ok": true, "x": ' + b"[" * 200_000 + b"\n",
    "a number without end": b'{"ok": true, "count": ' + b"9" * 10_000 + b"}\n",
    "10 MB": b'{"note": "' + b"x" * 10_000_000 + b'"}\n',
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_line_that_is_none_of_ours_is_counted_and_breaks_nothing(
    path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    log = load_log(write(path, line(), broken, line(run_id="02")))
    assert log["run_id"].tolist() == ["01a", "02"]
    passed = sum(log.attrs["skipped"].values())
    assert passed == (0 if not broken.strip() else 1)
    assert len(caplog.records) == passed
    assert len(objects(log)) == 6


def test_what_is_passed_over_is_said_in_one_line(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = load_log(write(path, line(), b"no\n", b"no\n", [1], line(), line(run_id="2", count="?"), b'{"ok": tru'))
    assert log.attrs == {
        "skipped": {"no JSON": 2, "foreign": 1, "torn at the end": 1, "of a run told before": 1},
        "mended": 1,
    }
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "detections_log.jsonl: lines passed over: 2 no JSON, 1 foreign, 1 torn at the end, 1 of a run told before; "
        "lines kept without odd values: 1"
    )


ODD_VALUES = {
    "count": ("count", "two"),
    "count as text": ("count", -1),
    "NaN": ("clip", {"duration_s": float("nan"), "frames": 600}),
    "infinite": ("timing", {"total_s": float("inf"), "infer_s": 1.4}),
    "huge": ("clip", {"duration_s": 1e300, "frames": 600}),
    "past 32 bits": ("clip", {"width": 2**40, "frames": 600}),
    "a list for an object": ("timing", [1]),
    "a text for an object": ("model", "yolov8n"),
    "a wrong number in the model": ("model", {"name": "yolov8n", "conf": "high", "imgsz": 640}),
    "a number among the labels": ("detected", ["person", 5]),
    "a number for the camera": ("camera", 5),
    "an object for an error": ("error", {"a": 1}),
}


@pytest.mark.parametrize(("key", "value"), ODD_VALUES.values(), ids=ODD_VALUES)
def test_values_of_a_wrong_kind_are_left_out_and_the_rest_kept(path: Path, key: str, value: object) -> None:
    log = load_log(write(path, line(run_id="0"), line(**{key: value}), line(run_id="2")))
    assert log["run_id"].tolist() == ["0", "01a", "2"]
    assert log.attrs["skipped"] == {}
    row = log.loc[1]
    assert row["filename"] == NAME
    assert row["sampled_frames"] == 150
    if key == "clip":
        assert row["frames"] == 600
        assert pd.isna(row["duration_s"])
    if key == "timing":
        assert pd.isna(row["total_s"])
    assert len(objects(log)) == 9


def test_numbers_written_as_text_are_understood(path: Path) -> None:
    [row] = load_log(write(path, line(count="2", clip={"duration_s": "30.5"}))).to_dict("records")
    assert (row["count"], row["duration_s"]) == (2, 30.5)


def test_odd_objects_cost_no_more_than_themselves(path: Path) -> None:
    good = {"label": "car", "tracks": 1, "hits": "3", "max_conf": "?", "first_s": 0.5, "last_s": float("nan")}
    entries = [good, 5, {"hits": 1}, {"label": "bus"}]
    log = load_log(write(path, line(objects=entries), line(run_id="2", objects="none"), line(run_id="3", objects=None)))
    found = objects(log)
    assert found["label"].tolist() == ["car", "bus"]
    assert found["hits"].tolist() == [3, pd.NA]
    assert found[["max_conf", "last_s"]].isna().all().all()


def test_unicode_is_kept(path: Path) -> None:
    names = ["вхід", "入口", "🚪", "\ud800"]
    entries = [line(run_id=str(n), filename=f"{name}.mp4", detected=[name]) for n, name in enumerate(names)]
    log = load_log(write(path, *entries))
    assert log["filename"].tolist() == ["вхід.mp4", "入口.mp4", "🚪.mp4", "?.mp4"]
    assert log["detected"].tolist()[:3] == [("вхід",), ("入口",), ("🚪",)]
    log.to_csv(path.with_suffix(".csv"), encoding="utf-8")


def test_two_lines_that_were_run_together_are_two(path: Path) -> None:
    joined = json.dumps(line()).encode() + json.dumps(line(run_id="2")).encode() + b"\n"
    assert load_log(write(path, joined, b"no\n"))["run_id"].tolist() == ["01a", "2"]


def test_a_missing_log_is_empty_and_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert load_log(tmp_path).empty
    assert load_log(log_path(tmp_path)).empty
    assert latest(load_log(tmp_path)).empty
    assert boxes(load_log(tmp_path), tmp_path).empty
    with pytest.raises(SettingError, match="is no folder"):
        load_log(tmp_path / "none" / LOG_NAME)


def test_what_is_no_file_or_may_not_be_read_is_one_line(tmp_path: Path, path: Path) -> None:
    path.mkdir()
    with pytest.raises(SettingError, match="can not be read as a log: it is no file"):
        load_log(tmp_path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(SettingError, match="it is no file"):
        load_log(tmp_path)


def test_a_log_without_read_rights_is_one_line() -> None:
    with tempfile.TemporaryDirectory() as temporary:  # pytest's own folders are closed to others anyway
        folder = Path(temporary)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0o700)
        write(log_path(folder), line()).chmod(0)
        process = multiprocessing.get_context("spawn").Process(target=load_as_nobody, args=(folder,))
        process.start()
        process.join()
        assert process.exitcode == 0


def load_as_nobody(folder: Path) -> None:
    if os.getuid() == 0:
        os.setuid(65534)
    for path in (folder, log_path(folder), folder / "closed" / LOG_NAME):
        with pytest.raises(SettingError, match="can not be read as a log: Permission denied"):
            load_log(path, zone=KYIV)


def test_a_log_that_grows_is_replaced_or_cut_while_it_is_read(path: Path) -> None:
    write(path, *(line(run_id=str(number)) for number in range(3000)))
    writer = multiprocessing.get_context("spawn").Process(target=disturb, args=(path,))
    writer.start()
    while writer.is_alive():
        log = load_log(path)
        assert log["run_id"].is_unique
        assert sum(log.attrs["skipped"].values()) <= 1  # the last line, where the file was cut
    writer.join()
    assert writer.exitcode == 0


def disturb(path: Path) -> None:
    for number in range(40):
        append_record(path, line(run_id=f"new-{number}"))
        if number % 10 == 5:
            other = path.with_suffix(".new")
            write(other, *(line(run_id=str(row)) for row in range(2000)))
            other.replace(path)
        if number % 10 == 9:
            os.truncate(path, path.stat().st_size // 2)


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
    assert message == "boxes: no file for 2 of 4 runs; 1 lines passed over"
    assert found.drop(columns="at").values.tolist() == [
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


def test_boxes_of_a_film_without_a_time_of_day(tmp_path: Path, path: Path) -> None:
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
