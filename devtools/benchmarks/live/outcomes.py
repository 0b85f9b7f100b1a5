"""What became of passages: pure arithmetic on moments of sending and events."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from devtools.benchmarks.live.passages import Passage
from shared_utils.contracts.events import Event

LATE_S = 0.1
"""Beyond the usual interval between two frames, from which the second one was sent late."""


@dataclass(frozen=True)
class Heard:
    """An event that a reader got at `arrived`, seconds since the epoch."""

    arrived: float
    event: Event


@dataclass(frozen=True)
class Outcome:
    """What was reported of a passage; all times in seconds from the moment its first frame was sent.

    Attributes:
        events: ``seen`` events.
        seen_s: the first of them; None where there was none.
        decided_s: when the frame was taken that it is about.
        motion_s: capture's report of motion; None where motion had gone on from before.
    """

    events: int
    seen_s: float | None = None
    decided_s: float | None = None
    motion_s: float | None = None


def judge(passages: Sequence[Passage], sent_at: Sequence[float], heard: Sequence[Heard]) -> list[Outcome]:
    """Return the outcome of each passage: what comes from its first frame on, until the next one's, belongs to it.

    Args:
        passages: in their order.
        sent_at: when each frame was sent, seconds since the epoch.
        heard: all events.
    """
    begins = [sent_at[one.appears] for one in passages]
    found = []
    for begin, until in pairwise([*begins, math.inf]):
        own = [one for one in heard if begin <= one.arrived < until]
        seen = [one for one in own if one.event.type == "object" and one.event.value == "seen"]
        motion = [one for one in own if one.event.type == "motion" and one.event.value == "started"]
        found.append(
            Outcome(
                len(seen),
                seen[0].arrived - begin if seen else None,
                seen[0].event.at.timestamp() - begin if seen else None,
                motion[0].arrived - begin if motion else None,
            )
        )
    return found


@dataclass(frozen=True)
class Summary:
    """Figures of several passages; seconds are of those that were seen."""

    seen: int
    doubled: int
    median_s: float
    p90_s: float
    worst_s: float
    motion_s: float
    decided_s: float
    reported_s: float


def summary(outcomes: Sequence[Outcome]) -> Summary:
    """Return the figures of `outcomes`; NaN where there are none."""
    seen = [one.seen_s for one in outcomes if one.seen_s is not None]
    motion = [one.motion_s for one in outcomes if one.motion_s is not None]
    decided = [one.decided_s for one in outcomes if one.decided_s is not None]
    reported = [one.seen_s - one.decided_s for one in outcomes if one.seen_s is not None and one.decided_s is not None]
    return Summary(
        len(seen),
        sum(one.events > 1 for one in outcomes),
        _median(seen),
        rank(seen, 0.9) if seen else math.nan,
        max(seen, default=math.nan),
        _median(motion),
        _median(decided),
        _median(reported),
    )


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def rank(values: Sequence[float], share: float) -> float:
    """Return the smallest of `values` that at least this share of them does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def late_share(sent_at: Sequence[float]) -> float:
    """Return the share of frames that the camera itself sent late: the machine was too busy to be measured."""
    steps = [after - before for before, after in pairwise(sent_at)]
    usual = statistics.median(steps)
    return sum(step > usual + LATE_S for step in steps) / len(steps)


def clips_per_minute(finished: Sequence[float], since: float, until: float) -> float:
    """Return the rate between the first and the last clip that was finished in that time; NaN with fewer than three."""
    inside = sorted(one for one in finished if since <= one <= until)
    return 60 * (len(inside) - 1) / (inside[-1] - inside[0]) if len(inside) > 2 else math.nan
