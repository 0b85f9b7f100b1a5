"""The plan of a sample volume: cameras, times of clips, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from vcam_worker.recording.clip_logic import ClipRules

CAMERAS = {"street": 0.6, "yard": 0.4}
"""Share of the clips that each camera has."""
SIZE, FPS = (640, 360), 10.0
RULES = ClipRules(clip_seconds=10.0, pre_roll_seconds=3.0)
LABELLED = 7
"""Clips with labels, of those of a week."""
SLOT = timedelta(minutes=3)
"""At most one clip of a camera begins in each."""

# how busy the street is by the hour, from midnight on
WORKDAY = (1, 1, 0, 0, 0, 1, 4, 10, 14, 8, 5, 5, 7, 6, 5, 6, 9, 15, 12, 8, 5, 4, 3, 2)
WEEKEND = (3, 2, 1, 1, 0, 0, 1, 2, 4, 7, 10, 11, 10, 9, 10, 10, 9, 8, 7, 6, 5, 5, 4, 4)

POWER_CUT = (0.20, 0.235)
"""Part of the whole time in which no camera left a sign of life."""
PANEL = "press"
"""A camera in front of a control panel, without clips: its displays are read live."""
LIVE = timedelta(hours=24)
"""How far back the live worker was there."""
AWAY = {"yard": (0.42, 0.56), PANEL: (0.92, 0.935)}
"""Part in which this camera was away, and capture knew it."""


@dataclass(frozen=True)
class Plan:
    """What the folder is to hold.

    Attributes:
        end: local time of its end, with the zone.
        days: it reaches back.
        clips: about so many.
        seed: of streets, visits and times.
        labelled: clips that have labels, at most.
    """

    end: datetime
    days: float
    clips: int
    seed: int
    labelled: int = 0

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=self.days)

    def at(self, share: float) -> datetime:
        """Return the moment at this share of the whole time."""
        return (self.start + timedelta(days=self.days) * share).astimezone()

    def gaps(self, camera: str) -> list[tuple[datetime, datetime]]:
        """Return when `camera` was not being watched."""
        parts = [POWER_CUT] + ([AWAY[camera]] if camera in AWAY else [])
        return [(self.at(begin), self.at(end)) for begin, end in parts]


def moments_of(plan: Plan, camera: str) -> list[datetime]:
    """Return when the clips of `camera` begin, in order."""
    rng = np.random.default_rng([plan.seed, 1, list(CAMERAS).index(camera)])
    count = int(timedelta(days=plan.days) / SLOT)
    starts = [(plan.start + number * SLOT).astimezone() for number in range(count - 1)]
    gaps = plan.gaps(camera)
    weights = np.array([_busy(moment) * (not _within(moment, gaps)) for moment in starts], float)
    wanted = min(max(1, round(plan.clips * CAMERAS[camera])), int(np.count_nonzero(weights)))
    chosen = sorted(rng.choice(len(starts), wanted, replace=False, p=weights / weights.sum()))
    return [starts[number] + timedelta(seconds=round(float(rng.uniform(5, 100)), 3)) for number in chosen]


def _busy(moment: datetime) -> float:
    return (WEEKEND if moment.weekday() >= 5 else WORKDAY)[moment.hour]


def _within(moment: datetime, gaps: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(begin - SLOT <= moment < end + SLOT for begin, end in gaps)
