"""Detection models: pictures in, boxes in the picture's own pixels out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from shared_utils.errors import ModelError
from shared_utils.media.picture import Picture
from video_worker.engines.base import Array, Engine, EngineChoice, PictureFormat
from video_worker.engines.open import open_engine
from video_worker.models.geometry import Letterbox
from video_worker.models.model_info import ModelInfo, read_model_info
from video_worker.models.postprocess import Detections, decode_end_to_end, decode_raw
from video_worker.models.prepare import letterbox


class Detector(Protocol):
    """Finds objects in pictures. Steps and tests depend on this, not on an engine."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by number."""

    @property
    def engine(self) -> str:
        """Engine and version, for the record."""

    @property
    def depth(self) -> int:
        """Pictures that may be under way at once."""

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next picture on. Nothing may be under way."""

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        """Begin detection in `picture`; the function returned waits for its boxes, best first, in its pixels.

        Args:
            picture: height×width×3, blue green red.
            imgsz: longest side of the model's input.
            min_score: weaker boxes are left out.
        """


class OnnxDetector:
    """An ultralytics detection model in an ONNX file.

    Args:
        engine: the model, opened.

    Raises:
        ModelError: it is no detection model that can be run here.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        inputs = tuple(engine.input_shapes.values())
        output_shapes = tuple(engine.output_shapes.values())
        self._info = read_model_info(engine.metadata, inputs[0] if len(inputs) == 1 else (), output_shapes)
        [self._input_name] = engine.input_shapes
        [self._output_name] = engine.output_shapes
        engine.take_pictures(self._input_name, PictureFormat())

    @classmethod
    def open(cls, weights: Path, choice: EngineChoice) -> OnnxDetector:
        """Return the model in `weights`; see :func:`video_worker.engines.open.open_engine`.

        Raises:
            ModelError: it is no detection model that can be run here.
        """
        engine = open_engine(choice, weights)
        try:
            return cls(engine)
        except ModelError as error:
            raise ModelError(f"{weights.name} is no ultralytics detection model: {error}") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by number."""
        return self._info.labels

    @property
    def engine(self) -> str:
        """Engine and version."""
        return self._engine.name

    @property
    def device(self) -> str:
        """What the engine really computes on."""
        return self._engine.device

    @property
    def info(self) -> ModelInfo:
        """What the model says of itself."""
        return self._info

    @property
    def depth(self) -> int:
        """Pictures that may be under way at once."""
        return self._engine.depth

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next picture on."""
        self._engine.use_threads(threads)

    def fit(self, picture: Picture, imgsz: int) -> Letterbox:
        """Return how `picture` is fitted into the model's input."""
        height, width = picture.shape[:2]
        return Letterbox.fit((width, height), imgsz, self._info.stride, self._info.fixed_wh)

    def infer(self, model_input: Picture) -> Callable[[], Array]:
        """Begin inference of a letterboxed picture; the function returned waits for the head's output, without its
        batch dimension.
        """
        wait = self._engine.start({self._input_name: model_input[None]})
        return lambda: np.asarray(wait()[self._output_name][0], np.float32)

    def decode(self, output: Array, min_score: float) -> Detections:
        """Return the boxes of the head's output, duplicates removed, in pixels of the model's input."""
        return (decode_end_to_end if self._info.end_to_end else decode_raw)(output, min_score)

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        """Begin detection in `picture`; see :class:`Detector`."""
        fit = self.fit(picture, imgsz)
        wait = self.infer(letterbox(picture, fit))

        def boxes() -> Detections:
            found = self.decode(wait(), min_score)
            return Detections(fit.to_source(found.xyxy), found.scores, found.classes)

        return boxes
