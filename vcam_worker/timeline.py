"""A steady clock for a stream: what a camera's timestamps say, checked against when packets arrived.

Cameras send timestamps that jump (the first RTCP report, a clock set by NTP), run backwards (after an encoder
restart), stand still, or are missing. A clip's playing time must equal real time all the same, so a camera's steps
are taken as long as they agree with the arrival times, and the arrival times where they do not.
"""

from __future__ import annotations

MIN_STEP = 0.001
"""Seconds. MP4 needs rising times; a thousandth is below any camera's frame time."""
TOLERANCE = 2.0
"""Seconds that a camera's clock may run ahead of the arrivals, or behind them after a burst has drained.

More than any network jitter, less than anybody would overlook in a clip."""
DRIFT_RATE = 0.0001
"""Share of the difference that is forgiven each packet: follows a crystal's drift (about 100 parts in a million),
too slow to follow jitter, or to make a clock right that runs at a wrong speed."""
BURST_SECONDS = 15.0
"""Seconds of stream that may come at once after connecting: what was buffered while the stream was probed, or a
server's kept GOP. Forgiven once; a clock that goes on running ahead is wrong."""
STALE_AFTER = 10.0
"""Seconds behind the arrivals that no TCP backlog explains: the camera's clock has been set back or has stood still."""


class Timeline:
    """Turns (camera time, arrival time) into a rising stream time in seconds, starting at 0.

    Args:
        live: False for files: there the file's own timestamps are all there is, and reading is as fast as it can be.
        nominal_step: seconds between packets where nothing better is known.
    """

    def __init__(self, *, live: bool = True, nominal_step: float = 0.04) -> None:
        self._live = live
        self._step = nominal_step
        self._last_dts: float | None = None
        self._last: float | None = None
        self._offset = 0.0  # stream time minus camera time, as long as the camera's clock is believed
        self._origin = 0.0  # arrival time that belongs to stream time 0
        self._burst_left = BURST_SECONDS

    @property
    def step(self) -> float:
        """The last good step, seconds: the duration to give a clip's last frame."""
        return self._step

    def place(self, dts: float | None, arrived: float) -> float:
        """Return the stream time of a packet, seconds.

        Args:
            dts: by the camera's clock, seconds, or None.
            arrived: seconds of the monotonic clock.
        """
        if self._last is None:
            self._origin = arrived
            time = 0.0
            self._offset = -(dts or 0.0)
        elif self._live:
            time = self._live_time(self._last, dts, arrived)
        else:
            time = self._file_time(self._last, dts)
        if self._last is not None and MIN_STEP < time - self._last < TOLERANCE:
            # a gap (loss, a rate that varies) is real time, but no measure of the usual step
            self._step = time - self._last
        self._last_dts = dts
        self._last = time
        return time

    def _set_back(self, dts: float) -> bool:
        return self._last_dts is not None and dts < self._last_dts

    def _file_time(self, last: float, dts: float | None) -> float:
        if dts is None:
            return last + self._step
        if self._last_dts is None or self._set_back(dts):
            self._offset = last + self._step - dts
        return max(dts + self._offset, last + MIN_STEP)

    def _live_time(self, last: float, dts: float | None, arrived: float) -> float:
        by_arrival = arrived - self._origin
        if dts is None:
            return max(by_arrival, last + MIN_STEP)
        time = dts + self._offset
        lead = time - by_arrival
        is_step = self._last_dts is not None and 0 <= dts - self._last_dts < TOLERANCE
        if 0 < lead <= self._burst_left and is_step:
            self._origin -= lead
            self._burst_left -= lead
        elif self._last_dts is None or self._set_back(dts) or lead > TOLERANCE or lead < -STALE_AFTER:
            time = max(by_arrival, last + MIN_STEP)
            self._offset = time - dts
        else:
            self._origin -= lead * DRIFT_RATE
        return max(time, last + MIN_STEP)
