"""A source that plays a video file in a loop, as if it were a camera."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator import messages
from camera_emulator.source import Picture, even
from shared_utils.errors import SettingError, SourceError
from shared_utils.media.rules import FILE_OPTIONS, file_url

Image = npt.NDArray[np.uint8]

_FALLBACK_FPS = 25.0  # for files without a frame rate
_FPS_RANGE = (1.0, 120.0)

logger = logging.getLogger(__name__)


class FileSource:
    """Any file that PyAV can decode, at its own rate. ``size`` rescales it; ``once`` ends after the first pass.

    Raises SettingError at construction where the file is missing or has no frame that can be decoded.
    """

    live = False

    def __init__(self, path: Path, size: tuple[int, int] | None = None, once: bool = False) -> None:
        self._path = path
        self._once = once
        self.name = path.name
        try:
            with av.open(file_url(path), options=FILE_OPTIONS) as container:
                stream = next(iter(container.streams.video), None)
                first = next(container.decode(stream), None) if stream is not None else None
                rate = float(stream.average_rate or stream.guessed_rate or 0) if stream is not None else 0.0
        except (av.error.FFmpegError, OSError) as error:
            reason = error.strerror or str(error)
            raise SettingError(f"--source {path} cannot be read as a video ({reason}): give another file") from None
        if first is None:
            raise SettingError(f"--source {path} has no video picture in it: give another file")
        self.fps = rate if _FPS_RANGE[0] <= rate <= _FPS_RANGE[1] else _FALLBACK_FPS
        self.size = size or even((first.width, first.height))

    def pictures(self) -> Iterator[Picture]:
        """Yield the file's frames in a loop; times keep rising where it starts again."""
        base = 0.0
        while True:
            end = base
            for picture in self._one_pass(base):
                end = picture.time_s + 1.0 / self.fps
                yield picture
            if end == base:
                raise SourceError(f"{self._path} cannot be read any more: was it changed while it played?")
            if self._once:
                return
            base = end

    def close(self) -> None:
        """There is nothing to release: each pass closes its own file."""

    def _one_pass(self, base: float) -> Iterator[Picture]:
        first: float | None = None
        last = base - 1.0 / self.fps
        try:
            with av.open(file_url(self._path), options=FILE_OPTIONS) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for frame in container.decode(stream):
                    if first is None:
                        first = frame.time or 0.0
                    # Some files have frames without a timestamp, or timestamps that stand still or run backwards.
                    time_s = last + 1.0 / self.fps if frame.time is None else base + frame.time - first
                    last = time_s if time_s > last else last + 1.0 / self.fps
                    yield Picture(last, partial(_to_image, frame, self.size))
        except (av.error.FFmpegError, OSError) as error:
            logger.warning(messages.FILE_DAMAGED, self._path, last - base, error)


def _to_image(frame: av.VideoFrame, size: tuple[int, int]) -> Image:
    """Return the decoded frame as BGR of this size (width, height); an odd last row or column is cut off."""
    image = cast(Image, frame.to_ndarray(format="bgr24"))
    if even((frame.width, frame.height)) == size:
        return np.ascontiguousarray(image[: size[1], : size[0]])
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))
