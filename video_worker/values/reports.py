"""Decides which of a zone's values become events: changes, and one at least per minute. Pure: no file, no clock.

Live, a value that never stands still would fill the log of events: a budget of bytes bounds each task of each zone.
Bursts are reported at once, up to :data:`BURST_BYTES`; in the long run an event comes every 25 to 30 s. The newest
value wins, and the event says how many readings there were since the one before, and between which numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

REPEAT_S = 60.0
"""Longest time without an event while there are values."""
BYTES_PER_S = 16.5
"""Of the log, per task, in the long run: 1.4 MB per day, so that 20 zones stay below 30 MB."""
BURST_BYTES = 6000
"""Budget that a quiet task saves up: about 14 events at once."""
COMMON_BYTES = 350
"""Upper bound of what a line holds besides value and keys of its own, names of 32 letters included."""
MAX_VALUE_BYTES, MAX_TEXT_BYTES = 240, 120
"""Of a value and of each further text in live events. What is longer is cut, with an ellipsis: an event per minute
still keeps within the budget."""
PICTURE_S = 300.0
"""Interval of the pictures of values that change, in the long run."""
PICTURE_BURST = 5
"""Pictures at once, of values; as many more are kept for changes of state."""
OK, UNREADABLE = "ok", "unreadable"
LASTING = ("camera_moved", "engine", "error")
"""Reasons that people have to do something about: a change to one of them is reported as one of state."""


@dataclass(frozen=True)
class Value:
    """What a look at a zone gave.

    Attributes:
        value: the text, page or state of a lamp; None where there is none, which is no fault by itself.
        confidence: 0..1; None where nobody says.
        reason: why nothing can be said, such as ``pattern`` or ``camera_moved``; None where something can.
        number: the number that the value is; None where it is none.
        more: further keys of the event, such as ``text``.
    """

    value: str | None = None
    confidence: float | None = None
    reason: str | None = None
    number: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """``ok`` or ``unreadable``."""
        return OK if self.reason is None else UNREADABLE

    @property
    def identity(self) -> tuple[str | None, str, str | None]:
        """What makes it another value than the one before."""
        return self.value, self.state, self.reason if self.reason in LASTING else None


@dataclass(frozen=True)
class Report:
    """A value that becomes an event.

    Attributes:
        time_s: when it was seen, seconds from the source's first frame.
        value: what was seen.
        with_picture: whether a picture of it is wanted.
        more: keys of the event: those of the value, ``state``, ``reason``, and ``readings``, ``min`` and ``max``
            where there were several readings since the event before.
    """

    time_s: float
    value: Value
    with_picture: bool
    more: Mapping[str, Any]


@dataclass
class _Since:
    """Readings since the last event, with the least and greatest number of them."""

    readings: int = 0
    least: float | None = None
    greatest: float | None = None

    def add(self, number: float | None) -> None:
        self.readings += 1
        if number is not None:
            self.least = number if self.least is None else min(self.least, number)
            self.greatest = number if self.greatest is None else max(self.greatest, number)

    def keys(self) -> dict[str, Any]:
        """Return the keys of the event; none where it is about one reading."""
        found: dict[str, Any] = {"readings": self.readings} if self.readings > 1 else {}
        if self.least != self.greatest:
            found |= {"min": self.least, "max": self.greatest}
        return found


class Reports:
    """The reports of one task of one zone.

    Args:
        bounded: whether the budget applies: live, not in clips.
    """

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded
        self._reported: tuple[str | None, str, str | None] | None = None
        self._reported_s: float | None = None
        self._waiting: tuple[float, Value] | None = None
        self._since = _Since()
        self._budget, self._pictures, self._filled_s = float(BURST_BYTES), float(PICTURE_BURST), 0.0

    def take(self, time_s: float, value: Value) -> Report | None:
        """Take a value, in the order of time; return what is to be reported now."""
        self._since.add(value.number)
        self._waiting = time_s, value
        return self.due(time_s)

    def due(self, time_s: float) -> Report | None:
        """Return the newest value where it waited for the budget, and there is enough by now."""
        if self._waiting is None:
            return None
        self._fill(time_s)
        seen_s, value = self._waiting
        is_first = self._reported_s is None or self._reported is None
        is_change = value.identity != self._reported
        is_repeat = self._reported_s is not None and seen_s - self._reported_s >= REPEAT_S
        if not is_change and not is_repeat:
            self._waiting = None
            return None
        if self._bounded and not is_repeat and self._budget < COMMON_BYTES:
            return None
        is_new_state = is_first or value.identity[1:] != (self._reported or (None, None, None))[1:]
        shown = _shortened(value) if self._bounded else value
        more = _keys(shown, self._since)
        cost = COMMON_BYTES + len(json.dumps([shown.value, more], ensure_ascii=False).encode())
        with_picture = self._bounded and is_change and self._pictures >= (1 - PICTURE_BURST if is_new_state else 1)
        self._budget = max(self._budget - cost, -float(BURST_BYTES))
        self._pictures -= with_picture
        self.note(seen_s, value)
        return Report(seen_s, shown, with_picture, more)

    def note(self, time_s: float, value: Value) -> None:
        """Take note that a value was reported, by this or before a restart."""
        self._reported, self._reported_s = value.identity, time_s
        self._since, self._waiting = _Since(), None

    def _fill(self, time_s: float) -> None:
        passed_s = max(0.0, time_s - self._filled_s)
        self._filled_s = time_s
        self._budget = min(float(BURST_BYTES), self._budget + BYTES_PER_S * passed_s)
        self._pictures = min(float(PICTURE_BURST), self._pictures + passed_s / PICTURE_S)

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        return {
            "reported": None if self._reported is None else list(self._reported),
            "reported_s": self._reported_s,
            "since": asdict(self._since),
            "budget": [self._budget, self._pictures, self._filled_s],
        }

    def resume(self, state: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`state`.

        Args:
            state: of earlier reports.
            later_s: what its times are ahead of those to come.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        reported, reported_s = state["reported"], state["reported_s"]
        if reported is not None:
            value, what, reason = reported
            reported = (value, str(what), reason)
        since = _Since(**state["since"])
        budget, pictures, filled_s = (float(number) for number in state["budget"])
        self._reported = reported
        self._reported_s = None if reported_s is None else float(reported_s) + later_s
        self._since = since
        self._budget, self._pictures, self._filled_s = budget, pictures, filled_s + later_s


def _keys(value: Value, since: _Since) -> dict[str, Any]:
    found: dict[str, Any] = {"state": value.state}
    if value.reason is not None:
        found["reason"] = value.reason
    found |= value.more
    if value.number is not None:
        found["number"] = value.number
    return found | since.keys()


def _shortened(value: Value) -> Value:
    """Return a value whose texts are short enough for the log of live events."""
    more = {key: _cut(text, MAX_TEXT_BYTES) if isinstance(text, str) else text for key, text in value.more.items()}
    return replace(value, value=None if value.value is None else _cut(value.value, MAX_VALUE_BYTES), more=more)


def _cut(text: str, most_bytes: int) -> str:
    kept = text
    while len(json.dumps(kept, ensure_ascii=False).encode()) > most_bytes:
        kept = kept[: len(kept) * 3 // 4]
    return text if kept == text else f"{kept}…"
