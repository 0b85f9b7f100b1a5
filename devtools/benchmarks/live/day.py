"""The live worker's own code over a simulated day of events, with a fast clock, in a process of its own.

The steps, the journal, the states, the log of events, the event stream and the boxes for viewers are real; frames and
boxes are made up, as decoding and inference would take the time. ``python -m devtools.benchmarks.live.day`` is that
process; it prints its samples as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from devtools.benchmarks.live.growth import Growth
from devtools.benchmarks.live.options import Options
from devtools.benchmarks.report import Report
from devtools.paths import ROOT, program_env
from devtools.redis_server import RedisServer
from shared_utils.config.redis import RedisSettings
from shared_utils.config.zones.file import parse_zones
from shared_utils.contracts import job_options
from shared_utils.contracts.events import Event
from shared_utils.media.picture import Picture, encode_jpeg
from shared_utils.queue.event_publisher import EventPublisher
from shared_utils.queue.live_boxes import BoxesPublisher
from video_worker.engines.base import EngineChoice
from video_worker.live.camera import Analysis, LiveCamera
from video_worker.live.frame_parts import LiveFrame
from video_worker.live.journal import Journal
from video_worker.live.plans import CameraFacts, Plan
from video_worker.live.volume import LiveVolume
from video_worker.models.postprocess import Detections
from video_worker.models.registry import LoadedModel, ModelRegistry

CAMERA = "cam1"
FPS = 5.0
EVERY_S = 30.0
"""Simulated seconds from one passage to the next."""
PASSAGE_S = 6.0
MAX_OBJECTS = 3
SIZE = (96, 54)
LABELS = ("person", "bicycle", "car", "cat", "dog")
SAMPLES = 100
MAX_WAITING = 100
"""Events that may wait to be written: the simulated clock stands still meanwhile, as the disk's does not run faster."""
TIMEOUT_S = 1800
ZONES = {
    "schema": 1,
    "camera": CAMERA,
    "zones": [
        {
            "name": "gate",
            "points": [[0.3, 0.0], [0.7, 0.0], [0.7, 1.0], [0.3, 1.0]],
            "tasks": [{"do": "objects", "labels": ["person", "car"], "loiter_s": 2, "when": "live"}],
        },
        {
            "name": "door",
            "line": [[0.5, 0.0], [0.5, 1.0]],
            "tasks": [{"do": "cross", "labels": ["person", "dog"], "when": "live"}],
        },
    ],
}


