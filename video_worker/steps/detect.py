"""Finds the boxes of each frame."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from video_worker.models.postprocess import Detections
from video_worker.steps.base import Run, Sample, Step


class Detect(Step):
    """Runs the model, on a few frames at once.

    Attributes:
        infer_s: seconds in which the model was at work.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._under_way: deque[tuple[float, Callable[[], Detections]]] = deque()
        self._idle_since = 0.0
        self._frames = 0
        self.infer_s = 0.0

    @classmethod
    def for_run(cls, run: Run) -> Detect:
        """Applies to every clip."""
        return cls(run)

    def start(self, sample: Sample) -> None:
        """Begin inference."""
        started = time.perf_counter()
        wait = self._run.detector.start(sample.picture, self._run.options.imgsz, self._run.min_score)
        self._under_way.append((started, wait))

    def take(self, sample: Sample) -> None:
        """Wait for the frame's boxes."""
        started, wait = self._under_way.popleft()
        sample.detections = wait()
        done = time.perf_counter()
        self.infer_s += done - max(started, self._idle_since)  # several at once are counted once
        self._idle_since = done
        self._frames += 1

    def result(self) -> Mapping[str, object]:
        """Return `sampled_frames`: how many were looked at."""
        return {"sampled_frames": self._frames}

    def close(self) -> None:
        """Wait for what was begun: a model that is computing can not be given the next clip."""
        while self._under_way:
            _, wait = self._under_way.popleft()
            wait()
