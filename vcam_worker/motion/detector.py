"""Detects motion in downscaled luma frames: which share of the picture moves.

MOG2 models each pixel by a few brightness levels, so that sensor noise and flicker become background. What it flags is
examined once more: light (a lamp, a cloud's shadow) makes a region brighter or darker and keeps its structure, while an
object brings a structure of its own. Only the latter counts. A change of most of the picture at once (infrared
switching, a lamp) restarts the background from that frame, so that subsequent motion is detected.

Where motion is ignored, the background is learnt as elsewhere, and nothing counts. What comes out of such a place is as
new to the rest of the picture as what comes in at its edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vcam_worker.motion.ignored import Polygons, watched_mask

Luma = NDArray[np.uint8]

ANALYSIS_HEIGHT_PX = 180
"""Height of the analysed picture: a person at 1 % of it is still 20 rows high."""
HISTORY_S = 40.0
"""Time over which a still object becomes background."""
MAX_LEARNING_RATE = 0.5
"""Weight of a frame as late after the previous one as the model remembers: with 1, nothing would ever move."""
VAR_THRESHOLD = 16.0
"""Squared distance, in variances, from which a pixel differs: 4 sigma of the learnt noise."""
VAR_MAX = 30.0
"""Most noise variance that a pixel learns, grey levels squared: an object 22 levels off still shows after a change of
light."""
WARM_UP_S = 2.0
"""Time after a start or a change of light in which the model only learns."""
LIGHT_SHARE = 0.55
"""Share of the picture from which a change is light: no object changes as much between two analysed frames. Where
motion is ignored in a part of it, the share of the rest has to be as high, and that of the whole picture as well: an
object may fill the rest, and trees may move in all that is ignored."""
RELIGHT_S = 0.6
"""Time after a change of light without verdicts, while exposure and gain settle."""
STRUCTURE_WINDOW_PX = 11
"""Side of the window in which structure is compared: half the height of a person at 1 % of the picture."""
STRUCTURE_VARIANCE = 40.0
"""Variance of structure that light does not explain, grey levels squared: an edge of 13 levels through the window.
H.264 artefacts at low bit rates stay below it."""
NOISE_FACTOR = 6.0
"""Structure must exceed the noise variance by this factor, for dark pictures at high gain."""
STILL_SHARE = 0.1
"""Share of what is watched that has to be still, where motion is ignored elsewhere, for its noise to be measured: an
object may fill a door that is all that is watched."""
WHITE, BLACK = 250, 4
"""Grey levels at which a camera shows no structure."""
LOST_SHARE = 0.3
"""Share of a window at those levels from which its structure is not compared."""
CALM_LEVELS = 4
"""Half of the least difference that the background model tolerates, grey levels: a frame without a blob that differs by
more from a motionless one shows no motion either. It is not analysed further, but the next one is in any case, as slow
motion adds up."""
SPECK_SHARE = 0.0004
"""Share of the picture below which a blob is ignored as rain, an insect or noise: 23 pixels of 320×180."""


@dataclass(frozen=True)
class Motion:
    """The verdict on one frame.

    Attributes:
        share: moving share of the picture, 0..1, without specks, and without places where motion is ignored.
        moving: the share is at or above the threshold, and no change of light.
        light: most of the picture changed at once.
    """

    share: float
    moving: bool
    light: bool = False


class BackgroundModel(Protocol):
    """What the detector asks of OpenCV's background model."""

    def apply(self, image: NDArray[Any], *, learningRate: float) -> Any:  # noqa: N803  # OpenCV's name
        """Return the foreground mask of a frame, and learn from it."""

    def getBackgroundImage(self) -> Any:  # noqa: N802  # OpenCV's name
        """Return the background as it is known."""


def new_background_model() -> BackgroundModel:
    """Return a background model that knows nothing yet."""
    model = cv2.createBackgroundSubtractorMOG2(varThreshold=VAR_THRESHOLD, detectShadows=False)
    model.setVarMax(VAR_MAX)
    return cast(BackgroundModel, model)


