"""The steps by themselves, on boxes made up."""

from __future__ import annotations

import json
import shutil
import socket

import numpy as np
import pytest

from shared_utils.contracts.boxes import read_boxes
from shared_utils.contracts.job_options import Options
from tests.video_worker.conftest import SquareDetector
from video_worker.models.postprocess import Detections
from video_worker.pipeline.run_names import RunNames
from video_worker.steps import STEPS
from video_worker.steps.base import TRACK, Sample, Step
from video_worker.steps.boxes import Boxes
from video_worker.steps.context import Source, StepContext
from video_worker.steps.cuts import Cuts
from video_worker.steps.detect import Detect
from video_worker.steps.summarise import Summarise
from video_worker.steps.track import Track

TRACKED = Track.adds.box_columns


def context(output_dir=None, box_columns=TRACKED, **options) -> StepContext:
    return StepContext(
        Source(duration_s=10.0),
        Options(**options),
        SquareDetector.labels,
        detector=SquareDetector(),
        names=RunNames("clip.mp4", "run", None),
        output_dir=output_dir,
        box_columns=box_columns,
    )


def sample(time_s: float, *boxes: tuple[int, float, int]) -> Sample:
    """Return a frame with boxes given as class, score, track."""
    found = Detections(
        np.array([[1.04, 2, 3, 4]] * len(boxes), np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in boxes], np.float32),
        np.array([number for number, _, _ in boxes], np.int64),
    )
    tracks = np.array([track for _, _, track in boxes], np.int64)
    return Sample(round(time_s * 10), time_s, np.zeros((48, 64, 3), np.uint8), found, {TRACK: tracks})


def boxes_step(output_dir, **options) -> Step:
    [step] = Boxes.create(context(output_dir, **options))
    return step


def test_the_order_of_the_steps():
    places = [STEPS.index(step) for step in (Detect, Cuts, Track, Boxes)]
    assert places == sorted(places)
    assert STEPS.index(Track) < STEPS.index(Summarise)


@pytest.mark.parametrize("step", [step for step in STEPS if step.adds.box_columns], ids=lambda step: step.__name__)
def test_steps_that_add_values_to_boxes_come_before_the_one_that_writes_them(step):
    assert STEPS.index(step) < STEPS.index(Boxes)


def summary(*samples: Sample, **options) -> dict:
    step = Summarise(SquareDetector.labels, Options(**options))
    for one in samples:
        step.take(one)
    return dict(step.result())


def test_a_summary_counts_frames_not_boxes():
    found = summary(
        sample(0.0, (1, 0.6, 1)), sample(0.2, (1, 0.91, 1), (1, 0.8, 2)), sample(1.0, (0, 0.7, 3), (1, 0.5, 1)),
        sample(1.2, (0, 0.7, 3)),
    )  # fmt: skip
    assert found["detected"] == ["square", "background"]
    assert found["count"] == 2
    assert found["objects"][0] == {
        "label": "square", "tracks": 1, "hits": 3, "max_conf": 0.91, "first_s": 0.0, "last_s": 1.0,
    }  # fmt: skip


def test_one_frame_ghosts_are_objects_but_not_detected():
    found = summary(sample(0.0, (1, 0.99, 1)), sample(0.2))
    assert found["detected"] == []
    assert [entry["hits"] for entry in found["objects"]] == [1]
    assert summary(sample(0.0, (1, 0.99, 1)), min_hits=1)["detected"] == ["square"]


def test_boxes_under_the_threshold_do_not_count_and_the_threshold_itself_does():
    found = summary(sample(0.0, (1, 0.49, 1)), sample(0.2, (1, 0.5, 1)), sample(0.4, (1, 0.5, 1)))
    assert found["objects"][0]["hits"] == 2
    assert found["objects"][0]["first_s"] == 0.2


def test_tracks_are_those_that_last():
    flicker = [sample(i / 5, (1, 0.9, 1), (1, 0.8, 10 + i)) for i in range(4)]
    assert summary(*flicker)["objects"][0]["tracks"] == 1
    two = [sample(i / 5, (1, 0.9, 1), (1, 0.8, 2)) for i in range(4)]
    assert summary(*two)["objects"][0]["tracks"] == 2


