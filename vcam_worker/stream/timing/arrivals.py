"""Estimates when packets arrived, and decides when to read the next ones.

Waking up for each packet costs more than copying it. A stream over TCP is therefore read in bursts: once everything
received is read, the next read is delayed, and the kernel's buffer collects packets meanwhile. The camera's timestamps
then tell when those packets arrived, as long as they agree with the reads that had to wait for a packet. A stream whose
timestamps do not agree is read without delay, as its arrivals are then the only evidence.
"""

from __future__ import annotations

GATHER_S = 0.2
"""Delay between bursts: four or five of them per second cost little, and a trigger or a snapshot may be late by
this."""
WAITED_S = 0.002
"""A read that took this long has waited for the camera: the buffer is empty."""
AGREE_S = 0.5
"""Most that timestamps deviate from arrivals by network jitter. Beyond that they are wrong, or the stream is held up,
as where TCP's window is too small for a burst; reading without delay helps in both cases."""
EAGER_S = 30.0
"""Time for which a stream is read without delay after its timestamps have deviated."""
START_S = 2.0
"""The same at first: what was buffered while the stream was opened says nothing of arrivals."""
RISE_RATE, FALL_RATE = 0.001, 0.02
"""Seconds per second by which the offset from timestamp to arrival is corrected: crystals differ by a tenth of the
first; the second corrects for a first packet that was late itself."""


class Arrivals:
    """Dates the video packets of one connection, and decides when to read on.

    Args:
        gathers: the transport buffers everything for a while, as TCP does.

    Attributes:
        at_rest: hand over now what was read, as the next read waits, or a while has passed.
        pause: seconds to wait before the next read.
    """

    def __init__(self, gathers: bool) -> None:
        self._gathers = gathers
        self._offset: float | None = None  # arrival minus timestamp
        self._checked = 0.0
        self._last = 0.0
        self._empty_at = 0.0  # when the buffer was last known to be empty: what is read later arrived later
        self._rested = 0.0
        self._eager_until: float | None = None  # read without delay up to then; None before the first packet
        self.at_rest = False
        self.pause = 0.0

    def date(self, stamp: float | None, asked: float, now: float) -> float:
        """Return when a video packet arrived, monotonic seconds, not after `now`.

        Args:
            stamp: its timestamp by the camera's clock, seconds, or None.
            asked: when its read began, monotonic seconds.
            now: when its read ended.
        """
        arrived, is_patient = now, self._is_patient(now)
        if stamp is None:
            self._stay_eager(now + GATHER_S)
        elif is_patient:
            if now - asked >= WAITED_S:
                self._check(now - stamp, now)
            elif self._offset is not None:
                arrived = min(now, max(self._last, self._empty_at, stamp + self._offset))
        self._last = arrived
        self.note_read(asked, now)
        return arrived

    def _is_patient(self, now: float) -> bool:
        if self._eager_until is None:
            self._eager_until = now + START_S
        return self._gathers and now >= self._eager_until

    def _stay_eager(self, until: float) -> None:
        self._eager_until = max(self._eager_until or until, until)

    def note_read(self, asked: float, now: float) -> None:
        """Note a read of any packet, from `asked` to `now`."""
        if now - asked >= WAITED_S:
            self._empty_at = now
        if self._is_patient(now):
            self.at_rest = now - asked >= WAITED_S
            self.pause = GATHER_S if self.at_rest else 0.0
        else:
            self.at_rest = now - self._rested >= GATHER_S
            self.pause = 0.0
        if self.at_rest:
            self._rested = now

    def _check(self, offset: float, now: float) -> None:
        """Compare timestamp and arrival of a packet that was waited for, and so was not buffered."""
        usual, seconds = self._offset, now - self._checked
        self._checked = now
        if usual is None:
            self._offset = offset
        elif abs(offset - usual) > AGREE_S:
            self._offset = offset
            self._stay_eager(now + EAGER_S)
        else:
            self._offset = usual + min(max(offset - usual, -FALL_RATE * seconds), RISE_RATE * seconds)
