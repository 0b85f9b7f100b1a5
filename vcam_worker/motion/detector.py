"""Motion in small luma pictures: which share of the picture moves.

MOG2 keeps a few brightness levels a pixel, so sensor noise and flicker become background. What it flags is looked at
once more: light (a lamp, a cloud's shadow) makes a place brighter or darker and leaves its structure as it was, an
object brings a structure of its own. Only the latter counts. A change of most of the picture at once (the infrared
cut-over, a switch) starts the background anew from that frame, so that whatever moves next is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

ANALYSIS_HEIGHT_PX = 180
"""Pixel rows that motion is looked for in: a person at 1 % of the picture is still 20 rows high."""
HISTORY_S = 40.0
"""Seconds over which a thing that stands still becomes background."""
MAX_LEARNING_RATE = 0.5
"""Weight of a frame that comes as long after the one before as the model remembers: with 1, nothing would ever move."""
VAR_THRESHOLD = 16.0
"""Squared distance, in variances, from which a pixel differs: 4 sigma of the noise it has learnt."""
VAR_MAX = 30.0
"""Grey levels squared; most noise a pixel may learn: after a change of light a thing 22 levels off still shows."""
WARM_UP_S = 2.0
"""Seconds after a start or a change of light in which the model only learns."""
LIGHT_SHARE = 0.55
"""Share of the picture that no object in front of a fixed camera moves from one analysed frame to the next."""
RELIGHT_S = 0.6
"""Seconds after a change of light that are not judged: exposure and gain are still settling."""
STRUCTURE_WINDOW_PX = 11
"""Pixels; side of the window in which structure is compared: half the height of a person at 1 % of the picture."""
STRUCTURE_VARIANCE = 40.0
"""Grey levels squared: structure that light does not explain; a grey step of 13 through the window. The residue of
H.264 at low bit rates stays below it."""
NOISE_FACTOR = 6.0
"""Structure counts only above so many times the variance of the noise: dark pictures at high gain."""
WHITE, BLACK = 250, 4
"""Grey levels at which a camera shows no structure any more."""
LOST_SHARE = 0.3
"""Share of a window at those levels from which its structure says nothing."""
CALM_LEVELS = 4
"""Grey levels, half of what the background model tolerates at least: a frame without a blob that differs by more from a
frame without motion shows none either. It is not looked at further, but the next one is in any case: what moves slowly
adds up."""
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

    Attributes:
        mask: what the last verdict's share was measured on, height×width: 255 where it moves, else 0; specks included.
    """

    def __init__(self, min_area: float) -> None:
        self._min_area = min_area
        self._kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        self._window = cv2.getStructuringElement(cv2.MORPH_RECT, (STRUCTURE_WINDOW_PX, STRUCTURE_WINDOW_PX))
        self._shape: tuple[int, ...] | None = None
        self.mask: Luma = np.zeros((0, 0), np.uint8)
        self._calm: Luma | None = None  # the frame before, if it was looked at in full and nothing moved
        self._quiet_until = self._began = self._last_time = 0.0
        self._is_resumed = False
        self._model = self._new_model()

    def resume(self) -> None:
        """Have the next frame be that of another connection to the same scene, where stream time begins anew."""
        self._is_resumed = True

    def _new_model(self) -> cv2.BackgroundSubtractorMOG2:
        model = cv2.createBackgroundSubtractorMOG2(varThreshold=VAR_THRESHOLD, detectShadows=False)
        model.setVarMax(VAR_MAX)
        return model

    def analyse(self, luma: Luma, time: float) -> Motion:
        """Judge one frame.

        Args:
            luma: height×width, the Y plane shrunk to about :data:`ANALYSIS_HEIGHT_PX` rows.
            time: stream time, seconds, rising.
        """
        if luma.shape != self._shape:
            self._start_anew(luma, time)
            return Motion(0.0, moving=False)
        if self._is_resumed:
            self._move_clock(time)
        smooth = np.asarray(cv2.GaussianBlur(luma, (3, 3), 0), np.uint8)
        if self._is_calm(smooth):
            self._calm = None
            return Motion(0.0, moving=False)
        raw = self._model.apply(smooth, learningRate=self._learning_rate(time))
        mask = np.asarray(cv2.morphologyEx(raw, cv2.MORPH_OPEN, self._kernel), np.uint8)
        self.mask = mask
        share = self._blob_share(mask)
        self._calm = None if mask.any() else smooth
        if share >= LIGHT_SHARE:
            self._model.apply(smooth, learningRate=1.0)
            self._quiet_until = max(self._quiet_until, time + RELIGHT_S)
            return Motion(share, moving=False, light=True)
        if share >= self._min_area:  # most frames end above: the second look costs more than the first
            both = cv2.bitwise_and(mask, self._new_structure(smooth, mask))
            self.mask = np.asarray(cv2.morphologyEx(both, cv2.MORPH_OPEN, self._kernel), np.uint8)
            share = self._blob_share(self.mask)
        return Motion(share, moving=share >= self._min_area and time >= self._quiet_until)

    def _is_calm(self, smooth: Luma) -> bool:
        if self._calm is None:
            return False
        _, differs = cv2.threshold(cv2.absdiff(smooth, self._calm), CALM_LEVELS, 255, cv2.THRESH_BINARY)
        return not cv2.morphologyEx(differs, cv2.MORPH_OPEN, self._kernel).any()

    def _learning_rate(self, time: float) -> float:
        """Return the weight of a frame at `time`, 0..1: by seconds, so that keyframes alone teach as fast as all do."""
        step, self._last_time = time - self._last_time, time
        memory = min(HISTORY_S, 2 * (time - self._began))
        return min(MAX_LEARNING_RATE, step / memory) if memory > 0 else MAX_LEARNING_RATE

    def _move_clock(self, time: float) -> None:
        moved, self._last_time = time - self._last_time, time
        self._began += moved
        self._quiet_until += moved
        self._calm = None
        self._is_resumed = False

    def _start_anew(self, luma: Luma, time: float) -> None:
        self._shape = luma.shape
        self._is_resumed = False
        self.mask = np.zeros(luma.shape, np.uint8)
        self._began = self._last_time = time
        self._calm = None
        self._model = self._new_model()
        self._model.apply(cv2.GaussianBlur(luma, (3, 3), 0), learningRate=1.0)
        self._quiet_until = time + WARM_UP_S

    def _new_structure(self, luma: Luma, mask: Luma) -> Luma:
        """Return where `luma` differs from the background by more than light: 255, else 0.

        Within each window the background, made brighter or darker as fits best, is taken from the picture, and the
        other way round; what is left on either side is structure that came, or that is hidden.
        """
        now = luma.astype(np.float32)
        before = np.asarray(self._model.getBackgroundImage(), np.float32)
        mean_now, mean_before = _mean(now), _mean(before)
        var_now = np.maximum(_mean(now * now) - mean_now * mean_now, 0)
        var_before = np.maximum(_mean(before * before) - mean_before * mean_before, 0)
        shared = np.square(_mean(now * before) - mean_now * mean_before)
        came = var_now - shared / (var_before + 1)
        hidden = var_before - shared / (var_now + 1)
        changed = np.maximum(came, hidden)
        # what is burnt out (or drowned) has lost its structure to the light, not to an object
        lost = ((now >= WHITE) | (now <= BLACK)).astype(np.float32)
        changed[_mean(lost) > LOST_SHARE] = 0
        still = changed[mask == 0]
        noise = float(np.median(still)) if still.size else 0.0
        found = np.where(changed > max(STRUCTURE_VARIANCE, NOISE_FACTOR * noise), 255, 0).astype(np.uint8)
        # the inside of a plain object differs by brightness alone: it belongs to the outline around it
        return np.asarray(cv2.dilate(found, self._window), np.uint8)

    @staticmethod
    def _blob_share(mask: NDArray[np.uint8]) -> float:
        """Return the share of the picture that blobs above the size of a speck cover."""
        if not mask.any():
            return 0.0
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA]
        return float(areas[areas >= SPECK_SHARE * mask.size].sum()) / mask.size


def _mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over the structure window around each pixel."""
    return np.asarray(cv2.blur(picture, (STRUCTURE_WINDOW_PX, STRUCTURE_WINDOW_PX)), np.float32)
