"""Reads seven-segment displays: looks twice for the row of digits in a zone, and then reads it twice from close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shared_utils.errors import ModelError
from shared_utils.media.picture import Picture
from video_worker.engines.base import EngineChoice
from video_worker.engines.open import open_engine
from video_worker.readers import seven_segment_model
from video_worker.readers.base import Mode, RawReading
from video_worker.readers.seven_segment.alphabet import BROKEN, SYMBOLS
from video_worker.readers.seven_segment.decoding import best_symbols, likelihoods, probability, text_of
from video_worker.readers.seven_segment.looks import (
    ROOMS,
    WIDE,
    Corners,
    Grey,
    close,
    from_close,
    grey_of,
    normalised,
    row,
    whole,
)

MODEL = Path(seven_segment_model.__file__).with_name("seven.onnx")
SMALLEST = 4
"""Pixels, of a side of a zone, below which there is nothing to read."""


@dataclass(frozen=True)
class Look:
    """What the network reads in one crop.

    Attributes:
        text: of the likeliest symbols.
        probability: that it is exactly this text.
    """

    text: str
    probability: float


class SevenSegmentReader:
    """The engine ``sevensegment``. It reads one row, whatever the mode.

    Args:
        choice: engine and threads to compute with.
        model: the network's file.

    Raises:
        ModelError: the file cannot be read, or is no model of this kind.
        SettingError: the engine cannot be used here.
    """

    name = "sevensegment"

    def __init__(self, choice: EngineChoice | None = None, model: Path = MODEL) -> None:
        self._engine = open_engine(choice or EngineChoice("onnxruntime"), model, fixed_shapes=False)
        if self._engine.metadata.get("symbols") != "\t".join(SYMBOLS):
            raise ModelError(f"{model.name} is no model of seven-segment displays for this version")
        self._lock = Lock()

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        """Return what a display says: digits, points, minus, colons and a few letters; ``?`` for what is no symbol.

        Dark places are left out, also between digits.
        """
        del mode
        if min(picture.shape[:2]) < SMALLEST:
            return RawReading("", 0.0)
        grey = grey_of(picture)
        crop = whole(grey)
        corners = self._row(crop)
        if corners is None:
            return RawReading("", 0.0)
        corners = corners * np.array([grey.shape[1] / crop.shape[1], grey.shape[0] / crop.shape[0]], np.float32)
        again = self._row(close(grey, corners, WIDE))
        if again is not None:
            corners = from_close(again, corners, WIDE)
        return judged([self._look(close(grey, corners, room)) for room in ROOMS])

    def _row(self, crop: Grey) -> Corners | None:
        """Return where the network says that the row of digits is in a crop of its own height; None for nowhere."""
        said = self._said(crop)[len(SYMBOLS) :]
        return row(1 / (1 + np.exp(-said[0])), said[1], said[2])

    def _look(self, crop: Grey) -> Look:
        """Return what the network reads in a crop of its own height."""
        likely = likelihoods(self._said(crop)[: len(SYMBOLS)])
        symbols = best_symbols(likely)
        return Look(text_of(symbols), probability(likely, symbols))

    def _said(self, crop: Grey) -> NDArray[np.float32]:
        inputs = {"crops": normalised(crop)[np.newaxis, np.newaxis]}
        with self._lock:
            said: NDArray[np.float32] = self._engine.run(inputs)["columns"][0]
        return said


def judged(looks: Sequence[Look]) -> RawReading:
    """Return the text that is the likeliest after all looks, as sure as they are of it on average."""
    sums = dict.fromkeys((look.text for look in looks), 0.0)
    for look in looks:
        sums[look.text] += look.probability
    text = max(sums, key=sums.__getitem__)
    confidence = 0.0 if not text or BROKEN in text else min(sums[text] / len(looks), 1.0)
    return RawReading(text, confidence)
