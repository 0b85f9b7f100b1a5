"""Sources of frames with timestamps, behind one protocol: a drawn scene, a file, or a webcam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from camera_emulator.drawn import DrawnScene

Image = npt.NDArray[np.uint8]

Clock = Callable[[], float]
"""Monotonic seconds, as ``time.monotonic`` returns them."""

Wait = Callable[[float], bool]
"""Sleeps for some seconds; True when it is to stop: ``threading.Event.wait``."""

_MAX_LAG_S = 1.0  # a source that is later than this does not catch up: the machine slept, or is too slow


@dataclass(frozen=True)
class Picture:
    """One frame: ``image()`` returns it as BGR uint8 (height, width, 3), and does the work only when called."""

    time_s: float
    image: Callable[[], Image]


class Source(Protocol):
    """A source of frames. ``size`` is (width, height), even; ``live`` sources pace themselves."""

    name: str
    size: tuple[int, int]
    fps: float
    live: bool

    def pictures(self) -> Iterator[Picture]:
        """Yield frames with strictly rising times in seconds, starting near 0."""

    def close(self) -> None:
        """Release files and devices."""


class SceneSource:
    """A drawn scene, endless."""

    live = False

    def __init__(self, name: str, scene: DrawnScene) -> None:
        self._scene = scene
        self.name = name
        self.size = scene.size
        self.fps = scene.fps

    def pictures(self) -> Iterator[Picture]:
        """Yield the scene from its beginning."""
        number = 0
        while True:
            t = number / self.fps
            yield Picture(t, partial(self._scene.frame, t))
            number += 1

    def close(self) -> None:
        """There is nothing to release."""


def paced(pictures: Iterator[Picture], clock: Clock, wait: Wait) -> Iterator[Picture]:
    """Yield each frame when it is due; end when ``wait`` returns True.

    Times count from the first frame, not from the previous one, so that small delays do not add up.
    """
    start: float | None = None
    for picture in pictures:
        now = clock()
        if start is None or now - (start + picture.time_s) > _MAX_LAG_S:
            start = now - picture.time_s
        if wait(max(0.0, start + picture.time_s - now)):
            return
        yield picture


def even(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size without an odd last column or row, as 4:2:0 halves the colour planes."""
    return size[0] // 2 * 2, size[1] // 2 * 2
