"""Growing delays between attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

RETRY_FIRST_S, RETRY_MAX_S = 1.0, 30.0
"""Delays between attempts, which double from the first to the longest."""


@dataclass
class Backoff:
    """Growing, jittered delays between attempts. Jitter keeps cameras behind one switch from reconnecting in step.

    Attributes:
        first, longest: seconds.
    """

    first: float = RETRY_FIRST_S
    longest: float = RETRY_MAX_S
    _next: float = field(default=0.0, init=False)

    def delay(self) -> float:
        """Return the next delay, seconds."""
        self._next = min(max(self._next * 2, self.first), self.longest)
        return self._next * random.uniform(0.75, 1.0)  # noqa: S311  # no secret depends on it

    def reset(self) -> None:
        """Begin again with the first delay, after a healthy connection."""
        self._next = 0.0
