"""A detection model ready to use: pictures in, boxes in the picture's own pixels out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from shared_utils.errors import ModelError
from shared_utils.media.picture import Picture
from video_worker.engines.base import Engine, open_engine
from video_worker.models.geometry import Letterbox
from video_worker.models.model_info import ModelInfo, read_model_info
from video_worker.models.postprocess import Detections, decode_end_to_end, decode_raw
from video_worker.models.prepare import letterbox


class Detector(Protocol):
    """What finds objects. Steps and tests depend on this, not on an engine."""

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
        """Begin to look at `picture`; the function returned waits for its boxes, best first, in its pixels.

        Args:
            picture: height×width×3, blue green red.
            imgsz: longest side the model is to see.
            min_score: weaker boxes are left out.
        """


class OnnxDetector:
    """An ultralytics detection model of an ONNX file.

    Args:
        engine: the model, opened.
        info: what it says of itself.
    """

    def __init__(self, engine: Engine, info: ModelInfo) -> None:
        self._engine = engine
        self._info = info

    @classmethod
    def open(cls, weights: Path, kind: str, device: str, threads: int) -> OnnxDetector:
        """Return the model in `weights`; see :func:`video_worker.engines.base.open_engine`.

        Raises:
            ModelError: it is no detection model that can be run here.
        """
        engine = open_engine(kind, device, weights, threads)
        try:
            info = read_model_info(engine.metadata, engine.input_shape, engine.output_shapes)
        except ModelError as error:
            raise ModelError(f"{weights.name} is no ultralytics detection model: {error}") from None
        return cls(engine, info)

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

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        """Begin to look at `picture`; see :class:`Detector`."""
        height, width = picture.shape[:2]
        fit = Letterbox.fit((width, height), imgsz, self._info.stride, self._info.fixed_wh)
        wait = self._engine.start(letterbox(picture, fit))
        decode = decode_end_to_end if self._info.end_to_end else decode_raw

        def boxes() -> Detections:
            found = decode(wait(), min_score)
            return Detections(fit.to_source(found.xyxy), found.scores, found.classes)

        return boxes
