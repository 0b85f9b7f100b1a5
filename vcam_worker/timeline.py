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
DRIFT_RATE = 0.002
"""Share of the difference that is forgiven each packet: follows a crystal's drift (about 100 parts in a million),
too slow to follow jitter."""
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
        self._last_time: float | None = None
        self._burst_left = BURST_SECONDS
        self._origin = 0.0  # arrival time that belongs to stream time 0

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
        if self._last_time is None:
            self._origin = arrived
            time = 0.0
        elif self._live:
            time = self._live_time(self._last_time, dts, arrived)
        else:
            time = self._last_time + self._camera_step(dts)
        self._last_dts = dts
        self._last_time = time
        return time

    def _camera_step(self, dts: float | None) -> float:
        if dts is None or self._last_dts is None:
            return self._step
        step = dts - self._last_dts
        if step < MIN_STEP:  # repeated or set back
            return self._step
        # a gap (loss, a rate that varies) is real time, but no measure of the usual step
        if step < TOLERANCE:
            self._step = step
        return step

    def _live_time(self, last: float, dts: float | None, arrived: float) -> float:
        by_arrival = arrived - self._origin
        if dts is None or self._last_dts is None:
            time = max(by_arrival, last + MIN_STEP)
            self._step = min(max(time - last, MIN_STEP), TOLERANCE)
            return time
        step = self._camera_step(dts)
        stepped_back = dts - self._last_dts < MIN_STEP
        time = last + step
        lead = time - by_arrival
        if 0 < lead <= self._burst_left and step < TOLERANCE:
            self._origin -= lead
            self._burst_left -= lead
            return time
        if lead > TOLERANCE or lead < -STALE_AFTER or (stepped_back and lead < 0):
            return max(by_arrival, last + MIN_STEP)
        self._origin -= lead * DRIFT_RATE
        return time