@pytest.mark.parametrize(("fps", "tracks"), [(5, 2), (10, 1), (25, 1)])
def test_a_ghost_of_two_frames_does_not_count_at_high_rates(fps, tracks):
    frames = [sample(i / fps, (1, 0.9, 1), *([(1, 0.8, 2)] if i < 2 else [])) for i in range(2 * fps)]
    assert summary(*frames)["objects"][0]["tracks"] == tracks
    # one hit at 5 frames per second may be something that was there for 0.1 s
    assert summary(*frames, min_hits=1)["objects"][0]["tracks"] == (2 if fps <= 10 else 1)


def test_hits_count_within_one_track():
    """Two hits of a ghost far apart are not detected."""
    found = summary(sample(0.0, (1, 0.9, 1)), *(sample(i / 5) for i in range(1, 250)), sample(50.0, (1, 0.9, 2)))
    assert found["detected"] == []
    assert found["objects"] == [
        {"label": "square", "tracks": 1, "hits": 2, "max_conf": 0.9, "first_s": 0.0, "last_s": 50.0}
    ]
    assert summary(*(sample(i / 5, (1, 0.9, i)) for i in range(1, 9)))["detected"] == []
    assert summary(*(sample(i / 5, (1, 0.9, 0)) for i in range(1, 9)))["detected"] == []


def test_a_track_has_the_label_that_is_best_supported():
    frames = [sample(i / 5, (i % 3 == 0, 0.9 if i % 3 == 0 else 0.6, 1)) for i in range(6)]
    found = summary(*frames)
    assert found["detected"] == ["background"]
    assert found["objects"] == [
        {
            "label": "background", "tracks": 1, "hits": 6, "max_conf": 0.6, "first_s": 0.0, "last_s": 1.0,
            "also": {"square": 2},
        }
    ]  # fmt: skip


def test_one_hit_of_each_of_two_labels_is_one_track_with_two_hits():
    found = summary(sample(0.0, (1, 0.7, 1)), sample(0.2, (0, 0.7, 1)))
    # equally supported: the one that came first
    assert found["detected"] == ["square"]
    assert found["objects"][0]["also"] == {"background": 1}


def test_two_boxes_of_one_track_are_one_hit():
    found = summary(*(sample(i / 5, (1, 0.9, 1), (0, 0.8, 1), (0, 0.7, 1)) for i in range(3)))
    assert [(one["label"], one["hits"], one["also"]) for one in found["objects"]] == [("square", 3, {"background": 3})]


def test_weak_boxes_neither_count_nor_name():
    frames = [sample(i / 5, (1, 0.6, 1), (0, 0.49, 1)) for i in range(3)]
    frames += [sample(1 + i / 5, (0, 0.49, 1)) for i in range(20)]
    assert [(one["label"], one["hits"], "also" in one) for one in summary(*frames)["objects"]] == [("square", 3, False)]


def test_labels_come_in_the_order_of_first_sight():
    frames = [sample(0.0, (1, 0.9, 7)), sample(0.2, (0, 0.9, 5), (1, 0.8, 7)), sample(0.4, (0, 0.9, 5), (1, 0.8, 7))]
    assert summary(*frames)["detected"] == ["square", "background"]


def test_only_the_classes_asked_for_are_reported():
    frames = [sample(i / 5, (1, 0.9, 1), (0, 0.8, 2)) for i in range(4)]
    found = summary(*frames, classes=("background",))
    assert (found["detected"], found["count"]) == (["background"], 1)
    assert [one["label"] for one in found["objects"]] == ["background"]


def test_a_label_is_decided_among_the_classes_asked_for():
    """A car called bus in two frames of nine is a bus for who asks for buses, and a car for who asks for both."""
    car = [sample(i / 5, (0 if i in (2, 5) else 1, 0.8, 1)) for i in range(9)]
    assert summary(*car, classes=("background",)) == {
        "detected": ["background"],
        "count": 1,
        "objects": [
            {"label": "background", "tracks": 1, "hits": 2, "max_conf": 0.8, "first_s": 0.4, "last_s": 1.0},
        ],
    }
    found = summary(*car, classes=("square",))
    assert [(one["label"], one["hits"], "also" in one) for one in found["objects"]] == [("square", 7, False)]
    assert summary(*car, classes=("square", "background")) == summary(*car)


def test_hits_of_other_labels_do_not_count():
    """Once a bus, the rest of the time a car: not seen often enough for who asks for buses."""
    car = [sample(i / 5, (0 if i == 2 else 1, 0.8, 1)) for i in range(9)]
    found = summary(*car, classes=("background",))
    assert found["detected"] == []
    assert [(one["label"], one["tracks"], one["hits"]) for one in found["objects"]] == [("background", 1, 1)]


