"""Zones in real footage with a real model, against what is true of it (README of the test material)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts.job_options import Options
from shared_utils.media.frames import ClipReader
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import OnnxDetector
from video_worker.models.postprocess import Detections
from video_worker.pipeline.runner import StepRunner
from video_worker.steps.base import Sample
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.track import Track
from video_worker.steps.zones.cross import Cross
from video_worker.steps.zones.follow import Follow
from video_worker.steps.zones.objects import Objects

RATES = (2, 5, 10, 15)
STEPS = (Track, Follow, Objects, Cross)
TAPE = [[0.23, 0.98], [0.50, 0.48]]
BEYOND = [[0.23, 0.98], [0.50, 0.48], [0.30, 0.15], [0.0, 0.15], [0.0, 0.98]]
LABELLED = {"anchor": "bottom"}

Clip = tuple[list[tuple[float, Detections]], tuple[str, ...], tuple[int, int]]
Run = tuple[dict[str, Any], list[StepEvent]]


@pytest.fixture(scope="module")
def clip(shared_dir: Path) -> Callable[[str, float], Clip]:
    """Return a function that finds the boxes of a clip, sampled at a rate, with yolov8n."""
    path = shared_dir / "models" / "yolov8n.onnx"
    if not path.is_file():
        pytest.skip(f"no model {path}")
    model = OnnxDetector.open(path, EngineChoice("openvino", "CPU", 2))

    @functools.cache
    def read(name: str, fps: float) -> Clip:
        with ClipReader(shared_dir / "data" / name, fps, 1) as reader:
            frames = [(frame.time_s, model.start(frame.picture, 640, 0.1)()) for frame in reader]
            return frames, model.labels, (reader.facts.height, reader.facts.width)

    return read


def run(
    found: Clip, *zones: Mapping[str, Any], classes: Sequence[str] = (), conf: float = 0.5, live: bool = False
) -> Run:
    frames, labels, size = found
    events: list[StepEvent] = []
    context = StepContext(
        Source(duration_s=None if live else 60.0),
        Options(classes=tuple(classes), conf=conf),
        labels,
        zones=parse_zones(json.dumps({"schema": 1, "camera": "yard", "zones": zones}).encode()),
        emit=events.append,
    )
    picture = np.zeros((*size, 3), np.uint8)
    with StepRunner(context, STEPS) as runner:
        for index, (time_s, boxes) in enumerate(frames):
            runner.feed(Sample(index, time_s, picture, boxes))
        results: Any = runner.results() if not live else {}
    return results.get("zones", {}), events


def line(name: str, points: Any, **task: Any) -> dict[str, Any]:
    return {"name": name, "line": points, "tasks": [{"do": "cross", "when": "both", **task}]}


def area(name: str, points: Any, **task: Any) -> dict[str, Any]:
    return {"name": name, "points": points, "tasks": [{"do": "objects", "when": "both", **task}]}


@pytest.mark.parametrize("fps", RATES)
def test_the_worker_crosses_the_tape_once_to_the_left(clip, fps):
    counts, events = run(clip("worker-zone.mp4", fps), line("tape", TAPE, labels=["person"]))
    assert counts["tape"]["crossed"] == {"person": {"left": 1}}
    [event] = events
    assert 2.3 <= event.time_s <= 2.8


@pytest.mark.parametrize("fps", RATES)
def test_the_worker_enters_the_area_beyond_the_tape_and_stays(clip, fps):
    counts, events = run(clip("worker-zone.mp4", fps), area("beyond", BEYOND, labels=["person"], loiter_s=1.5))
    assert counts["beyond"]["entered"] == {"person": 1}
    assert counts["beyond"]["left"] == {}
    assert counts["beyond"]["dwell_s"] == pytest.approx(4.7 - 2.5, abs=0.4)
    assert [event.value for event in events] == ["entered", "loitering"]
    assert 2.3 <= events[0].time_s <= 2.8


def test_the_worker_is_seen_live_as_in_the_clip(clip):
    zones = (line("tape", TAPE), area("beyond", BEYOND, loiter_s=1.5))
    found = clip("worker-zone.mp4", 5)
    of_clip, of_live = (run(found, *zones, live=live)[1] for live in (False, True))
    assert sorted((one.time_s, str(one.value)) for one in of_clip) == sorted(
        (one.time_s, str(one.value)) for one in of_live
    )
    assert len(of_live) == 3


def test_four_cars_cross_the_car_park(clip):
    """White and up, light blue and down, red and up, white and down.

    Seen from above, yolov8n takes three of them for cell phones in most frames. Who asks for cars gets cars.
    """
    counts, events = run(clip("car-detection.mp4", 5), line("middle", [[0, 0.6], [1, 0.6]], labels=["car"]))
    assert counts["middle"]["crossed"] == {"car": {"left": 2, "right": 2}}
    passed = sorted((event.time_s, event.more["direction"]) for event in events)
    assert [direction for _, direction in passed] == ["left", "right", "left", "right"]
    for (time_s, _), (first_s, last_s) in zip(
        passed, [(4.9, 8.2), (14.6, 18.2), (15.4, 19.2), (25.2, 28.0)], strict=True
    ):
        assert first_s <= time_s <= last_s


@pytest.mark.parametrize("anchor", ["bottom", "centre", "any"])
def test_four_cars_enter_the_car_park_and_leave_it(clip, anchor):
    """What is a spoon to yolov8n, a mark on the ground, neither enters nor leaves."""
    whole = area("park", [[0, 0], [1, 0], [1, 1], [0, 1]], anchor=anchor)
    counts, events = run(clip("car-detection.mp4", 5), whole, classes=["car", "cell phone", "spoon"])
    assert counts["park"]["entered"] == {"car": 1, "cell phone": 3}
    assert counts["park"]["left"] == {"car": 1, "cell phone": 3}
    assert {event.more["label"] for event in events} == {"car", "cell phone"}
    counts, _ = run(clip("car-detection.mp4", 5), whole, classes=["car"])
    assert counts["park"]["entered"] == counts["park"]["left"] == {"car": 4}
    # the cars are in sight for 3.3 + 3.6 + 3.8 + 2.8 s, the model sees a little less
    assert 11 <= counts["park"]["dwell_s"] <= 13.6


@pytest.mark.parametrize(("fps", "expected"), [(5, {"apple", "cat", "orange"}), (15, {"apple", "cat", "orange"})])
def test_fruits_on_the_belt_go_by_from_right_to_left(clip, fps, expected):
    """Yolov8n sees the broccoli in a single frame and takes the cauliflower for a cat."""
    counts, events = run(clip("conveyor.mp4", fps), line("third", [[0.3, 1.0], [0.3, 0.0]]))
    crossed = counts["third"]["crossed"]
    assert crossed == {label: {"left": 1} for label in crossed}
    assert set(crossed) == expected
    times = {str(event.more["label"]): event.time_s for event in events}
    assert times["apple"] < times["cat"] < times["orange"]
    # the middle of the picture at 1.1, 4.6 and 6.3 s, and half a second per tenth and a half of the picture
    for label, middle_s in (("apple", 1.1), ("orange", 6.3)):
        assert middle_s <= times[label] <= middle_s + 0.8


def test_all_four_pass_at_a_lower_threshold_and_every_frame(clip):
    """In most of its frames the broccoli has a score below 0.5; the cauliflower is a cat to yolov8n."""
    counts, events = run(clip("conveyor.mp4", 15), line("third", [[0.3, 1.0], [0.3, 0.0]]), conf=0.35)
    assert counts["third"]["crossed"] == {label: {"left": 1} for label in ("apple", "broccoli", "cat", "orange")}
    assert [event.more["label"] for event in sorted(events, key=lambda event: event.time_s)] == [
        "apple", "broccoli", "cat", "orange",
    ]  # fmt: skip


def test_fruits_that_are_known_enter_the_middle_and_leave_it(clip):
    middle = area("middle", [[0.35, 0.3], [0.75, 0.3], [0.75, 1], [0.35, 1]], labels=["apple", "orange"])
    counts, events = run(clip("conveyor.mp4", 5), middle)
    assert counts["middle"]["entered"] == {"apple": 1, "orange": 1}
    assert counts["middle"]["left"]["apple"] == 1
    assert next(event.time_s for event in events) == pytest.approx(0.65, abs=0.3)
