"""Judges what zones report of a panel by its truth. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from camera_emulator.panel.scene import Reading

Outcome = Literal["exact", "late", "unreadable", "wrong"]
LATE_S = 1.0
"""Seconds for which a value that was displayed before is late, and not wrong."""

KINDS: dict[str, tuple[str, ...]] = {
    "seven-segment": ("pressure", "temperature"),
    "printed text": ("order", "speed"),
    "dot matrix": ("message",),
    "counter": ("counter",),
    "lamp": ("alarm", "run"),
    "page": ("screen",),
}
"""Devices by kind."""


@dataclass(frozen=True)
class Look:
    """What a zone's task gave at one frame.

    Attributes:
        zone: name of the device.
        t: seconds in the clip.
        value: None where there is none.
        reason: why nothing could be read; None where something could.
        text: as the engine read it, where it did.
        confidence: 0..1, where there is one.
    """

    zone: str
    t: float
    value: str | None
    reason: str | None
    text: str = ""
    confidence: float | None = None


def judge(look: Look, truth: Reading, recent: Collection[str | None] = ()) -> Outcome | None:
    """Return what a look is worth; None where there is nothing to read.

    Args:
        look: what was reported.
        truth: at its frame.
        recent: values that were displayed within the last :data:`LATE_S`.

    While a display changes, either value is right, and while glare hides it, its value is; to say that it is unreadable
    is right in both cases, and counts as exact.
    """
    if truth.state == "absent":
        return None
    if truth.state == "shown":
        if look.reason is not None:
            return "unreadable"
        if look.value == truth.value:
            return "exact"
        return "late" if look.value in recent else "wrong"
    right = {truth.value, truth.before} if truth.state == "changing" else {truth.value}
    return "exact" if look.reason is not None or look.value in right else "wrong"


@dataclass
class Score:
    """Outcomes of one device, or of all of a kind.

    Attributes:
        shown: of looks at what a person is sure of.
        marked: of looks at changes and through glare.
    """

    shown: Counter[Outcome] = field(default_factory=Counter)
    marked: Counter[Outcome] = field(default_factory=Counter)

    def add(self, outcome: Outcome, truth: Reading) -> None:
        """Count a look."""
        (self.shown if truth.state == "shown" else self.marked)[outcome] += 1

    def __add__(self, other: Score) -> Score:
        return Score(self.shown + other.shown, self.marked + other.marked)

    @property
    def readable(self) -> int:
        """Looks at what a person is sure of."""
        return sum(self.shown.values())

    def share(self, outcome: Outcome) -> float:
        """Return percent of the readable looks."""
        return 100 * self.shown[outcome] / max(1, self.readable)

    @property
    def wrong_while_marked(self) -> float:
        """Percent of all looks that gave a wrong value at a change or through glare."""
        return 100 * self.marked["wrong"] / max(1, self.readable + sum(self.marked.values()))
