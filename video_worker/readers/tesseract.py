"""Reads text by Tesseract, through pytesseract: a process of its own for each reading."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import pytesseract
from numpy.typing import NDArray

from shared_utils.errors import ReaderMissing, ReadingFailed
from shared_utils.media.picture import Picture, resized
from video_worker.readers.base import Mode, RawReading

NAME = "tesseract"
LANGUAGE = "eng"
TIMEOUT_S = 20
"""Longest time for one reading."""
CONFIG: Mapping[Mode, str] = {"line": "--psm 7", "area": "--psm 6"}
"""Tesseract's own words for one line, and for a block of lines."""
LINE_PX, MARGIN_PX, BLUR = 48, 10, 0.02
"""Height that a line is scaled to, margin around it, and blur against noise, in heights. Of 60 drawn lines with noise,
blur and JPEG, 47 were read with them, 36 without; with 40 or 56 px, 45 and 41."""
WIDEST = 40
"""Most widths per height of a line; a wider one is squeezed."""
TALLEST = 4 * LINE_PX
"""Height that a line is reduced to before it is blurred, which takes seconds for one of 2000 px."""


class TesseractReader:
    """Tesseract with Debian's model of English.

    Raises:
        ReaderMissing: its program or its model is not installed.
    """

    name = NAME

    def __init__(self) -> None:
        try:
            languages = pytesseract.get_languages()
        except pytesseract.TesseractNotFoundError:
            raise ReaderMissing(
                "the engine tesseract is not installed: give WITH_OCR=tesseract in .env and build the images anew "
                "(without Docker: apt-get install tesseract-ocr)"
            ) from None
        except (pytesseract.TesseractError, OSError, SystemExit) as error:
            raise ReaderMissing(f"the engine tesseract does not start: {_first_line(error)}") from None
        if LANGUAGE not in languages:
            raise ReaderMissing(f"the engine tesseract has no model {LANGUAGE!r}: apt-get install tesseract-ocr-eng")
        # its four threads wait for each other: a line takes twice the CPU. pytesseract hands over this environment
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        """Return what a picture says; see :class:`video_worker.readers.base.TextReader`."""
        try:
            found = pytesseract.image_to_data(
                _prepared(picture, mode),
                lang=LANGUAGE,
                config=CONFIG[mode],
                timeout=TIMEOUT_S,
                output_type=pytesseract.Output.DICT,
            )
        except pytesseract.TesseractError as error:
            raise ReadingFailed(f"tesseract failed: {_first_line(error)}") from None
        except RuntimeError:  # so says pytesseract
            raise ReadingFailed(f"tesseract took longer than {TIMEOUT_S} s") from None
        except OSError as error:
            raise ReadingFailed(f"tesseract cannot be run: {_first_line(error)}") from None
        return _reading(found)


def _prepared(picture: Picture, mode: Mode) -> NDArray[np.uint8]:
    """Return a picture as Tesseract reads it best: grey, dark on light, a line at the height of its training."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    if mode == "line":
        height, width = grey.shape
        widest = min(width / height, WIDEST)
        if height > TALLEST:
            height = TALLEST
            grey = resized(grey, (max(1, round(height * widest)), height))
        blurred = np.asarray(cv2.GaussianBlur(grey, (0, 0), height * BLUR), np.uint8)
        grey = resized(blurred, (max(1, round(LINE_PX * widest)), LINE_PX))
    if np.median(grey) < 128:
        grey = 255 - grey
    paper = float(np.median(grey))
    margins = (MARGIN_PX,) * 4
    return np.asarray(cv2.copyMakeBorder(grey, *margins, cv2.BORDER_CONSTANT, value=(paper,)), np.uint8)


def _reading(found: Mapping[str, list[Any]]) -> RawReading:
    """Return the words of a table of Tesseract's, by line; it is as sure as the least sure word."""
    words = list(_words(found))
    lines: dict[tuple[int, ...], list[str]] = {}
    for line, word, _ in words:
        lines.setdefault(line, []).append(word)
    text = "\n".join(" ".join(line) for line in lines.values())
    return RawReading(text, min((confidence for _, _, confidence in words), default=0.0))


def _words(found: Mapping[str, list[Any]]) -> Iterator[tuple[tuple[int, ...], str, float]]:
    """Yield line, text and confidence of each word."""
    places = zip(found["block_num"], found["par_num"], found["line_num"], strict=True)
    for line, word, percent in zip(places, found["text"], found["conf"], strict=True):
        text = str(word).strip()
        if text and float(percent) >= 0:  # -1: a block or line
            yield line, text, min(float(percent) / 100, 1.0)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
