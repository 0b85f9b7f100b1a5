"""How a run of the live benchmark is sized, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devtools.benchmarks.capture import process


class PartMissing(Exception):
    """A part cannot be measured here; the text says what is missing."""


@dataclass(frozen=True)
class Options(process.Options):
    """Beside those of capture's benchmark.

    Attributes:
        tries: first pictures in the browser.
        passages: of a person, in each condition.
        churns: clients that come and go.
        hours: of simulated events.
        model: weights that the live worker and the clips' worker use.
        against: another checkout, whose capture is compared.
        plot: where the picture of the latencies goes.
    """

    tries: int
    passages: int
    churns: int
    hours: float
    model: Path
    against: Path | None = None
    plot: Path | None = None