def bench_day(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure the memory of a day."""
    command = [sys.executable, "-m", "devtools.benchmarks.live.day"]
    command += ["--hours", str(options.hours), "--folder", str(options.work / "day")]
    done = subprocess.run(
        command, cwd=ROOT, env=program_env(redis.env), stdout=subprocess.PIPE, check=True, timeout=TIMEOUT_S
    )
    found = json.loads(done.stdout.splitlines()[-1])
    report.detail["day"] = found
    title = f"live worker, {options.hours:g} simulated hours"
    report.add(f"{title}: frames", found["frames"], "")
    report.add("  events", found["events"], "")
    report.add("  lines of events_log.jsonl", found["lines"], "", least=found["events"], target="all of them")
    growth = Growth.of([one["hours"] for one in found["samples"]], [one["mb"] for one in found["samples"]])
    growth.add_to(report, "memory", "MB/h")


# -- the simulating process


@dataclass
class Clock:
    """A clock that is set."""

    now_s: float

    def __call__(self) -> float:
        return self.now_s


class MadeUpObjects:
    """A detector that finds what it is told to."""

    labels = LABELS
    engine = "made up"
    depth = 1

    def __init__(self) -> None:
        self.boxes: list[tuple[int, float, tuple[float, float, float, float]]] = []

    def use_threads(self, threads: int) -> None:
        """Do nothing."""

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        """Return what it was told."""
        del picture, imgsz
        rows = sorted((row for row in self.boxes if row[1] >= min_score), key=lambda row: -row[1])
        found = Detections(
            np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[1] for row in rows], np.float32),
            np.array([row[0] for row in rows], np.int64),
        )
        return lambda: found


class Counted:
    """Hands events and states to the journal, and waits for it where it falls behind. Counts events by value."""

    def __init__(self, journal: Journal, written: Callable[[], int]) -> None:
        self._journal = journal
        self._written = written
        self.values: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return sum(self.values.values())

    def add(self, event: Event, jpeg: bytes | None = None) -> None:
        self.values[f"{event.type} {event.value}"] += 1
        self._journal.add(event, jpeg)
        while self.count - self._written() > MAX_WAITING:
            time.sleep(0.001)

    def save(self, camera: str, state: str) -> None:
        self._journal.save(camera, state)


class CountedPublisher:
    """The event stream's publisher, with a count."""

    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher
        self.count = 0

    def publish(self, event: Event) -> None:
        self.count += 1
        self._publisher.publish(event)


@dataclass(frozen=True)
class _Walker:
    label: int
    lane: float
    height: float
    speed: float
    rightwards: bool
    score: float

    def box(self, time_s: float) -> tuple[float, float, float, float]:
        width, height = SIZE
        x = (self.speed * time_s - 0.1) * width
        x = x if self.rightwards else width - x
        half, tall = self.height * height / 5, self.height * height
        top = self.lane * height
        return x - half, top, x + half, top + tall


def _passages(hours: float) -> Iterator[tuple[float, list[_Walker]]]:
    """Yield the begin of each passage, simulated seconds, and who is in it."""
    dice = random.Random(3)  # no secrets
    for number in range(round(hours * 3600 / EVERY_S)):
        walkers = [
            _Walker(
                dice.randrange(len(LABELS)),
                dice.uniform(0.05, 0.6),
                dice.uniform(0.2, 0.35),
                dice.uniform(0.15, 0.25),
                dice.random() < 0.5,
                dice.uniform(0.55, 0.95),
            )
            for _ in range(dice.randint(1, MAX_OBJECTS))
        ]
        yield number * EVERY_S + dice.uniform(0, EVERY_S - PASSAGE_S - 1), walkers


def simulate(hours: float, folder: Path, redis: RedisSettings) -> dict[str, object]:
    """Run the day; return what was counted and sampled."""
    folder.mkdir(parents=True)
    clock = Clock(1_770_000_000.0)
    began, detector, process = clock.now_s, MadeUpObjects(), psutil.Process()
    jpeg = encode_jpeg(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), 85)
    zones = parse_zones(json.dumps(ZONES).encode())
    samples: list[dict[str, float]] = []
    with ExitStack() as stack:
        publisher = EventPublisher(redis)
        publisher.start()
        stack.callback(publisher.stop)
        counted = CountedPublisher(publisher)
        volume = LiveVolume(folder)
        journal = stack.enter_context(Journal(volume, counted))
        journal.start()
        viewers = stack.enter_context(BoxesPublisher(redis))
        viewers.start()
        reports = Counted(journal, lambda: counted.count)
        options = job_options.Options()
        model = LoadedModel("made-up", "0" * 64, detector)
        registry = ModelRegistry([folder], EngineChoice("openvino", "CPU", 1), folder / "made-up.onnx")
        analysis = Analysis(model, registry, options, reports, viewers, now=clock, clock=clock)
        plan = Plan(CAMERA, CameraFacts("motion"), zones)
        camera = stack.enter_context(LiveCamera(plan, analysis))
        for start_s, walkers in _passages(hours):
            for number in range(round(PASSAGE_S * FPS)):
                time_s = number / FPS
                clock.now_s = began + start_s + time_s
                detector.boxes = [(one.label, one.score, one.box(time_s)) for one in walkers]
                camera.analyse(LiveFrame(jpeg, clock.now_s, 0.1))
            if start_s >= len(samples) * hours * 3600 / SAMPLES:
                memory = process.memory_full_info()
                samples.append({"hours": start_s / 3600, "mb": memory.pss / 1e6, "rss": memory.rss / 1e6})
    with (folder / "events_log.jsonl").open("rb") as file:
        lines = sum(1 for _ in file)
    return {
        "frames": camera.analysed,
        "events": reports.count,
        "by value": dict(reports.values),
        "lines": lines,
        "dropped by the publisher": publisher.dropped,
        "samples": samples,
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    print(json.dumps(simulate(given.hours, given.folder, RedisSettings.from_env(os.environ))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
