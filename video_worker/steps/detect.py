"""Finds the boxes of each frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from video_worker.models.detector import Detector
from video_worker.models.postprocess import Detections
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, Kind, LogColumn, RecordKey


class Detect(Step):
    """Runs the model, on a few frames at once.

    Args:
        detector: the model.
        imgsz: longest side that it sees, pixels.
        min_score: score from which boxes are kept.
    """

    adds = Adds(
        keys=(RecordKey("sampled_frames", "frames that were analysed", "150"),),
        columns=(LogColumn("sampled_frames", ("sampled_frames",), Kind.WHOLE, "frames that were analysed", "frames"),),
    )
    timed_as = "infer_s"
    needs_motion = True

    def __init__(self, detector: Detector, imgsz: int, min_score: float) -> None:
        self._detector = detector
        self._imgsz = imgsz
        self._min_score = min_score
        self._under_way: deque[Callable[[], Detections]] = deque()
        self._frames = 0

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies where there is a detector."""
        if context.detector is None:
            return []
        return [cls(context.detector, context.options.imgsz, context.min_score)]

    def start(self, sample: Sample) -> None:
        """Begin inference."""
        self._under_way.append(self._detector.start(sample.picture, self._imgsz, self._min_score))

    def take(self, sample: Sample) -> None:
        """Wait for the frame's boxes."""
        sample.detections = self._under_way.popleft()()
        self._frames += 1

    def result(self) -> Mapping[str, object]:
        """Return `sampled_frames`: how many were analysed."""
        return {"sampled_frames": self._frames}

    def close(self) -> None:
        """Wait for what was begun: a model that is computing cannot be given the next clip."""
        with ExitStack() as stack:  # waits for all of them, whatever one of them raises
            while self._under_way:
                stack.callback(self._under_way.pop())
