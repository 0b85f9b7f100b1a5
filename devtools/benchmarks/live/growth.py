"""Whether a quantity is flat, by the soak's rules: warm-up left out, and the median of all slopes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from devtools.benchmarks.report import Report
from devtools.soak import WARM_UP_SHARE, slope

GROWTH_MB, GROWTH_SHARE = 6.0, 0.04
"""Most that memory may grow over the judged time: an amount, or this share of its median if that is more."""


@dataclass(frozen=True)
class Growth:
    """How a series has gone.

    Attributes:
        start, end: medians of the first and the last tenth of what is judged.
        slope: the median of all slopes.
        growth: that over the judged part.
        bound: most that it may be.
    """

    start: float
    end: float
    slope: float
    growth: float
    bound: float

    @classmethod
    def of(cls, along: Sequence[float], values: Sequence[float]) -> Growth:
        """Return that of a series; `along` rises from 0: hours, or clients. Of equal ones, the last value counts."""
        judged = {at: value for at, value in zip(along, values, strict=True) if at >= WARM_UP_SHARE * along[-1]}
        along, values = list(judged), list(judged.values())
        steepness = slope(along, values)
        tenth = max(1, len(values) // 10)
        return cls(
            statistics.median(values[:tenth]),
            statistics.median(values[-tenth:]),
            steepness,
            steepness * (along[-1] - along[0]),
            max(GROWTH_MB, GROWTH_SHARE * statistics.median(values)),
        )

    def add_to(self, report: Report, title: str, unit: str, scale: float = 1.0) -> None:
        """Add its figures to a report; the slope times `scale` is in `unit`."""
        report.add(f"  {title} after warm-up (PSS)", self.start, "MB")
        report.add(f"  {title} at the end", self.end, "MB")
        report.add(f"  {title}, slope", self.slope * scale, unit)
        report.add(f"  {title}, growth by that slope", self.growth, "MB", most=self.bound)
