"""The clocks that sources read, as one parameter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clocks:
    """Where time comes from.

    Attributes:
        monotonic: seconds of a clock that nobody sets.
        wall: seconds since the epoch.
        sleep: waits for some seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
