"""A camera in front of which a person passes now and then: drawn by a seed, so that it is known when each one comes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import av
import numpy as np

from camera_emulator.scene import FIRST_QUIET_S, Scene
from devtools.benchmarks.streams import encode_as_camera

SIZE, FPS, BITRATE = (1920, 1080), 20, 4_000_000
SMALL_SIZE = (640, 360)
SEED = 12
FIRST_QUIET_FRAMES = 15 * FPS
"""Capture learns the background, and the first viewer of its frames connects."""
QUIET_RANGE_S = (5.0, 9.0)
"""Between two passages: frames that are sent while something moves end 3 s after it."""
MAX_PASSAGE_S = 7.5
TRUTH_STEP_S = 0.2


@dataclass(frozen=True)
class Passage:
    """One person who crosses the picture; numbers of frames in the whole stream.

    Attributes:
        appears: the first frame that shows a part of the person, be it a pixel.
        ends: the first frame after the visit.
    """

    appears: int
    ends: int


@dataclass(frozen=True)
class Programme:
    """A stream: for each frame the scene's time that it shows; and the passages in it."""

    times: tuple[float, ...]
    passages: tuple[Passage, ...]


def programme(passages: int, seed: int = SEED) -> Programme:
    """Return a stream with so many passages, at moments that the seed chooses."""
    street = _Street(seed)
    dice = random.Random(seed)  # no secrets
    times = list(_quiet(FIRST_QUIET_FRAMES))
    found: list[Passage] = []
    for start_s, end_s in street.lone_walkers():
        if found:
            times += _quiet(round(dice.uniform(*QUIET_RANGE_S) * FPS))
        moments = [start_s + number / FPS for number in range(int((end_s - start_s) * FPS) + 1)]
        found.append(Passage(len(times) + street.first_shown(moments), len(times) + len(moments)))
        times += moments
        if len(found) == passages:
            break
    times += _quiet(4 * FPS)
    return Programme(tuple(times), tuple(found))


def ensure_stream(plan: Programme, folder: Path, seed: int = SEED) -> Path:
    """Return the file of a programme in `folder`; drawn and encoded if it is not there yet."""
    path = folder / f"passages-{len(plan.passages)}-1080p20.mp4"
    if not path.exists():
        print(f"drawing {path.name} (the first time only) ...", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        scene = Scene(seed, SIZE, FPS)
        frames = (av.VideoFrame.from_ndarray(scene.frame(moment), format="bgr24") for moment in plan.times)
        encode_as_camera(draft, SIZE, FPS, BITRATE, frames)
        draft.replace(path)
    return path


def _quiet(frames: int) -> Iterator[float]:
    """Yield times of so many frames of the empty street; the scene begins with some seconds of it."""
    length = int(FIRST_QUIET_S[0] * FPS) - 1
    return (number % length / FPS for number in range(frames))


class _Street:
    """The scene without noise, and small, where the same things happen at the same times."""

    def __init__(self, seed: int) -> None:
        self._scene = Scene(seed, SMALL_SIZE, FPS, noise=0)
        self._empty = self._scene.frame(0.0)

    def lone_walkers(self) -> Iterator[tuple[float, float]]:
        """Yield begin and end of the visits of one person alone, seconds."""
        for number in count():
            visit = self._scene.visit(number)
            if visit.labels != {"person"} or visit.end_s - visit.start_s > MAX_PASSAGE_S:
                continue
            moments = np.arange(visit.start_s, visit.end_s, TRUTH_STEP_S).tolist()
            if max(len(self._scene.truth(moment)) for moment in moments) == 1:
                yield visit.start_s, visit.end_s

    def first_shown(self, moments: Sequence[float]) -> int:
        """Return the number of the first moment at which any pixel differs from the empty street."""
        return next(number for number, moment in enumerate(moments) if np.any(self._scene.frame(moment) != self._empty))
