"""Notices that something moves and no boxes come: then nobody analyses live frames. Pure."""

from __future__ import annotations

from collections.abc import Callable

MOVES = 0.005
"""Share of the picture that counts as motion: the default of ``MOTION_MIN_AREA``."""
STILL_S = 3.0
"""Motion that stops for less goes on."""
LONG_S = 15.0
"""How long something moves without boxes before that is worth a note."""
NOTE = "No boxes although something moves: the live worker is away, or LIVE_OBJECTS is off for this camera."
LATE = (
    "No boxes: frames are analysed too late for these pictures, as there is too little CPU. Events come all the same."
)


class BoxesAbsence:
    """Compares when something moved with when boxes came: a still picture has none, as nobody looks for them.

    Args:
        clock: seconds of any origin.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._moves_since: float | None = None
        self._moved_at = 0.0
        self._boxes_at = clock()
        self._late_at = self._boxes_at - LONG_S

    def picture(self, motion: float | None) -> None:
        """Take in a picture, and the share of it that moves."""
        now = self._clock()
        if motion is not None and motion >= MOVES:
            self._moved_at = now
            self._moves_since = now if self._moves_since is None else self._moves_since
        elif now - self._moved_at > STILL_S:
            self._moves_since = None

    def boxes(self, late: bool = False) -> None:
        """Take in that a frame was analysed, whether anything was found in it or not.

        Args:
            late: the picture on display is too much newer to show its boxes.
        """
        if late:
            self._late_at = self._clock()
        else:
            self._boxes_at = self._clock()

    def note(self) -> str:
        """Return what a person should know; empty if nothing is missing."""
        if self._moves_since is None:
            return ""
        now = self._clock()
        if now - max(self._moves_since, self._boxes_at) <= LONG_S:
            return ""
        return LATE if now - self._late_at < LONG_S else NOTE
