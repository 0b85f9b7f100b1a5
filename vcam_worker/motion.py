"""Motion in small luma pictures: which share of the picture moves.

MOG2 keeps a few brightness levels a pixel, so sensor noise and flicker become background; what is left is cleaned of
specks and measured. A change of most of the picture at once is light (a lamp, the infrared cut-over), not an object:
the background is learnt anew from that frame, so that whatever moves next is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

ANALYSIS_HEIGHT = 180
"""Pixel rows that motion is looked for in: a person at 1 % of the picture is still 20 rows high."""
HISTORY_SECONDS = 40.0
"""Seconds over which a thing that stands still becomes background."""
VAR_THRESHOLD = 30.0
"""Squared distance, in variances, from which a pixel differs: above 5 sigma of the noise it has learnt."""
WARM_UP_SECONDS = 2.0
"""Seconds after a start or a change of light in which the model only learns."""
LIGHT_SHARE = 0.55
"""Share of the picture that no object in front of a fixed camera moves from one analysed frame to the next."""
RELIGHT_SECONDS = 0.6
"""Seconds after a change of light that are not judged: exposure and gain are still settling."""
SPECK_SHARE = 0.0004
"""Share of the picture below which a blob is rain, an insect or noise: 23 pixels of 320×180."""


@dataclass(frozen=True)
class Motion:
    """One frame's verdict.

    Attributes:
        share: moving share of the picture, 0..1, specks left out.
        moving: it is at or above the threshold, and no change of light.
        light: the whole picture changed.
    """

    share: float
    moving: bool
    light: bool = False


class MotionDetector:
    """Looks for motion, frame by frame.

    Args:
        min_area: moving share of the picture, 0..1, from which it counts.
        fps: analysed frames a second, for the background's memory.
    """

    def __init__(self, min_area: float, fps: float) -> None:
        self._min_area = min_area
        self._frames_of_history = max(10, round(HISTORY_SECONDS * fps))
        self._kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        self._shape: tuple[int, ...] | None = None
        self._quiet_until = 0.0
        self._model = self._new_model()

    def _new_model(self) -> cv2.BackgroundSubtractorMOG2:
        return cv2.createBackgroundSubtractorMOG2(
            history=self._frames_of_history, varThreshold=VAR_THRESHOLD, detectShadows=False
        )

    def look(self, luma: Luma, time: float) -> Motion:
        """Judge one frame.

        Args:
            luma: height×width, the Y plane shrunk to about :data:`ANALYSIS_HEIGHT` rows.
            time: stream time, seconds, rising.
        """
        if luma.shape != self._shape:
            self._start_anew(luma, time)
            return Motion(0.0, moving=False)
        smooth = cv2.GaussianBlur(luma, (3, 3), 0)
        raw = self._model.apply(smooth)
        mask = np.asarray(cv2.morphologyEx(raw, cv2.MORPH_OPEN, self._kernel), np.uint8)
        share = self._blob_share(mask)
        if share >= LIGHT_SHARE:
            self._model.apply(smooth, learningRate=1.0)
            self._quiet_until = max(self._quiet_until, time + RELIGHT_SECONDS)
            return Motion(share, moving=False, light=True)
        return Motion(share, moving=share >= self._min_area and time >= self._quiet_until)

    def _start_anew(self, luma: Luma, time: float) -> None:
        self._shape = luma.shape
        self._model = self._new_model()
        self._model.apply(cv2.GaussianBlur(luma, (3, 3), 0), learningRate=1.0)
        self._quiet_until = time + WARM_UP_SECONDS

    @staticmethod
    def _blob_share(mask: NDArray[np.uint8]) -> float:
        """Return the share of the picture that blobs above the size of a speck cover."""
        if not mask.any():
            return 0.0
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA]
        return float(areas[areas >= SPECK_SHARE * mask.size].sum()) / mask.size
