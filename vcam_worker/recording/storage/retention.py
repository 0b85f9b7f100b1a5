"""The age of clips and pictures, by the time that capture observed to pass, whatever the host's clock says.

A clock that is years ahead for an hour would make every clip look overdue. So all leaps of the clock in a clip's life
together count for a quarter of the retention time, and two days at most. Time while capture is down looks the same;
clips then stay longer by it, and are deleted as the days pass that capture observes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared_utils.durable import sync_file

STATE_NAME = ".retention.json"
SCHEMA = 1
MAX_UNSEEN = timedelta(days=2)
"""Most of a leap that counts: a weekend."""
UNSEEN_SHARE = 0.25
"""Most of a leap that counts, as a share of the retention time."""
JITTER = timedelta(minutes=5)
"""Deviation of a synchronized clock between two sweeps."""
FUTURE = timedelta(days=1)
"""A clip whose name is later than this from now was recorded by a clock that was ahead."""
MIN_INFERRED_LEAP = timedelta(days=60)
"""Interval between two clips that counts as a leap of the clock, where nothing else is known."""
SAVE_INTERVAL = timedelta(minutes=5)
UNSAVED = 2 * SAVE_INTERVAL
"""Time after the last save in which clips may have been made before the leap: a killed capture saves nothing more."""


@dataclass(frozen=True)
class Leap:
    """The clock advanced from one time to another in less time than that."""

    before: datetime
    after: datetime


class RetentionClock:
    """Tells the age of clips.

    Args:
        retention: age from which clips are deleted.
        state: what :meth:`state` returned in an earlier run; anything else is ignored.
    """

    def __init__(self, retention: timedelta, state: object = None) -> None:
        self._allowance = min(MAX_UNSEEN, retention * UNSEEN_SHARE)
        self._seen: datetime | None = None  # the time of the last update
        self._tick = 0.0
        self._leaps: list[Leap] = []
        self._first_seen: dict[str, datetime] = {}  # when clips were first seen whose names are in the future
        self._restore(state)

    def update(self, now: datetime, tick: float, clips: Mapping[str, datetime], newest_write: datetime | None) -> None:
        """Take the present time and the existing clips; pictures of live events count as clips do.

        Args:
            now: local time by the host's clock.
            tick: seconds of a monotonic clock that also runs while the machine sleeps.
            clips: the times in their names, by name.
            newest_write: when the newest clip was written, by its file system; None where unknown.
        """
        if self._seen is None:
            self._infer(now, sorted(clips.values()), newest_write)
        else:
            passed = timedelta(seconds=max(0.0, tick - self._tick)) if self._tick else timedelta(0)
            # time that this run did not observe is a leap; before this run, capture may have been down
            if now - self._seen > passed + (JITTER if self._tick else self._allowance):
                self._leaps.append(Leap(self._seen + passed, now))
        # setting the clock back undoes its leaps as far; a leap before the first clip concerns none
        first = min((self._first_seen.get(name, time) for name, time in clips.items()), default=now)
        undone = (leap if leap.after <= now + JITTER else Leap(leap.before, now) for leap in self._leaps)
        self._leaps = [leap for leap in undone if leap.after > leap.before + JITTER and leap.before + UNSAVED >= first]
        self._seen, self._tick = now, tick
        self._note_future_names(now, clips)

    def _infer(self, now: datetime, times: Sequence[datetime], newest_write: datetime | None) -> None:
        """Infer leaps from the clips, where there is no state of an earlier run."""
        past = [time for time in times if time <= now]
        for before, after in itertools.pairwise(past):
            if after - before > MIN_INFERRED_LEAP:
                self._leaps.append(Leap(before, after))
        written_now = newest_write is not None and abs(now - newest_write) <= self._allowance
        if past and now - past[-1] > self._allowance and not written_now:
            self._leaps.append(Leap(past[-1], now))

    def _note_future_names(self, now: datetime, clips: Mapping[str, datetime]) -> None:
        for name, time in clips.items():
            if name not in self._first_seen and time > now + FUTURE:
                self._first_seen[name] = now
        self._first_seen = {name: born for name, born in self._first_seen.items() if name in clips}

    @property
    def leap(self) -> Leap | None:
        """The largest leap of the clock that is subtracted from ages; None without one."""
        return max(self._leaps, key=lambda leap: leap.after - leap.before, default=None)

    def age(self, name: str, time: datetime, now: datetime) -> timedelta:
        """Return how old a clip is.

        Args:
            name: the clip's.
            time: the one in its name.
            now: by the host's clock.
        """
        began = self._first_seen.get(name, time)
        leaps = sum((leap.after - leap.before for leap in self._leaps if began <= leap.before + UNSAVED), timedelta(0))
        return now - began - max(timedelta(0), leaps - self._allowance)

    def state(self) -> dict[str, Any]:
        """Return the state for the next run, as JSON values."""
        return {
            "schema": SCHEMA,
            "seen": self._seen.isoformat() if self._seen else None,
            "leaps": [[leap.before.isoformat(), leap.after.isoformat()] for leap in self._leaps],
            "born": {name: born.isoformat() for name, born in self._first_seen.items()},
        }

    def _restore(self, state: object) -> None:
        if not isinstance(state, dict) or state.get("schema") != SCHEMA:
            return
        try:
            seen = datetime.fromisoformat(state["seen"])
            leaps = [Leap(datetime.fromisoformat(one), datetime.fromisoformat(other)) for one, other in state["leaps"]]
            born = {str(name): datetime.fromisoformat(time) for name, time in state["born"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        self._seen, self._leaps, self._first_seen = seen, leaps, born


def load_state(path: Path) -> object:
    """Return the state that :func:`save_state` wrote; None where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state atomically.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(state, file)
        file.flush()
        sync_file(file.fileno())
    fresh.replace(path)