def test_an_empty_clip_has_an_empty_summary():
    assert summary(sample(0.0), sample(0.2)) == {"detected": [], "count": 0, "objects": []}


def test_the_boxes_file_is_there_only_when_it_is_whole(tmp_path):
    path = tmp_path / "boxes" / "clip.run.jsonl"
    step = boxes_step(tmp_path)
    step.take(sample(0.0))
    step.take(sample(0.2, (1, 0.87654, 1), (0, 0.1, 0)))
    assert not path.exists()
    step.publish()
    step.close()
    header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert header == {"schema": 1, "columns": ["label", "score", "x1", "y1", "x2", "y2", "track"]}
    assert lines == [
        {"t": 0.0, "frame": 0, "boxes": []},
        {
            "t": 0.2,
            "frame": 2,
            "boxes": [["square", 0.8765, 1.0, 2.0, 3.0, 4.0, 1], ["background", 0.1, 1.0, 2.0, 3.0, 4.0, None]],
        },
    ]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_boxes_file_has_cuts_and_every_box_whatever_is_reported(tmp_path):
    path = tmp_path / "boxes" / "clip.run.jsonl"
    step = boxes_step(tmp_path, classes=("square",))
    later = sample(0.2, (0, 0.9, 2))
    later.cut = True
    for one in (sample(0.0, (0, 0.3, 1)), later):
        step.take(one)
    step.publish()
    step.close()
    frames = read_boxes(path).frames
    assert [frame.cut for frame in frames] == [False, True]
    assert [[box.label for box in frame.boxes] for frame in frames] == [["background"], ["background"]]


def test_cuts_are_in_the_record_where_there_are_any():
    [step] = Cuts.create(context())
    rng = np.random.default_rng(0)
    scenes = [np.repeat(np.repeat(rng.integers(0, 255, (12, 16, 3), np.uint8), 4, 0), 4, 1) for _ in range(2)]
    for time_s, scene in ((0.0, 0), (0.2, 0), (0.4, 1), (0.6, 1)):
        made = sample(time_s)
        made.picture = scenes[scene]
        step.take(made)
        assert made.cut is (time_s == 0.4)
    assert step.result() == {"cuts": [0.4]}
    assert Cuts().result() == {}


@pytest.mark.parametrize("deleted", ["boxes", "."])
def test_a_boxes_file_whose_folder_is_deleted_in_mid_run_is_whole_all_the_same(tmp_path, deleted):
    video_dir = tmp_path / "video"
    path = video_dir / "boxes" / "clip.run.jsonl"
    step = boxes_step(video_dir)
    step.take(sample(0.0))
    shutil.rmtree(video_dir / deleted)
    step.take(sample(0.2, (1, 0.9, 1)))
    step.publish()
    step.close()
    assert [frame.time_s for frame in read_boxes(path).frames] == [0.0, 0.2]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_boxes_file_that_is_given_up_leaves_nothing(tmp_path):
    step = boxes_step(tmp_path)
    step.take(sample(0.0, (1, 0.9, 1)))
    step.close()
    assert not list((tmp_path / "boxes").iterdir())


def test_without_a_place_there_is_no_boxes_file():
    assert not Boxes.create(context())


def test_detection_waits_for_what_was_begun_when_it_is_broken_off():
    waited = []

    class Slow(SquareDetector):
        def start(self, picture, imgsz, min_score):
            return lambda: waited.append(1) or Detections.empty()

    step = Detect(Slow(), 640, 0.1)
    step.start(sample(0.0))
    step.start(sample(0.2))
    step.take(sample(0.0))
    step.close()
    assert len(waited) == 2
    assert step.result() == {"sampled_frames": 1}


def test_boxes_are_kept_from_the_lower_of_the_two_thresholds():
    assert context(conf=0.5).min_score == 0.1
    assert context(conf=0.05).min_score == 0.05


def test_what_a_killed_worker_left_of_a_boxes_file_goes_with_the_run_that_is_done_again(tmp_path):
    path = tmp_path / "boxes" / "clip.run.jsonl"
    killed = boxes_step(tmp_path)
    killed.take(sample(0.0))
    left = next(path.parent.iterdir())
    left.rename(left.with_name(left.name.replace(socket.gethostname(), "another-container")))
    other = path.with_name(".clip.run-2.jsonl.host-1.partial")
    other.touch()
    step = boxes_step(tmp_path)
    step.take(sample(0.0))
    step.publish()
    step.close()
    assert sorted(path.parent.iterdir()) == [other, path]
    killed.close()
