"""How bright the picture is over time, so that a covered, dark or blinded camera is noticed."""

from __future__ import annotations

import math
from collections.abc import Mapping

from video_worker.models.prepare import mean_luma
from video_worker.steps.base import Run, Sample, Step

DARK = 16.0
"""Mean luma, 0..255, below which a picture shows nothing: a covered lens gives 0 to 5, a lit street at night 30."""
EVERY = 8
"""Rows and columns of which one is looked at: the mean of every 64th pixel is the mean, to a tenth."""
MAX_VALUES = 60
"""Values in the record: a clip of up to a minute has one a second, a longer one fewer."""


class Brightness(Step):
    """Mean luma of the clip, and over time.

    In the record: ``"brightness": {"mean", "min", "max", "dark", "every_s", "values"}``, luma 0..255; `dark` tells
    that the whole clip is too dark to show anything; `values` are the means of `every_s` seconds each, null where no
    frame was sampled.
    """

    def __init__(self, run: Run) -> None:
        self._every_s = max(1, math.ceil(run.clip.duration_s / MAX_VALUES))
        self._values: list[tuple[float, float]] = []

    @classmethod
    def for_run(cls, run: Run) -> Brightness:
        """Applies to every clip."""
        return cls(run)

    def take(self, sample: Sample) -> None:
        """Measure the frame."""
        self._values.append((sample.time_s, mean_luma(sample.picture[::EVERY, ::EVERY])))

    def result(self) -> Mapping[str, object]:
        """Return `brightness`."""
        if not self._values:
            return {}
        lumas = [luma for _, luma in self._values]
        return {
            "brightness": {
                "mean": round(sum(lumas) / len(lumas), 1),
                "min": round(min(lumas), 1),
                "max": round(max(lumas), 1),
                "dark": max(lumas) < DARK,
                "every_s": self._every_s,
                "values": self._over_time(),
            }
        }

    def _over_time(self) -> list[float | None]:
        slots: list[list[float]] = [[] for _ in range(int(self._values[-1][0] / self._every_s) + 1)]
        for time_s, luma in self._values:
            slots[int(time_s / self._every_s)].append(luma)
        return [round(sum(slot) / len(slot), 1) if slot else None for slot in slots]
