"""Reads text by rapidocr: PaddleOCR's small models, which are in its wheel, in ONNX Runtime. The default engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rapidocr
from rapidocr.main import RapidOCRError

from shared_utils.errors import ReaderMissing
from shared_utils.media.picture import Picture, resized
from video_worker.readers.base import Mode, RawReading
from video_worker.readers.rows import joined_rows, rows_of

NAME = "rapidocr"
MODELS = Path(rapidocr.__file__).with_name("models")
DETECTION, RECOGNITION = MODELS / "PP-OCRv6_det_small.onnx", MODELS / "PP-OCRv6_rec_small.onnx"
LEAST_SHAPE = [3, 48, 160]
"""Channels, height and least width of what is recognised; short lines are filled up to it. By rapidocr's own 320, 700
drawn lines were read as well (94.1 and 94.0 % exact), but took 25 ms instead of 14."""
DETECTION_SIDE_PX = 960
"""Longest side at which lines are looked for in an area."""
AREA_SIDE_PX = 2000
"""Longest side of an area, from which its lines are cut out."""
TALLEST = 192
"""Pixels of height that a line is reduced to first: the network sees 48, and to blur one of 2000 px takes 4 s."""
WIDEST = 40
"""Most widths per height of a line that is recognised: the time it takes grows with them. A wider one is squeezed."""
BLUR = 0.02
"""Blur of a line before it is recognised, in heights: it joins the dots of dot-matrix displays, whose V is read as U
without (of 116 messages of drawn panels 105 right, 115 with it), and takes noise away (of 220 noisy lines 214, 216)."""
ASCII_OF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {ord("℃"): "°C", ord("℉"): "°F"}
"""Forms of Chinese and Japanese type for characters that stand on displays in their Latin form."""


class RapidOcrReader:
    """PP-OCRv6 small: Latin letters, digits, Chinese and Japanese.

    ONNX Runtime, and not OpenVINO: at full precision both take the same time, but OpenVINO twice the memory, and by
    rapidocr it computes with bfloat16 where the CPU can, which reads differently on other machines.

    Args:
        threads: threads of one reading.

    Raises:
        ReaderMissing: its models are not in the wheel, or damaged.
    """

    name = NAME

    def __init__(self, threads: int = 1) -> None:
        missing = [path.name for path in (DETECTION, RECOGNITION) if not path.is_file()]
        if missing:
            # without their paths, rapidocr would download them
            raise ReaderMissing(f"rapidocr lacks its models {', '.join(missing)}: install it anew, from its wheel")
        self._rapidocr = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.return_word_box": True,  # the confidence of each character
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Det.model_path": str(DETECTION),
                # not the least: it would enlarge a zone of 100 px height sevenfold
                "Det.limit_type": "max",
                "Det.limit_side_len": DETECTION_SIDE_PX,
                "Rec.model_path": str(RECOGNITION),
                "Rec.rec_img_shape": LEAST_SHAPE,
            }
        )
        # it loads its model with the first line
        self._recognise([np.zeros((LEAST_SHAPE[1], LEAST_SHAPE[2], 3), np.uint8)])

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        """Return what a picture says; see :class:`video_worker.readers.base.TextReader`."""
        if mode == "line":
            return self._recognise([picture])[0]
        rows = self._rows(picture)
        found = iter(self._recognise([line for row in rows for line in row]))
        return joined_rows([[next(found) for _ in row] for row in rows])

    def _recognise(self, lines: Sequence[Picture]) -> list[RawReading]:
        """Return the text of pictures of one line each."""
        if not lines:
            return []
        # rapidocr's own type hints are of another option than the one chosen above
        output: Any = self._rapidocr.recognize_txt([_prepared(line) for line in lines])
        return [_reading(text, line.confs) for text, line in zip(output.txts, output.word_results, strict=True)]

    def _rows(self, picture: Picture) -> list[list[Picture]]:
        """Return the lines found in an area, upright, in rows from top to bottom, each from left to right."""
        longest = max(picture.shape[:2])
        if longest > AREA_SIDE_PX:
            height, width = (max(1, round(side * AREA_SIDE_PX / longest)) for side in picture.shape[:2])
            picture = resized(picture, (width, height))
        try:
            found: Any
            lines, found = self._rapidocr.detect_and_crop(picture, {})
        except RapidOCRError:  # nothing was found
            return []
        return [[lines[number] for number in row] for row in rows_of(found.boxes)]


def _reading(text: str, confidences: Sequence[float]) -> RawReading:
    """Return a reading that is as sure as its least sure character: one wrong digit makes a value wrong."""
    cleaned = in_latin(text).strip()
    return RawReading(cleaned, float(min(confidences, default=0.0))) if cleaned else RawReading("", 0.0)


def in_latin(text: str) -> str:
    """Return text with the forms of Chinese and Japanese type replaced by those that displays have."""
    return text.translate(ASCII_OF).replace("°°", "°")


def _prepared(line: Picture) -> Picture:
    height, width = line.shape[:2]
    share = min(TALLEST / height, 1.0)
    size = max(1, round(min(width, height * WIDEST) * share)), round(height * share)
    squeezed = line if size == (width, height) else resized(line, size)
    height = size[1]
    return np.asarray(cv2.GaussianBlur(squeezed, (0, 0), height * BLUR), np.uint8)