class MotionDetector:
    """Detects motion, frame by frame.

    Args:
        min_area: moving share of the picture, 0..1, from which it counts.
        new_model: makes the background model, at the start and for each new scene.

    Attributes:
        mask: of the last verdict, height×width: 255 where it moves and is not ignored, else 0; with specks.
    """

    def __init__(self, min_area: float, new_model: Callable[[], BackgroundModel] | None = None) -> None:
        self._min_area = min_area
        self._new_model = new_model or new_background_model
        self._kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        self._window = cv2.getStructuringElement(cv2.MORPH_RECT, (STRUCTURE_WINDOW_PX, STRUCTURE_WINDOW_PX))
        self._shape: tuple[int, ...] | None = None
        self.mask: Luma = np.zeros((0, 0), np.uint8)
        self._calm: Luma | None = None  # the previous frame, if it was analysed in full and nothing moved
        self._quiet_until = self._began = self._last_time = 0.0
        self._is_resumed = False
        self._model = self._new_model()
        self._ignored: Polygons = ()
        self._watched: Luma | None = None  # where motion counts; None: everywhere
        self._weights: NDArray[np.float32] | None = None  # which share of the window around each pixel that is
        self._watched_share = 1.0
        self._noise = 0.0  # variance of structure in what is still; the last one that could be measured

    def ignore(self, polygons: Polygons) -> None:
        """Ignore motion in `polygons`, and nowhere else, from the next frame on."""
        if polygons != self._ignored:
            self._ignored = polygons
            self._calm = None  # it may have been calm but for what is ignored no longer
            self._draw_watched()

    def resume(self) -> None:
        """Expect the next frame from another connection to the same scene, whose stream time begins again."""
        self._is_resumed = True

    def analyse(self, luma: Luma, time: float) -> Motion:
        """Return the verdict on one frame.

        Args:
            luma: height×width, the Y plane downscaled to about :data:`ANALYSIS_HEIGHT_PX` rows.
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
        changed = np.asarray(cv2.morphologyEx(raw, cv2.MORPH_OPEN, self._kernel), np.uint8)
        mask = self._watched_part(changed)
        self.mask = mask
        share = self._blob_share(mask)
        self._calm = None if mask.any() else smooth
        if share >= LIGHT_SHARE * self._watched_share and self._blob_share(changed) >= LIGHT_SHARE:
            self._model.apply(smooth, learningRate=1.0)
            self._quiet_until = max(self._quiet_until, time + RELIGHT_S)
            return Motion(share, moving=False, light=True)
        if share >= self._min_area:  # most frames end above: the second test costs more than the first
            both = cv2.bitwise_and(mask, self._new_structure(smooth, changed))
            self.mask = np.asarray(cv2.morphologyEx(both, cv2.MORPH_OPEN, self._kernel), np.uint8)
            share = self._blob_share(self.mask)
        return Motion(share, moving=share >= self._min_area and time >= self._quiet_until)

    def _is_calm(self, smooth: Luma) -> bool:
        if self._calm is None:
            return False
        _, differs = cv2.threshold(cv2.absdiff(smooth, self._calm), CALM_LEVELS, 255, cv2.THRESH_BINARY)
        return not self._watched_part(np.asarray(cv2.morphologyEx(differs, cv2.MORPH_OPEN, self._kernel))).any()

    def _watched_part(self, mask: Luma) -> Luma:
        """Return a mask without what lies where motion is ignored."""
        return mask if self._watched is None else np.asarray(cv2.bitwise_and(mask, self._watched), np.uint8)

    def _draw_watched(self) -> None:
        self._watched = None if self._shape is None else watched_mask(self._ignored, self._shape)
        self._weights = None
        self._watched_share = 1.0
        if self._watched is not None:
            self._watched = np.asarray(cv2.erode(self._watched, self._kernel), np.uint8)  # smoothing reaches that far
            share = (self._watched != 0).astype(np.float32)
            self._weights = np.maximum(_blurred(share), 1 / STRUCTURE_WINDOW_PX**2)
            self._watched_share = float(share.mean())

    def _learning_rate(self, time: float) -> float:
        """Return the weight of a frame at `time`, 0..1, by seconds, so that keyframes alone teach as fast as all
        frames."""
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
        self._draw_watched()
        self._is_resumed = False
        self.mask = np.zeros(luma.shape, np.uint8)
        self._began = self._last_time = time
        self._calm = None
        self._model = self._new_model()
        self._model.apply(cv2.GaussianBlur(luma, (3, 3), 0), learningRate=1.0)
        self._quiet_until = time + WARM_UP_S

    def _new_structure(self, luma: Luma, mask: Luma) -> Luma:
        """Return where `luma` differs from the background by more than light: 255, else 0.

        `mask` is what changed in all of the picture: the rest shows the noise.

        In each window, the background is fitted to the picture by brightness and contrast, and the other way round;
        the residual of either fit is structure that appeared, or that is hidden.
        """
        now = luma.astype(np.float32)
        before = np.asarray(self._model.getBackgroundImage(), np.float32)
        mean = self._mean
        mean_now, mean_before = mean(now), mean(before)
        var_now = np.maximum(mean(now * now) - mean_now * mean_now, 0)
        var_before = np.maximum(mean(before * before) - mean_before * mean_before, 0)
        shared = np.square(mean(now * before) - mean_now * mean_before)
        came = var_now - shared / (var_before + 1)
        hidden = var_before - shared / (var_now + 1)
        changed = np.maximum(came, hidden)
        # overexposed or underexposed regions have lost their structure to light, not to an object
        lost = ((now >= WHITE) | (now <= BLACK)).astype(np.float32)
        changed[mean(lost) > LOST_SHARE] = 0
        still = changed[mask == 0]
        if self._watched is not None:
            changed[self._watched == 0] = 0
            still = changed[self._watched > mask]
        if self._watched is None or still.size > STILL_SHARE * np.count_nonzero(self._watched):
            self._noise = float(np.median(still)) if still.size else 0.0
        found = np.where(changed > max(STRUCTURE_VARIANCE, NOISE_FACTOR * self._noise), 255, 0).astype(np.uint8)
        # the inside of a plain object differs by brightness alone, and belongs to its outline
        return np.asarray(cv2.dilate(found, self._window), np.uint8)

    @staticmethod
    def _blob_share(mask: NDArray[np.uint8]) -> float:
        """Return the share of the picture that blobs larger than specks cover."""
        if not mask.any():
            return 0.0
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA]
        return float(areas[areas >= SPECK_SHARE * mask.size].sum()) / mask.size

    def _mean(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean over the structure window around each pixel; of its watched part alone, where motion is
        ignored in the other: leaves must not lend their structure to a shadow beside them."""
        if self._watched is None or self._weights is None:
            return _blurred(picture)
        return _blurred(picture * (self._watched != 0)) / self._weights


def _blurred(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(picture, (STRUCTURE_WINDOW_PX, STRUCTURE_WINDOW_PX)), np.float32)
