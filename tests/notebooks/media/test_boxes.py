"""Boxes of a clip's run: between sampled frames, by object, by class, from damaged files."""

from __future__ import annotations

import json
import logging

import pytest

from notebooks.lab.media.clip import Box, Clip, Run, RunBoxes, Sampled, runs_of
from notebooks.lab.media.sheet import contact_sheet
from notebooks.lab.viewer.player import best_moment
from shared_utils.contracts.detections_log import append_record
from shared_utils.errors import ClipMissing, FormatError
from tests.support.footage.barcode_clips import CARS, LATER_ID, RUN_ID, add_run, barcode, line
from tests.support.footage.video import write_video

pytestmark = pytest.mark.usefixtures("house_style")


def box(score: float, x: float, track: int | None = 1, label: str = "car") -> Box:
    return Box(label, score, (x, 0.0, x + 10, 10.0), track)


def test_boxes_between_sampled_frames_are_on_their_way_and_say_so():
    seen = RunBoxes([Sampled(0.0, 0, (box(0.9, 0), box(0.6, 50, None))), Sampled(0.2, 4, (box(0.7, 40),))], 0.2)
    assert seen.at(0.0) == [box(0.9, 0), box(0.6, 50, None)]
    moved, held = seen.at(0.05)
    assert (moved.between, held.between) == (True, True)
    assert moved.xyxy == pytest.approx((10, 0, 20, 10))
    assert moved.score == 0.9
    assert held.xyxy == (50, 0, 60, 10)
    assert [one.between for one in seen.at(0.2)] == [False]
    assert seen.at(0.21) == []  # nothing is known after the last sampled frame
    assert seen.at(-0.1) == []
    assert [one.score for one in seen.at(0.0, 0.8)] == [0.9]
    # an end below the threshold is no end to move to
    assert seen.at(0.1, 0.8)[0].xyxy == (0, 0, 10, 10)


def test_boxes_are_not_held_over_a_gap():
    seen = RunBoxes([Sampled(0.0, 0, (box(0.9, 0),)), Sampled(2.0, 4, (box(0.7, 40),))], 0.2)
    assert seen.at(0.1) == []


def test_the_best_view_of_each_object():
    samples = [
        Sampled(0.0, 0, (box(0.6, 0), box(0.9, 50, 2, "cat"))),
        Sampled(0.2, 2, (box(0.8, 10), box(0.3, 50, 3))),
        Sampled(0.4, 4, (box(0.7, 20), box(0.55, 90, None))),
    ]
    views = RunBoxes(samples, 0.2).best_views(0.5, 2)
    assert [(view.box.label, view.box.score, view.time_s, view.hits) for view in views] == [("car", 0.8, 0.2, 3)]
    assert (views[0].first_s, views[0].last_s) == (0.0, 0.4)
    assert [view.box.track for view in RunBoxes(samples, 0.2).best_views(0.5, 1)] == [1, 2]


def test_a_thing_with_two_names_is_one_object_under_the_better_one():
    samples = [
        Sampled(0.0, 0, (box(0.6, 0), box(0.55, 1, 1, "truck"))),
        Sampled(0.2, 2, (box(0.9, 10, 1, "bus"),)),
        Sampled(0.4, 4, (box(0.7, 20),)),
    ]
    [view] = RunBoxes(samples, 0.2).best_views(0.5, 2)
    assert (view.box.label, view.box.score, view.hits, view.time_s) == ("car", 0.7, 3, 0.4)
    assert view.also == {"truck": 1, "bus": 1}
    # between the frames it goes on to where it is, whatever it is called there
    assert [one.xyxy[0] for one in RunBoxes(samples, 0.2).at(0.1, 0.58)] == pytest.approx([5])


def test_only_the_classes_of_the_run_are_shown(tmp_path, clip_path):
    record = {"model": {"conf": 0.5, "fps": 5}, "options": {"min_hits": 1, "classes": ["car"]}}
    path = tmp_path / "boxes.jsonl"
    # the car is mostly taken for a cell phone
    boxes = [["cell phone", 0.95, 0, 0, 9, 9, 1], ["car", 0.9, 0, 0, 9, 9, 1], ["cat", 0.8, 50, 0, 59, 9, 2]]
    path.write_text(json.dumps({"t": 0.0, "frame": 0, "boxes": boxes}) + "\n")
    with Clip(clip_path, Run("r", path, record)) as clip:
        assert [one.label for one in clip.boxes_at(0.0)] == ["car"]
        assert [(view.box.label, view.hits, view.also) for view in clip.best_views()] == [("car", 1, {})]
        # the player gets its boxes from here
        assert [[one.label for one in sample.boxes] for sample in clip.boxes.samples] == [["car"]]
        assert clip.boxes.labels() == ["car"]


def test_a_boxes_file_of_a_newer_version_is_an_error_and_not_taken_for_nothing_seen(tmp_path, clip_path):
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"schema": 2, "columns": ["t", "boxes"]}\n[0.0, []]\n')
    with pytest.raises(FormatError, match="schema 2, which this version does not know"):
        Clip(clip_path, Run("r", path, {}))
    header = json.dumps({"schema": 1, "columns": ["label", "score", "x1", "y1", "x2", "y2", "track"]})
    path.write_text(f"{header}\n[1]\n{line(0.0, 0, ['car', 0.9, 0, 0, 9, 9, 1])}")
    with Clip(clip_path, Run("r", path, {})) as clip:
        assert [one.label for one in clip.boxes_at(0.0)] == ["car"]


def test_the_newest_run_with_boxes_is_shown(clip_path):
    add_run(clip_path, line(0.0, 0, ["cat", 0.7, 1, 1, 2, 2, 1]), LATER_ID, conf=0.3)
    append_record(
        clip_path.parent / "detections_log.jsonl",
        {"ok": False, "filename": clip_path.name, "error": "no", "timestamp": "2026", "run_id": "failed"},
    )
    # of another file with the same beginning
    (clip_path.parent / "boxes" / f"{clip_path.stem}.x.{LATER_ID[:-1]}5.jsonl").write_text("")
    assert [run.run_id for run in runs_of(clip_path.parent, clip_path.name)] == [LATER_ID, RUN_ID]
    with Clip(clip_path) as clip:
        assert clip.run is not None
        assert (clip.run.run_id, clip.conf) == (LATER_ID, 0.3)
        assert [one.label for one in clip.boxes_at(0.0)] == ["cat"]
        assert f"{clip.started_at:%H:%M:%S}" == clip.clock(0) == "14:48:19"


def test_torn_lines_of_a_boxes_file_are_skipped_and_counted(clip_path, caplog):
    path = next((clip_path.parent / "boxes").iterdir())
    path.write_text(CARS + 'x\n{"t": 0.4}\n[1]\n' + '{"t": 0.6, "frame": 6, "boxes": [["car", 0.9')
    with caplog.at_level(logging.WARNING):
        assert len(Run(RUN_ID, path, {}).read().samples) == 2
    assert "4 lines skipped" in caplog.text


def test_a_clip_without_runs_and_one_that_is_gone(tmp_path):
    path = write_video(tmp_path / "a.mp4", barcode(10), seconds=1)
    with Clip(path) as clip:
        assert clip.run is None
        assert clip.boxes_at(0.0) == []
        assert best_moment(clip) == 0.0
        assert contact_sheet(clip).axes[0].get_title(loc="left").startswith("Not analysed yet")
    path.unlink()
    with pytest.raises(ClipMissing, match=r"a\.mp4 is not there"):
        Clip(path)
