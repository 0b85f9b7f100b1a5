"""Cleans what an engine has read: what cannot be right is unreadable, with the reason. Pure: no file, no clock."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

from shared_utils.config.zones.model import NumberRules, ReadTask
from video_worker.readers.base import RawReading
from video_worker.values.numbers import GAP_S, SLOW_SHARE, CounterRule, Number, StepRule, parse_number
from video_worker.values.patterns import Pattern
from video_worker.values.reports import Value

EMPTY, CONFIDENCE, PATTERN, NUMBER = "empty", "confidence", "pattern", "number"
RANGE, STEP, COUNTER, MAJORITY = "range", "step", "counter", "majority"
"""Reasons for which a reading is unreadable."""
MAX_TEXT = 2000
"""Characters that are cleaned: patterns take long on longer texts."""


@dataclass(frozen=True)
class _Clean:
    """A reading that passed: its text, and the number where it is one."""

    text: str
    number: Decimal | None = None


class _Vote(NamedTuple):
    """What a look says in the majority: the value, None for none, the number that it is, and when it was."""

    text: str | None
    number: str | None
    confidence: float
    time_s: float


class Cleaner:
    """Cleans the readings of one task.

    In this order: pairs of `replace`, the `pattern`, the `number` with its unit, range and greatest step, the
    `counter`, and the majority of the last readings.

    Args:
        rules: the task.

    Raises:
        ValueError: its pattern is none.
    """

    def __init__(self, rules: ReadTask) -> None:
        self._rules = rules
        self._pattern = None if rules.pattern is None else Pattern(rules.pattern)
        self._number = rules.number or (NumberRules() if rules.counter is not None else None)
        rate = self._number.max_step_per_s if self._number is not None else None
        self._step = None if rate is None else StepRule(rate)
        self._counter = None if rules.counter is None else CounterRule(rules.counter, rules.every_s)
        self._gap_s = max(GAP_S, SLOW_SHARE * rules.every_s)
        self._window: deque[_Vote] = deque(maxlen=rules.majority)

    def clean(self, time_s: float, raw: RawReading) -> Value:
        """Return the value of a reading, in the order of time; its `more` has the raw text.

        Args:
            time_s: time of its frame, seconds from the source's first one.
            raw: what the engine read.
        """
        found = self._cleaned(time_s, raw)
        more: dict[str, Any] = {"text": raw.text}
        if self._number is not None and self._number.unit:
            more["unit"] = self._number.unit
        if isinstance(found, _Clean):
            number = None if found.number is None else float(found.number)
            value = Value(found.text, raw.confidence, number=number, more=more)
        else:
            value = Value(None, raw.confidence, found, more=more)
        return self._decided(time_s, value) if self._rules.majority > 1 else value

    def miss(self, time_s: float) -> None:
        """Take note of a look at which nothing was read; it counts in the majority."""
        self._vote(_Vote(None, None, 0.0, time_s))

    def interrupt(self) -> None:
        """Take note that the display is not looked at: what it said before has no part in the next majority."""
        self._window.clear()

    def note(self, time_s: float, value: Value) -> None:
        """Take note of a value that was reported before a restart."""
        if self._rules.majority > 1:
            self._vote(_vote_of(time_s, value))
        if value.number is None:
            return
        number = Decimal(repr(value.number))
        for rule in (self._step, self._counter):
            if rule is not None:
                rule.note(time_s, number)

    def _cleaned(self, time_s: float, raw: RawReading) -> _Clean | str:
        """Return the reading, or the reason why it is none."""
        text = raw.text.strip()[:MAX_TEXT]
        if not text:
            return EMPTY
        if raw.confidence < self._rules.min_confidence:
            return CONFIDENCE
        for old, new in self._rules.replace:
            text = text.replace(old, new) if old else text
        text = text.strip()
        if not text:
            return EMPTY
        bare = self._without_unit(text)
        if self._pattern is not None:
            value = self._pattern.value(text)
            if value is None and bare != text:
                value = self._pattern.value(bare)
            if value is None:
                return PATTERN
            text, bare = value, self._without_unit(value)
        if self._number is None:
            return _Clean(text)
        number = parse_number(bare)
        return NUMBER if number is None else self._checked(time_s, number)

    def _without_unit(self, text: str) -> str:
        unit = self._number.unit if self._number is not None else ""
        if unit and text.casefold().endswith(unit.casefold()):
            return text[: len(text) - len(unit)].rstrip()
        return text

    def _checked(self, time_s: float, number: Number) -> _Clean | str:
        rules = self._number or NumberRules()
        low, high = rules.min, rules.max
        if (low is not None and number.value < Decimal(repr(low))) or (
            high is not None and number.value > Decimal(repr(high))
        ):
            return RANGE
        if self._step is not None and not self._step.accepts(time_s, number):
            return STEP
        if self._counter is None:
            return _Clean(number.with_value(number.value), number.value)
        value = self._counter.take(time_s, number)
        if value is None:
            return COUNTER
        return _Clean(number.with_value(value), value)

    def _vote(self, vote: _Vote) -> None:
        if self._window and vote.time_s - self._window[-1].time_s > self._gap_s:
            self._window.clear()
        self._window.append(vote)

    def _decided(self, time_s: float, value: Value) -> Value:
        """Return what more than half of the last readings say."""
        self._vote(_vote_of(time_s, value))
        votes = Counter(vote.text for vote in self._window if vote.text is not None)
        text, count = votes.most_common(1)[0] if votes else ("", 0)
        if count * 2 <= self._rules.majority:
            return replace(value, value=None, number=None, reason=value.reason or MAJORITY)
        agreeing = [vote for vote in self._window if vote.text == text]
        number = agreeing[-1].number
        confidence = sum(vote.confidence for vote in agreeing) / count
        return Value(text, confidence, number=None if number is None else float(number), more=value.more)

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON takes it."""
        return {
            "step": None if self._step is None else self._step.state(),
            "counter": None if self._counter is None else self._counter.state(),
            "window": [list(vote) for vote in self._window],
        }

    def resume(self, state: Mapping[str, Any], later_s: float) -> None:
        """Go on from a :meth:`state`, whose times are by `later_s` ahead of those to come.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        if self._step is not None:
            self._step.resume(state["step"], later_s)
        if self._counter is not None:
            self._counter.resume(state["counter"], later_s)
        votes = [
            _Vote(text, number, float(confidence), float(time_s) + later_s)
            for text, number, confidence, time_s in state["window"]
        ]
        self._window = deque(votes, maxlen=self._rules.majority)


def _vote_of(time_s: float, value: Value) -> _Vote:
    number = None if value.number is None else repr(value.number)
    return _Vote(value.value, number, value.confidence or 0.0, time_s)
