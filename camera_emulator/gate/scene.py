"""The picture of the gate at any time, and the boxes in it. Pure: the same seed, size and time give the same pixels."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import numpy as np

from camera_emulator.backdrop import Image, backdrop
from camera_emulator.figure_drawing import NOISE_SIGMA, Drawn, SensorNoise, Stand, draw_figure, place_figure
from camera_emulator.gate.programme import Passage, Programme
from camera_emulator.scene import Truth, check_size, visible_parts


class GateScene:
    """The picture and its boxes at any time.

    Args:
        seed: chooses the street and who comes when.
        size: (width, height) in pixels, both even.
        fps: how often the sensor's noise changes.
        noise: grey levels; 0 for clean pictures.

    Attributes:
        programme: who comes when.
    """

    def __init__(
        self, seed: int = 0, size: tuple[int, int] = (1280, 720), fps: float = 15.0, noise: float = NOISE_SIGMA
    ) -> None:
        check_size(size)
        self.seed, self.size, self.fps = seed, size, fps
        width, height = size
        self.programme = Programme(seed, width / height)
        self._backdrop = backdrop(np.random.default_rng([seed, 1]), width, height)
        self._noise = SensorNoise(np.random.default_rng([seed, 2]), size, noise)
        self._visits: list[tuple[float, tuple[Passage, ...]]] = []

    def frame(self, t: float) -> Image:
        """Return the frame at `t` seconds: BGR, uint8, (height, width, 3), a new array each time."""
        image = self._backdrop.copy()
        for one in self._present(t):
            draw_figure(image, self._place(one, t), one.ground * self.size[1])
        self._noise.add(image, np.random.default_rng([self.seed, 4, round(t * self.fps)]))
        return image

    def truth(self, t: float) -> list[Truth]:
        """Return the objects visible at `t` seconds, farthest first, without those barely in the picture."""
        return visible_parts((part for one in self._present(t) for part in self._place(one, t)), self.size)

    def _present(self, t: float) -> list[Passage]:
        """Return who is on the way at `t`, farthest first."""
        while not self._visits or self._visits[-1][0] <= t:
            visit = self.programme.visit(len(self._visits))
            self._visits.append((max(one.end_s for one in visit), visit))
        index = bisect_right(self._visits, t, key=lambda entry: entry[0])
        present = [one for one in self._visits[index][1] if one.start_s <= t <= one.end_s]
        return sorted(present, key=lambda one: one.ground)

    def _place(self, one: Passage, t: float) -> list[Drawn]:
        width, height = self.size
        times, places = zip(*one.points, strict=True)
        x = float(np.interp(t, times, places))
        forward, travelled = places[1] > places[0], 0.0
        for (from_s, before), (to_s, after) in pairwise(one.points):
            if from_s >= t:
                break
            step = (x if t < to_s else after) - before
            if one.kind == "person" and step:
                forward = step > 0  # a car goes back in reverse, a person turns round
                travelled += abs(step)
            else:
                travelled += step if forward else -step
        stand = Stand(
            x * width, one.ground * height, one.tall * height, bool(forward), travelled * width / (one.tall * height)
        )
        return place_figure(one.kind, one.look, stand)
