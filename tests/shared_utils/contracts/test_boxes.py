"""Boxes files: written, read, and refused when they are of another version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from notebooks.lab.data.boxes_files import BoxesLines
from notebooks.lab.data.results import boxes as boxes_of
from notebooks.lab.media.clip import Run
from notebooks.lab.tuning.compare import sampled_frames
from shared_utils.contracts.boxes import (
    COLUMNS,
    Box,
    BoxesWriter,
    boxes_path,
    boxes_runs,
    list_boxes,
    read_boxes,
)
from shared_utils.errors import FormatError

CLIP = "20260223-144819-door.mp4"
RUN = "0195c6a2-7c1e-7000-8000-000000000000"
CAR = ("car", 0.91324, 10.51, 20.1, 200.0, 140.7, 1)
HEADER = json.dumps({"schema": 1, "columns": COLUMNS})
LINE = '{"t": 4.8, "frame": 120, "boxes": [["car", 0.9132, 10.5, 20.1, 200.0, 140.7, 1]]}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = boxes_path(tmp_path, CLIP, RUN)
    path.parent.mkdir()
    return path


def rows(video_dir: Path) -> pd.DataFrame:
    start = pd.Timestamp("2026-02-23T14:48:19", tz="UTC")
    return pd.DataFrame({"filename": [CLIP], "clip": [CLIP], "run_id": [RUN], "ok": [True], "started_at": [start]})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = boxes_path(tmp_path, CLIP, RUN)
    writer = BoxesWriter(path)
    writer.add(4.80049, 120, [CAR, ("dog", 0.1, 0, 0, 9, 9, None)])
    writer.add(5.0, 125, [], cut=True)
    writer.publish()
    writer.close()
    file = read_boxes(path)
    assert file.skipped == 0
    first, second = file.frames
    assert (first.time_s, first.frame, first.cut) == (4.8, 120, False)
    assert first.boxes == (Box("car", 0.9132, 10.5, 20.1, 200.0, 140.7, 1), Box("dog", 0.1, 0, 0, 9, 9, None))
    assert (second.time_s, second.frame, second.boxes, second.cut) == (5.0, 125, (), True)
    assert boxes_runs(tmp_path, CLIP) == {RUN}
    assert list_boxes(tmp_path) == {path.name}


def test_columns_of_steps_follow_the_usual_ones(tmp_path: Path) -> None:
    path = boxes_path(tmp_path, CLIP, RUN)
    writer = BoxesWriter(path, ["track", "zone"])
    writer.add(0.0, 0, [(*CAR, "gate"), (*CAR[:-1], 2, None)])
    writer.publish()
    [frame] = read_boxes(path).frames
    assert [box.track for box in frame.boxes] == [1, 2]
    assert frame.extra == {"zone": ("gate", None)}
    table = boxes_of(rows(tmp_path), tmp_path)
    assert table["zone"].fillna("").tolist() == ["gate", ""]
    assert table["track"].tolist() == [1, 2]


def test_columns_are_found_by_their_names(path: Path, tmp_path: Path) -> None:
    columns = ["track", *COLUMNS[:-1]]
    line = {"t": 0.0, "frame": 3, "boxes": [[1, *CAR[:-1]]]}
    path.write_text(f"{json.dumps({'schema': 1, 'columns': columns})}\n{json.dumps(line)}\n")
    assert read_boxes(path).frames[0].boxes == (Box(*CAR),)
    [box] = boxes_of(rows(tmp_path), tmp_path).to_dict("records")
    assert (box["label"], box["conf"], box["x1"], box["track"], box["frame"]) == ("car", 0.91324, 10.51, 1, 3)


def test_boxes_without_a_track_belong_to_none(tmp_path: Path) -> None:
    writer = BoxesWriter(boxes_path(tmp_path, CLIP, RUN), [])
    writer.add(0.0, 0, [CAR[:-1]])
    writer.publish()
    assert read_boxes(boxes_path(tmp_path, CLIP, RUN)).frames[0].boxes[0].track is None
    assert boxes_of(rows(tmp_path), tmp_path)["track"].isna().tolist() == [True]


@pytest.mark.parametrize("header", [f"{HEADER}\n", ""])
def test_files_with_and_without_a_header_are_read_alike(path: Path, tmp_path: Path, header: str) -> None:
    path.write_text(f"{header}{LINE}\n")
    assert [box.label for frame in read_boxes(path).frames for box in frame.boxes] == ["car"]
    assert boxes_of(rows(tmp_path), tmp_path)["label"].tolist() == ["car"]
    assert sampled_frames(rows(tmp_path), tmp_path) == {(CLIP, 120)}
    assert [sample.frame for sample in Run(RUN, path, {}).read().samples] == [120]


READERS: dict[str, Callable[[Path], Any]] = {
    "contract": lambda video_dir: read_boxes(boxes_path(video_dir, CLIP, RUN)),
    "data frame": lambda video_dir: boxes_of(rows(video_dir), video_dir),
    "comparison": lambda video_dir: sampled_frames(rows(video_dir), video_dir),
    "player": lambda video_dir: Run(RUN, boxes_path(video_dir, CLIP, RUN), {}).read(),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('{"schema": 2, "columns": ["t", "boxes"]}', "schema 2"),
        ('{"schema": 2}', "schema 2"),
        ('{"schema": "new"}', "schema new"),
        ('{"schema": true, "columns": []}', "schema True"),
        ('{"schema": 1, "columns": ["label"]}', "lacks one of the columns"),
        ('{"schema": 1, "columns": 5}', "lacks one of the columns"),
    ],
)
def test_another_version_is_an_error_and_no_empty_result(
    path: Path, tmp_path: Path, header: str, reason: str, reader: Callable[[Path], Any]
) -> None:
    path.write_text(f"{header}\n{LINE}\n")
    with pytest.raises(FormatError) as caught:
        reader(tmp_path)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"boxes/{path.name}")
    assert str(caught.value).endswith("update vcam")
    assert "\n" not in str(caught.value)


def test_torn_lines_are_skipped_and_counted(path: Path) -> None:
    torn = [
        "x",
        "[1]",
        '{"t": 0.4}',
        '{"t": 0, "frame": 1, "boxes": [[1]]}',
        '{"t": 0.6, "frame": 6, "boxes": [["car", 0',
    ]
    path.write_text("\n".join([HEADER, LINE, *torn]))
    file = read_boxes(path)
    assert (len(file.frames), file.skipped) == (1, len(torn))
    lines = BoxesLines(path)
    assert len(lines.rows(0.1)) == 1
    assert lines.skipped == len(torn)


def test_a_file_that_holds_something_else_is_an_error(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(FormatError, match="no line that can be read"):
        read_boxes(path)


@pytest.mark.parametrize("content", ["", HEADER, f"{HEADER}\n"])
def test_a_run_without_frames_has_none(path: Path, content: str) -> None:
    path.write_text(content)
    assert read_boxes(path).frames == ()


def test_ids_of_a_log_lead_nowhere_else(tmp_path: Path) -> None:
    for run_id in ("../../x", "a\0b"):
        assert boxes_path(tmp_path, "../" + CLIP, run_id).parent == tmp_path / "boxes"
        assert not boxes_path(tmp_path, CLIP, run_id).exists()
