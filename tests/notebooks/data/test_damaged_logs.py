"""Logs with foreign, broken or odd lines, without read rights, or changed while they are read."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from notebooks.lab.data.results import boxes, latest, load_log, objects
from shared_utils.contracts.detections_log import LOG_NAME, append_record, log_path
from shared_utils.errors import SettingError
from tests.support.records import KYIV, NAME, line, write

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


def test_what_is_passed_over_is_reported_in_one_line(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = load_log(write(path, line(), b"no\n", b"no\n", [1], line(), line(run_id="2", count="?"), b'{"ok": tru'))
    assert log.attrs == {
        "skipped": {"not JSON": 2, "foreign": 1, "torn at the end": 1, "of a run that is there already": 1},
        "mended": 1,
    }
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "detections_log.jsonl: lines skipped: 2 not JSON, 1 foreign, 1 torn at the end, "
        "1 of a run that is there already; "
        "lines kept without invalid values: 1"
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


def test_a_missing_log_is_empty_and_a_missing_folder_is_reported(tmp_path: Path) -> None:
    assert load_log(tmp_path).empty
    assert load_log(log_path(tmp_path)).empty
    assert latest(load_log(tmp_path)).empty
    assert boxes(load_log(tmp_path), tmp_path).empty
    with pytest.raises(SettingError, match="is no folder"):
        load_log(tmp_path / "none" / LOG_NAME)


def test_what_is_no_file_or_may_not_be_read_is_one_line(tmp_path: Path, path: Path) -> None:
    path.mkdir()
    with pytest.raises(SettingError, match="cannot be read as a log: it is no file"):
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
        with pytest.raises(SettingError, match="cannot be read as a log: Permission denied"):
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
