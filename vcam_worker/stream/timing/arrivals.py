"""When packets arrived, and how long a stream may be left alone meanwhile.

To wake up for each packet costs more than to copy it. A stream over TCP is therefore read in bursts: when all that had
come is read, the next read waits a moment, and the kernel's buffer holds what comes. When those packets arrived is then
told by the camera's stamps, as long as they agree with the moments at which a read had to wait for a packet. A stream
whose stamps do not agree is read as it comes: there the arrival is all there is to go by.
"""

from __future__ import annotations

GATHER_S = 0.2
"""How long packets are left to gather: four or five bursts a second cost little, and a trigger, a picture or a page may
be late by so much."""
WAITED_S = 0.002
"""A read that took this long has waited for the camera: nothing is left in the buffer."""
AGREE_S = 0.5
"""By how much stamps may deviate from arrivals: a network's jitter. Beyond, the stamps are wrong, or the stream is held
up, as it is where TCP's window is too small for what gathers; to read it as it comes is right for both."""
EAGER_S = 30.0
"""How long a stream is read as it comes after it has deviated."""
START_S = 2.0
"""How long it is so at first: what was buffered while it was opened says nothing of arrivals."""
RISE_RATE, FALL_RATE = 0.001, 0.02
"""Seconds a second in which the usual way from stamp to arrival is corrected: crystals differ by a tenth of the first;
the second gets over a first packet that was late itself."""


class Arrivals:
    """Dates the video packets of one connection, and says when to read on.

    Args:
        gathers: the transport keeps all that nobody reads for a moment.

    Attributes:
        at_rest: this is the moment to hand over what was read: the next read waits, or a while has passed.
        pause: seconds to leave the stream alone before the next read.
    """

    def __init__(self, gathers: bool) -> None:
        self._gathers = gathers
        self._offset: float | None = None  # arrival minus stamp
        self._checked = 0.0
        self._last = 0.0
        self._empty_at = 0.0  # the buffer was empty up to then: what is read later has come later
        self._rested = 0.0
        self._eager_until: float | None = None  # read as it comes up to then; None before the first packet
        self.at_rest = False
        self.pause = 0.0

    def date(self, stamp: float | None, asked: float, now: float) -> float:
        """Return when a video packet arrived, seconds of the monotonic clock: not after `now`.

        Args:
            stamp: by the camera's clock, seconds, or None.
            asked: when its read began, seconds of the monotonic clock.
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
        """Take note of a read, of any packet."""
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
        """Compare stamp and arrival of a packet that was waited for: it has not been in the buffer."""
        usual, seconds = self._offset, now - self._checked
        self._checked = now
        if usual is None:
            self._offset = offset
        elif abs(offset - usual) > AGREE_S:
            self._offset = offset
            self._stay_eager(now + EAGER_S)
        else:
            self._offset = usual + min(max(offset - usual, -FALL_RATE * seconds), RISE_RATE * seconds)
