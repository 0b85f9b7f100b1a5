"""What a camera sees: pictures with timestamps, from a drawn scene, a file or a webcam, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from camera_emulator.scene import Scene

Image = npt.NDArray[np.uint8]

Clock = Callable[[], float]
"""Seconds that never jump, like ``time.monotonic``."""

Wait = Callable[[float], bool]
"""Sleep for so many seconds, or until told to stop, then True: ``threading.Event.wait``."""

_MAX_LAG_S = 1.0  # a source later than this does not catch up: the machine slept, or is too slow for it


@dataclass(frozen=True)
class Picture:
    """One picture: ``image()`` gives it as BGR uint8 (height, width, 3), and does the work only when called."""

    time_s: float
    image: Callable[[], Image]


class Source(Protocol):
    """Anything that gives pictures. ``size`` is (width, height), even; ``live`` sources pace themselves."""

    name: str
    size: tuple[int, int]
    fps: float
    live: bool

    def pictures(self) -> Iterator[Picture]:
        """Pictures with strictly rising times in seconds, starting near 0."""

    def close(self) -> None:
        """Let go of files and devices."""


class SceneSource:
    """The drawn scene, without end."""

    live = False

    def __init__(self, seed: int, size: tuple[int, int], fps: float) -> None:
        self._scene = Scene(seed, size, fps)
        self.name = "scene"
        self.size = size
        self.fps = fps

    def pictures(self) -> Iterator[Picture]:
        """The scene from its beginning."""
        number = 0
        while True:
            t = number / self.fps
            yield Picture(t, partial(self._scene.frame, t))
            number += 1

    def close(self) -> None:
        """Nothing to let go of."""


def paced(pictures: Iterator[Picture], clock: Clock, wait: Wait) -> Iterator[Picture]:
    """Hand each picture on when its time has come; ends when ``wait`` says so.

    Times are counted from the first picture, not from the one before, so that small delays never add up.
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
    """The size without the odd last column or row: H.264 halves the colour planes."""
    return size[0] // 2 * 2, size[1] // 2 * 2
