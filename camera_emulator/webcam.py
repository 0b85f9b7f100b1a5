"""A source that reads a webcam by OpenCV, on Linux, macOS and Windows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.source import Clock, Picture, even
from shared_utils.errors import SourceEnded, SourceRefused

Image = npt.NDArray[np.uint8]

_FALLBACK_FPS = 30.0  # many drivers report 0
_FPS_RANGE = (1.0, 120.0)
_MAX_FAILED_READS = 10  # drivers drop a frame now and then; more in a row mean that the device is gone


class WebcamSource:
    """The webcam with this index. ``size`` and ``fps`` are requests: the driver delivers what it can.

    Raises SourceRefused where there is no such webcam, or another program has it.
    """

    live = True

    def __init__(self, index: int, size: tuple[int, int] | None, fps: float | None, clock: Clock) -> None:
        self._clock = clock
        # OpenCV writes lines of its own on stderr for a missing webcam; our error says it.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._device = cv2.VideoCapture(index)
        if size is not None:
            self._device.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._device.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        if fps is not None:
            self._device.set(cv2.CAP_PROP_FPS, fps)
        image = self._device.read()[1] if self._device.isOpened() else None
        if image is None:
            self._device.release()
            raise SourceRefused(
                f"--source: webcam {index} gives no picture; is it plugged in, allowed to this user, and free?"
            )
        rate = self._device.get(cv2.CAP_PROP_FPS)
        self.fps = rate if _FPS_RANGE[0] <= rate <= _FPS_RANGE[1] else fps or _FALLBACK_FPS
        self.size = size or even((image.shape[1], image.shape[0]))
        self.name = f"webcam {index}"

    def pictures(self) -> Iterator[Picture]:
        """Yield frames as the driver delivers them, with the times of delivery."""
        start = self._clock()
        failed = 0
        while failed < _MAX_FAILED_READS:
            good, image = self._device.read()
            if not good:
                failed += 1
                continue
            failed = 0
            shaped = self._shape(cast(Image, image))
            yield Picture(self._clock() - start, partial(_same, shaped))
        raise SourceEnded(f"{self.name} gives no pictures any more: was it unplugged?")

    def close(self) -> None:
        """Release the device for other programs."""
        self._device.release()

    def _shape(self, image: Image) -> Image:
        if even((image.shape[1], image.shape[0])) == self.size:
            return image[: self.size[1], : self.size[0]]
        return cast(Image, cv2.resize(image, self.size, interpolation=cv2.INTER_AREA))


def _same(image: Image) -> Image:
    return image
