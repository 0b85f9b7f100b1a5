"""How a run of the zones' benchmark is sized, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class PartMissing(Exception):
    """A part cannot be measured here; the text says what is missing."""


@dataclass(frozen=True)
class Options:
    """Sizes and folders of a run.

    Attributes:
        readings: of each kind, at least.
        passages: of the gate, at least.
        seconds: for which zones are read beside recording.
        rounds: readings of each engine whose cost is measured.
        model: weights that know the drawn figures.
        streams: folder in which drawn clips are kept.
        work: folder of this run, which is removed.
        pictures: folder for pictures of what failed; None for none.
    """

    readings: int
    passages: int
    seconds: float
    rounds: int
    model: Path
    streams: Path
    work: Path
    pictures: Path | None
