"""Measures brightness over time, so that a covered, dark or blinded camera is noticed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2

from shared_utils.media.picture import Picture
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, Kind, LogColumn, Recipe, RecordKey

DARK = 16.0
"""Mean luma, 0..255, below which a picture shows nothing: a covered lens gives 0 to 5, a lit street at night 30."""
EVERY = 8
"""Every so many rows and columns, one is measured: the mean of every 64th pixel is the mean, to a tenth."""
MAX_VALUES = 60
"""Values in the record: a clip of up to a minute has one per second, a longer one fewer."""


def mean_luma(picture: Picture) -> float:
    """Return how bright `picture` (blue green red) is on the whole, 0..255."""
    blue, green, red = cv2.mean(picture)[:3]
    return 0.114 * blue + 0.587 * green + 0.299 * red


class Brightness(Step):
    """Mean luma of the clip, and over time.

    Args:
        duration_s: of the clip.
    """

    adds = Adds(
        keys=(
            RecordKey(
                "brightness",
                "luma, 0..255: `mean`, `min` and `max` of the clip; `dark`: the whole clip is too dark to show "
                "anything; `values`: means of `every_s` seconds each, null where no frame was sampled",
                '{"mean": 96.1, "min": 96.0, "max": 96.4, "dark": false, "every_s": 1, "values": [96.0, 96.1]}',
            ),
        ),
        columns=(
            LogColumn("brightness", ("brightness", "mean"), Kind.NUMBER, "mean luma", "0..255"),
            LogColumn("dark", ("brightness", "dark"), Kind.FLAG, "whether the whole clip is too dark to show anything"),
        ),
        recipes=(
            Recipe(
                "Is a camera covered, or in the dark?",
                'dark = clips[clips["dark"].fillna(False)][["camera", "started_at", "brightness", "filename"]]',
            ),
        ),
    )
    needs_end = True

    def __init__(self, duration_s: float) -> None:
        self._period_s = max(1, math.ceil(duration_s / MAX_VALUES))
        self._values: list[tuple[float, float]] = []

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies to every clip."""
        return [cls(context.source.duration_s or 0.0)]

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
                "every_s": self._period_s,
                "values": self._over_time(),
            }
        }

    @classmethod
    def remark(cls, record: Mapping[str, Any]) -> str:
        """Ask about a camera that shows nothing."""
        is_dark = record.get("brightness", {}).get("dark")
        return "the picture is dark throughout: is the camera covered?" if is_dark else ""

    def _over_time(self) -> list[float | None]:
        slots: list[list[float]] = [[] for _ in range(int(self._values[-1][0] / self._period_s) + 1)]
        for time_s, luma in self._values:
            slots[int(time_s / self._period_s)].append(luma)
        return [round(sum(slot) / len(slot), 1) if slot else None for slot in slots]
