"""What a step of the analysis is. See :mod:`video_worker.steps` for the list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared_utils.contracts.job_options import Options
from shared_utils.media.frames import ClipFacts
from shared_utils.media.picture import Picture
from video_worker.models.detector import Detector
from video_worker.models.postprocess import Detections, Ints

BOXES_FROM = 0.1
"""Score from which boxes are kept for the boxes file, so that thresholds can be swept later without inference."""


@dataclass(frozen=True)
class Run:
    """One analysis of one clip, as steps see it.

    Attributes:
        options: how the clip is analysed.
        clip: what the clip is.
        detector: the model.
        boxes_path: where the boxes file goes; None for none.
    """

    options: Options
    clip: ClipFacts
    detector: Detector
    boxes_path: Path | None = None

    @property
    def min_score(self) -> float:
        """Score from which boxes are looked for."""
        return min(BOXES_FROM, self.options.conf)


@dataclass
class Sample:
    """A sampled frame on its way through the steps, which add to it.

    Attributes:
        index: its number in the clip.
        time_s: seconds from the clip's first frame.
        picture: height×width×3, blue green red.
        detections: boxes in its pixels, best first; of `detect`.
        cut: whether another scene begins with it; of `cuts`.
        tracks: track number of each box; of `track`.
    """

    index: int
    time_s: float
    picture: Picture
    detections: Detections
    tracks: Ints
    cut: bool = False

    @classmethod
    def of(cls, index: int, time_s: float, picture: Picture) -> Sample:
        """Return a frame that no step has seen yet."""
        return cls(index, time_s, picture, Detections.empty(), np.zeros(0, np.int64))


class Step:
    """One step; subclasses override what they need.

    For each sampled frame :meth:`start` of all steps is called, then, when some more frames have been started,
    :meth:`take` of all steps, in the order of the list and of the frames. At the end :meth:`result`, and
    :meth:`close` in any case.
    """

    @classmethod
    def for_run(cls, run: Run) -> Step | None:
        """Return the step for `run`; None where it does not apply."""
        raise NotImplementedError

    def start(self, sample: Sample) -> None:
        """Begin work on `sample` that can go on while other frames are seen to."""

    def take(self, sample: Sample) -> None:
        """Work on `sample`, which the steps before have done with."""

    def result(self) -> Mapping[str, object]:
        """Return what goes into the record, by its keys there."""
        return {}

    def close(self) -> None:
        """Let go of whatever is held. Called once, after an error too."""
