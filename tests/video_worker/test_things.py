"""How many different things there were, as a record tells, against scenes and films whose truth is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from camera_emulator.scene import LABELS, Scene
from shared_utils.schemas import Options
from video_worker.detector import OnnxDetector
from video_worker.frames import ClipFacts, ClipReader
from video_worker.postprocess import Detections, suppress
from video_worker.sampling import sampled
from video_worker.steps.base import Run, Sample
from video_worker.steps.summarise import Summarise
from video_worker.steps.track import Track

RATES = [2, 5, 10, 25]
FACTS = ClipFacts(width=1280, height=720, frames=0, sampled=0, duration_s=60, started_at=None)
CARS_S = ((4.5, 8.7), (14.3, 19.2), (25.1, 28.2))
"""Seconds of car-detection.mp4 in which there is a car, and a little more."""
NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass
class Named:
    """Stands for a detector where boxes are there already: gives its labels."""

    labels: tuple[str, ...]
    engine: str = "none"
    depth: int = 1

    def use_threads(self, threads: int) -> None:
        """Computes with none."""

    def start(self, picture, imgsz, min_score):
        raise NotImplementedError


def summary(frames, labels, **options) -> dict:
    """Return what a run writes of `frames`: time, boxes and whether another scene begins."""
    run = Run(Options(**options), FACTS, Named(labels))
    track, summarise = Track(), Summarise(run)
    for index, (time_s, found, cut) in enumerate(frames):
        sample = Sample.of(index, time_s, NO_PICTURE)
        sample.detections, sample.cut = found, cut
        track.take(sample)
        summarise.take(sample)
    return dict(summarise.result())


def things(found: dict) -> dict[str, int]:
    """Return how many things of which label a person would read out of a record."""
    return {entry["label"]: entry["tracks"] for entry in found["objects"] if entry["label"] in found["detected"]}


def came(scene: Scene, seconds: float, step_s: float = 0.02) -> dict[str, int]:
    """Return how many things of each label came into the picture."""
    found: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for number in range(int(seconds / step_s)):
        now = Counter(one.label for one in scene.truth(number * step_s))
        found += now - before
        before = now
    return dict(found)


def seen(scene: Scene, seconds: float, fps: float, *, missed: float, wrong: float):
    """Yield what a middling detector makes of the scene: edges that tremble, boxes missed, labels wrong by shares."""
    rng = np.random.default_rng(scene.seed)
    for number in range(int(seconds * fps)):
        rows = []
        for one in scene.truth(number / fps):
            if rng.random() < missed:
                continue
            corners = np.array(one.xyxy)
            size = np.tile(corners[2:] - corners[:2], 2)
            label = LABELS.index(one.label) if rng.random() >= wrong else int(rng.integers(len(LABELS)))
            rows.append((rng.uniform(0.5, 0.95), *(corners + rng.normal(0, 0.02, 4) * size), label))
        table = np.array(sorted(rows, reverse=True), np.float64).reshape(-1, 6)
        found = Detections(
            table[:, 1:5].astype(np.float32), table[:, 0].astype(np.float32), table[:, 5].astype(np.int64)
        )
        yield number / fps, found.take(suppress(found)), False


@pytest.fixture(scope="module", params=[0, 1, 5])
def scene(request) -> tuple[Scene, dict[str, int]]:
    """A minute of a drawn street, and how many came."""
    street = Scene(seed=request.param, noise=0)
    return street, came(street, 60)


@pytest.mark.parametrize("fps", RATES)
def test_as_many_as_came_are_counted_at_every_rate(scene, fps):
    street, expected = scene
    found = summary(seen(street, 60, fps, missed=0, wrong=0), LABELS)
    assert things(found) == expected
    assert not any("also" in entry for entry in found["objects"])


@pytest.mark.parametrize(("fps", "off"), [(2, 2), (5, 1), (10, 0), (25, 0)])
def test_a_detector_that_misses_a_tenth_and_names_a_seventh_wrongly_is_borne(scene, fps, off):
    street, expected = scene
    found = summary(seen(street, 60, fps, missed=0.1, wrong=0.15), LABELS)
    counted = things(found)
    assert sum(abs(counted.get(label, 0) - expected.get(label, 0)) for label in LABELS) <= off, (counted, expected)
    assert any("also" in entry for entry in found["objects"])


@pytest.fixture(scope="module")
def car_film(shared_dir) -> tuple[list[tuple[float, Detections, bool]], tuple[str, ...]]:
    """The frames of car-detection.mp4 with yolov8n's boxes."""
    detector = OnnxDetector.open(shared_dir / "models" / "yolov8n.onnx", "openvino", "CPU", 2)
    frames = []
    with ClipReader(shared_dir / "data" / "car-detection.mp4", 0, 1) as reader:
        for frame in reader:
            # the rest shows nothing, and would take as long
            shows = any(begin <= frame.time_s <= end for begin, end in CARS_S)
            found = detector.start(frame.picture, 640, 0.1)() if shows else Detections.empty()
            frames.append((frame.time_s, found, False))
    return frames, detector.labels


@pytest.mark.parametrize("fps", [5, 10, 0])
def test_four_cars_are_four_things_whatever_they_are_called(car_film, fps):
    frames, labels = car_film
    chosen = [frames[at] for at in sampled([time_s for time_s, _, _ in frames], fps)]
    found = summary(chosen, labels)
    # yolov8n takes three of the four for cell phones, seen from above; the spoon is a mark on the ground
    counted = things(found)
    spoons = counted.pop("spoon")
    assert (sum(counted.values()), spoons) == (4, 2)
    assert set(counted) == {"car", "cell phone"}
    also = {label for entry in found["objects"] for label in entry.get("also", {})}
    assert {"bus", "suitcase", "car"} <= also


def test_with_classes_the_car_film_has_cars_alone(car_film):
    frames, labels = car_film
    found = summary(frames, labels, classes=("car", "bus"))
    assert found["detected"] == ["car"]
    assert [set(entry.get("also", {})) for entry in found["objects"]] == [{"bus"}]
