"""Signals that end a program in order, with all that it has started."""

from __future__ import annotations

import signal
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a polite stop, and a closed terminal."""


def end_on_signals() -> None:
    """Have signals raise KeyboardInterrupt, so that whatever was started is ended too."""
    for number in ENDING:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
