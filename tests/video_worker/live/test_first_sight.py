"""What is reported live, and what is known already: on boxes made up, frame by frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from shared_utils.contracts.events import Event
from shared_utils.contracts.job_options import Options
from video_worker.models.postprocess import Detections
from video_worker.pipeline.known_objects import FORGET_S, FORGET_WATCHED_S, MAX_GAP_S, MAX_OBJECTS, KnownObjects
from video_worker.pipeline.runner import StepRunner
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.first_sight import FirstSight
from video_worker.steps.track import Track

LABELS = ("person", "car", "truck")
BEGAN = datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC)
DOOR, GATE = (10.0, 10.0, 40.0, 90.0), (150.0, 20.0, 190.0, 90.0)
PICTURE = np.zeros((100, 200, 3), np.uint8)


class Boxes(Step):
    """Gives frames the boxes that a test has made up: (class, score, corners)."""

    def __init__(self) -> None:
        self.next: Sequence[Any] = []

    def take(self, sample: Sample) -> None:
        rows = sorted(self.next, key=lambda row: -row[1])
        sample.detections = Detections(
            np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[1] for row in rows], np.float32),
            np.array([row[0] for row in rows], np.int64),
        )


class Camera:
    """A live camera with boxes made up, at 5 frames per second."""

    def __init__(self, states=None, events=(), time_s=0.0, **options) -> None:
        self.seen: list[StepEvent] = []
        self.time_s = time_s
        self.boxes = Boxes()
        context = StepContext(Source(BEGAN), Options(**options), LABELS, emit=self.seen.append)
        self.runner = StepRunner(context, [self.boxes, Track, FirstSight])
        if states is not None:
            assert self.runner.resume(json.loads(json.dumps(states))) == []
        self.runner.catch_up(events)

    def show(self, seconds: float, *boxes, fps: float = 5.0) -> list[str]:
        """Show frames with `boxes`; return the labels that were reported meanwhile."""
        before = len(self.seen)
        for _ in range(round(seconds * fps)):
            self.boxes.next = boxes
            self.runner.feed(Sample(0, self.time_s, PICTURE))
            self.time_s += 1 / fps
        return [str(event.more["label"]) for event in self.seen[before:]]

    def pause(self, seconds: float) -> None:
        """Let time pass without frames."""
        self.time_s += seconds

    def restarted(self, events=(), pause_s=5.0, states=None) -> Camera:
        """Return the camera after a restart from the present state, or an earlier one."""
        return Camera(self.runner.states() if states is None else states, events, self.time_s + pause_s)


def test_an_object_is_reported_once_with_its_second_hit() -> None:
    camera = Camera()
    assert camera.show(0.2, (0, 0.9, DOOR)) == []
    assert camera.show(0.2, (0, 0.8, DOOR)) == ["person"]
    assert camera.show(60, (0, 0.9, DOOR)) == []
    [event] = camera.seen
    assert (event.type, event.value, event.time_s, event.confidence) == ("object", "seen", 0.2, 0.8)
    assert event.more == {"label": "person", "track": 1, "score": 0.8, "box": [0.05, 0.1, 0.2, 0.9]}
    assert event.picture is not None
    assert event.picture.shape == PICTURE.shape
    assert event.picture.any()
    assert not PICTURE.any()


def test_weak_boxes_and_other_classes_are_not_reported() -> None:
    assert Camera().show(5, (0, 0.49, DOOR)) == []
    assert Camera(classes=("car",)).show(5, (0, 0.9, DOOR)) == []
    assert Camera(min_hits=5).show(0.8, (0, 0.9, DOOR)) == []
    assert Camera(min_hits=5).show(1.0, (0, 0.9, DOOR)) == ["person"]


def test_the_label_is_the_best_supported_one() -> None:
    camera = Camera(min_hits=3)
    camera.show(0.2, (2, 0.6, GATE))
    assert camera.show(0.4, (1, 0.9, GATE)) == ["car"]


def test_a_clip_has_no_such_step() -> None:
    clip = StepContext(Source(BEGAN, 30.0), Options(), LABELS)
    assert FirstSight.create(clip) == []
    quiet = StepContext(Source(BEGAN), Options(), LABELS, report_objects=False)
    assert FirstSight.create(quiet) == []


@pytest.mark.parametrize("pause_s", [10.0, 3600.0, FORGET_S - 60])
def test_what_stands_there_after_a_pause_is_not_new_and_what_comes_is(pause_s: float) -> None:
    camera = Camera()
    assert camera.show(2, (1, 0.9, GATE)) == ["car"]
    camera.pause(pause_s)
    assert camera.show(2, (1, 0.9, GATE), (0, 0.9, DOOR)) == ["person"]


def test_a_day_without_frames_is_enough_to_forget() -> None:
    camera = Camera()
    camera.show(2, (1, 0.9, GATE))
    camera.pause(FORGET_S + 60)
    assert camera.show(2, (1, 0.9, GATE)) == ["car"]


def test_a_parked_car_that_is_called_a_truck_is_not_new() -> None:
    camera = Camera()
    camera.show(2, (1, 0.9, GATE))
    camera.pause(600)
    assert camera.show(2, (2, 0.9, GATE)) == []


def test_what_was_seen_to_leave_is_new_when_it_comes_back() -> None:
    camera = Camera()
    camera.show(2, (0, 0.9, DOOR))
    assert camera.show(FORGET_WATCHED_S + 2) == []
    assert camera.show(2, (0, 0.9, DOOR)) == ["person"]
    # a detector that loses it for a while does not make it new
    camera.show(FORGET_WATCHED_S - 10)
    assert camera.show(2, (0, 0.9, DOOR)) == []


def _walk(camera: Camera, *lefts: float) -> list[str]:
    """Show a person at these places, one frame each."""
    return [label for left in lefts for label in camera.show(0.2, (0, 0.9, (left, 10.0, left + 30, 90.0)))]


def test_whoever_comes_in_where_another_one_went_out_is_new() -> None:
    """Frames go on for 3 s after the last motion, and none come until the next."""
    camera = Camera()
    assert _walk(camera, *range(100, 0, -12)) == ["person"]
    camera.show(3)
    camera.pause(4)
    assert _walk(camera, *range(4, 100, 12)) == ["person"]


def test_whoever_went_out_is_forgotten_after_a_restart_too() -> None:
    camera = Camera()
    _walk(camera, *range(100, 0, -12))
    camera = camera.restarted(pause_s=60)
    camera.show(3)
    assert _walk(camera, *range(4, 100, 12)) == ["person"]


def test_what_came_and_stands_is_known_though_the_detector_loses_it() -> None:
    camera = Camera()
    _walk(camera, *range(100, 0, -12))
    standing = (4.0, 10.0, 34.0, 90.0)
    camera.show(3, (0, 0.9, standing))
    camera.show(10)
    assert camera.show(2, (0, 0.9, standing)) == []


def test_someone_else_in_another_place_is_new() -> None:
    camera = Camera()
    camera.show(2, (0, 0.9, DOOR))
    camera.show(5)
    assert camera.show(2, (0, 0.9, GATE)) == ["person"]


def test_a_restart_reports_nothing_twice_and_goes_on_numbering() -> None:
    camera = Camera()
    camera.show(2, (1, 0.9, GATE), (0, 0.9, DOOR))
    camera = camera.restarted()
    assert camera.show(2, (1, 0.9, GATE), (0, 0.9, DOOR)) == []
    moved = (60.0, 10.0, 90.0, 90.0)
    assert camera.show(2, (0, 0.9, moved), (0, 0.8, DOOR), (1, 0.9, GATE)) == ["person"]
    assert camera.seen[0].more["track"] > 2


def test_a_track_goes_on_over_a_short_restart() -> None:
    camera = Camera()
    camera.show(2, (0, 0.9, DOOR))
    camera = camera.restarted(pause_s=1.5)
    camera.show(0.2, (0, 0.9, DOOR))
    assert [track["number"] for track in camera.runner.states()["Track"]["tracks"]] == [1]


def test_who_walked_on_during_a_restart_is_not_new_but_a_second_one_is() -> None:
    camera = Camera()
    camera.show(2, (0, 0.9, DOOR))
    camera = camera.restarted(pause_s=MAX_GAP_S - 5)
    assert camera.show(2, (0, 0.9, GATE)) == []
    assert camera.show(2, (0, 0.9, GATE), (0, 0.9, DOOR)) == ["person"]


def test_events_after_the_state_are_not_reported_again() -> None:
    camera = Camera()
    camera.show(1)
    states = camera.runner.states()
    camera.show(2, (0, 0.9, DOOR))
    [seen] = camera.seen
    logged = Event(seen.type, BEGAN, "door", value=seen.value, more=seen.more)
    again = camera.restarted([logged], states=states)
    assert again.show(2, (0, 0.9, DOOR)) == []
    assert again.show(1, (0, 0.9, DOOR), (1, 0.9, GATE)) == ["car"]
    assert again.seen[0].more["track"] > seen.more["track"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"label": 1},
        {"label": "a", "track": 1, "box": [1, 2]},
        {"label": "a", "track": 10**30, "box": [0, 0, float("inf"), 1]},
        {"track": "x"},
    ],
)
def test_foreign_events_change_nothing(more) -> None:
    camera = Camera(events=[Event("object", BEGAN, "door", value="seen", more=more), Event("reading", BEGAN)])
    assert camera.show(2, (0, 0.9, DOOR)) == ["person"]


@pytest.mark.parametrize(
    "states",
    [
        {"FirstSight": {"now_s": "x"}, "Track": {"size": [0, 0]}},
        {"FirstSight": {"now_s": 1, "watched_s": 1, "objects": [[1]]}, "Track": {}},
        {"FirstSight": [], "Track": {"size": [1, 1], "begun": 1, "last_s": 0, "tracks": [{"xyxy": [1]}]}},
        {"FirstSight": 7, "Track": {"size": [1, 1], "begun": None, "last_s": 0, "tracks": []}},
    ],
)
def test_a_damaged_state_is_named_and_the_step_begins_anew(states) -> None:
    seen: list[StepEvent] = []
    boxes = Boxes()
    context = StepContext(Source(BEGAN), Options(), LABELS, emit=seen.append)
    with StepRunner(context, [boxes, Track, FirstSight]) as runner:
        assert sorted(runner.resume(states)) == ["FirstSight", "Track"]
        boxes.next = [(0, 0.9, DOOR)]
        for index in range(3):
            runner.feed(Sample(index, index / 5, PICTURE))
    assert len(seen) == 1


def test_frames_of_another_size_do_not_end_tracks() -> None:
    camera = Camera()
    camera.show(2, (0, 0.9, DOOR))
    half = tuple(value / 2 for value in DOOR)
    for _ in range(3):
        camera.boxes.next = [(0, 0.9, half)]
        camera.runner.feed(Sample(0, camera.time_s, PICTURE[::2, ::2]))
        camera.time_s += 0.2
    assert [track["number"] for track in camera.runner.states()["Track"]["tracks"]] == [1]
    assert len(camera.seen) == 1


def test_memory_and_state_stay_small_over_a_day_of_traffic() -> None:
    camera = Camera()
    sizes = []
    for _ in range(24):
        for _ in range(20):
            camera.show(1.2, (0, 0.9, DOOR), (1, 0.9, GATE), (2, 0.2, (100.0, 10.0, 120.0, 30.0)))
            camera.show(0.8, (1, 0.9, GATE))
            camera.pause(178)
        sizes.append(len(json.dumps(camera.runner.states())))
    assert max(sizes) < 1.3 * sizes[0]
    # the car is known all day, the person was never seen to be gone for long enough
    assert [event.more["label"] for event in camera.seen].count("car") == 1


def test_no_more_objects_are_remembered_than_fit() -> None:
    known = KnownObjects()
    for number in range(MAX_OBJECTS + 50):
        known.frame(number / 100)
        known.add(number, "person", (0.0, 0.0, 0.1, 0.1))
    assert len(known) == MAX_OBJECTS


WHOLE, BODY = (60.0, 10.0, 100.0, 90.0), (62.0, 40.0, 98.0, 82.0)


def test_a_part_of_a_person_is_no_second_person_until_it_has_a_place_of_its_own() -> None:
    """Beside other objects, detectors give a body without its legs or head, and then both."""
    camera = Camera()
    assert camera.show(1, (0, 0.9, WHOLE)) == ["person"]
    assert camera.show(3, (0, 0.9, WHOLE), (0, 0.7, BODY)) == []
    assert camera.show(1, (0, 0.9, WHOLE), (0, 0.7, (142.0, 40.0, 178.0, 82.0))) == ["person"]


def test_the_whole_around_a_known_part_is_not_new_either() -> None:
    camera = Camera()
    assert camera.show(1, (0, 0.7, BODY)) == ["person"]
    assert camera.show(3, (0, 0.9, WHOLE), (0, 0.7, BODY)) == []
    # and whichever of the two remains is the one that is known
    assert camera.show(3, (0, 0.9, WHOLE)) == []


def test_a_child_in_front_of_somebody_is_reported() -> None:
    camera = Camera()
    camera.show(1, (0, 0.9, WHOLE))
    assert camera.show(1, (0, 0.9, WHOLE), (0, 0.7, (70.0, 50.0, 90.0, 88.0))) == ["person"]


AWAY = (107.0, 10.0, 147.0, 90.0)


def test_whose_track_is_lost_and_begins_anew_nearby_is_not_new() -> None:
    camera = Camera()
    camera.show(1, (0, 0.9, WHOLE))
    assert camera.show(2, (0, 0.9, AWAY)) == []
    assert camera.runner.states()["Track"]["begun"] == 2
    # somebody of another label is, and so is a second one
    assert camera.show(1, (0, 0.9, AWAY), (1, 0.9, (10.0, 10.0, 50.0, 90.0))) == ["car"]
    assert camera.show(1, (0, 0.9, AWAY), (0, 0.9, WHOLE)) == ["person"]


def test_whose_track_went_over_to_somebody_else_is_not_new() -> None:
    """Two pass each other: the track of one of them has but a weak box, over the other."""
    camera = Camera()
    camera.show(1, (0, 0.9, WHOLE), (0, 0.8, AWAY))
    over = (92.0, 10.0, 141.0, 90.0)
    camera.show(0.4, (0, 0.9, AWAY), (0, 0.3, over))
    assert camera.show(2, (0, 0.9, AWAY), (0, 0.3, over), (0, 0.9, (42.0, 10.0, 82.0, 90.0))) == []


def test_who_comes_in_beside_somebody_who_was_lost_is_new() -> None:
    camera = Camera()
    camera.show(1, (0, 0.9, (40.0, 10.0, 70.0, 90.0)))
    assert _walk(camera, 0, 5, 10) == ["person"]


def test_who_stands_there_after_a_restart_is_not_taken_for_someone_who_came_in() -> None:
    """Both tracks are new after a restart of some seconds, and the one who came in has its hits first."""
    camera = Camera()
    camera.show(2, (0, 0.9, DOOR))
    camera = camera.restarted(pause_s=6)
    camera.show(0.4, (0, 0.95, GATE), (0, 0.45, DOOR))
    assert camera.show(1, (0, 0.95, GATE), (0, 0.9, DOOR)) == []
    [event] = camera.seen
    assert event.more["box"][0] == GATE[0] / 200
