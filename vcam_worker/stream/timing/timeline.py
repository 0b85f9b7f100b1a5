"""Stream time: a steady clock made of a camera's timestamps, disciplined by the arrival of its packets.

Cameras send timestamps that jump (the first RTCP report, a clock set by NTP), run backwards (after an encoder
restart), run at another speed than real time (a declared rate that is not delivered), stand still, or are missing.
Networks deliver packets late and in bursts. A clip's playing time must equal real time nevertheless.

The algorithm:

* Stream time is the camera's time plus an offset. Its *lead* over the arrivals should be about 0: less means
  that a packet was delayed, more means that the camera's clock is ahead, as nothing arrives before it was sent.
* The *best lead* of the last half second, that of the least delayed packet, shows the difference between the clocks,
  whatever the network's jitter. A controller holds it near 0 by moving the offset: hardly at all within jitter, so
  that good timestamps stay as they are, and faster the more it deviates. Clocks that are ahead and behind are treated
  alike, and time jumps at no threshold.
* A gap between arrivals that the timestamps do not show is undecided at first. If a burst follows, the network held
  the packets back, and their timestamps are right; if none follows, the camera's clock stood still, and the gap is
  real. Until that is known, packets may have to be moved (`is_undecided`, `moved`). Without timestamps, the packets of
  a burst follow each other at the interval of those before.
* A step of the camera's clock that the arrivals do not show is ignored: time advances by the usual interval. Where
  such steps are frequent, the arrivals alone count for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vcam_worker.stream.timing.clock_rate import ClockRate

MIN_STEP_S = 0.001
"""MP4 needs rising timestamps (ISO/IEC 14496-12, 8.6.1.2); this is below the frame interval of any camera."""
MAX_USUAL_STEP_S = 2.0
"""Interval between frames beyond which it is a gap, and no measure of the frame rate."""

START_S = 1.0
"""Time after connecting in which a backlog is expected: what was buffered while the stream was opened, or the GOP that
a server keeps. It shows that the first packet was late, not that the camera's clock is fast."""
BACKLOG_STEP_S = 0.01
"""Longest interval between packets of a backlog: below the frame interval of any camera, above a fast network's."""

WINDOW_S, WINDOW_PACKETS = 0.5, 2
"""Window of the best lead: its duration, and its least number of packets."""
JITTER_S = 0.2
"""Most that the best lead deviates by jitter alone."""
NEAR_S = 0.02
"""Deviation that the controller aims for once the best lead has deviated by more than jitter."""
GAIN, GAIN_RISE = 2.0, 16.0
"""Correction then, seconds per second for each second of deviation, and its growth with each."""
CREEP_RATE = 0.002
"""Correction otherwise, seconds per second: more than a crystal's drift, less than is visible."""
MAX_LEAD_S = 0.5
"""Most that the best lead may deviate, whatever the timestamps do."""

GAP_S = 0.5
"""A gap between arrivals that exceeds the timestamps' by this is undecided at first."""
PROGRESS_S = 0.1
"""Lead gained by which a backlog shows that it is delivered faster than it was sent."""
SETTLE_S = 0.5
"""Time without such progress after which packets arrive in real time again."""
HESITATION_SHARE, HESITATION_S = 0.5, 2.0
"""Share of a gap up to which a further one after its first packets is part of it, and for how long: after an outage,
TCP retransmits one segment and waits for its acknowledgement (RFC 6298, 5)."""
OPEN_S = 30.0
"""Longest duration of a backlog, also of a source that delivers in bursts alone (HLS)."""
PACE_GAIN = 0.1
"""Weight of one more interval in the usual one between packets without timestamps."""

JUMP_S = 0.1
"""A step forward that exceeds the arrivals' by this, and leads them, is a step of the camera's clock."""
BREAKS_LIMIT, BREAKS_S = 3, 10.0
"""Steps of the clock, within this time, from which on the arrivals alone count."""


@dataclass
class _Gap:
    """A gap in the arrivals that the timestamps do not show, while it is undecided which of the two is right.

    Attributes:
        since: the arrival after it, seconds.
        mark, mark_at: the lead at the last progress, and its arrival.
        best: the highest lead so far.
        doubted: the arrival since which packets wait for the decision.
        is_draining: a backlog has been detected.
    """

    since: float
    mark: float
    mark_at: float
    best: float
    doubted: float
    is_draining: bool = False


class Timeline:
    """Turns (camera time, arrival time) into a rising stream time in seconds, starting at 0.

    Args:
        live: False for files, which have nothing but their own timestamps.
        nominal_step: seconds between packets until a better value is measured.
    """

    def __init__(self, *, live: bool = True, nominal_step: float = 0.04) -> None:
        self._live = live
        self._step = nominal_step
        self._usual: float | None = None  # usual interval of the camera's timestamps
        self._last: float | None = None
        self._last_dts: float | None = None
        self._last_arrived = 0.0
        self._offset = 0.0  # stream time minus camera time
        self._origin = 0.0  # arrival time that belongs to stream time 0
        self._started = 0.0  # arrival of the first packet
        self._recent: deque[tuple[float, float]] = deque()  # (arrival, stream time of it minus camera time)
        self._is_steering = False
        self._rate = ClockRate()
        self._backlog = 0.0  # seconds of backlog after connecting, by the camera's clock
        self._pace = nominal_step  # usual interval between arrivals
        self._gap: _Gap | None = None
        self._breaks: deque[float] = deque(maxlen=BREAKS_LIMIT)  # arrivals of the last steps of the camera's clock
        self.moved = 0.0
        """Seconds by which the undecided packets are to be moved, once it is decided."""

    @property
    def step(self) -> float:
        """The last plausible interval, seconds: the duration of a clip's last frame."""
        return self._step

    @property
    def offset(self) -> float:
        """Stream time minus camera time, seconds."""
        return self._offset

    @property
    def is_settled(self) -> bool:
        """The backlog after connecting has arrived, so that :meth:`at` tells real time."""
        return not self._live or self._last_arrived - self._started > START_S

    @property
    def is_undecided(self) -> bool:
        """The packet placed last may have to be moved. What follows decides, within half a second, or little more than
        :data:`HESITATION_S` where there are further gaps."""
        return self._gap is not None and not self._gap.is_draining

    def give_up(self) -> float:
        """Return the seconds by which the undecided packets are to be moved, as nothing follows."""
        return -self._gap.mark if self._gap and self.is_undecided else 0.0

    def arrival(self, time: float) -> float:
        """Return when a packet of a stream time would have arrived without delay, monotonic seconds."""
        return time + self._origin

    def at(self, arrived: float) -> float:
        """Return the stream time at `arrived`, monotonic seconds."""
        if not self._live:
            return self._last or 0.0
        return arrived - self._origin

    def place(self, dts: float | None, arrived: float) -> float:
        """Return the stream time of a packet, seconds.

        Args:
            dts: by the camera's clock, seconds, or None.
            arrived: seconds of the monotonic clock.
        """
        self.moved = 0.0
        if self._last is None:
            self._origin = self._started = arrived
            time = 0.0
            self._offset = -(dts or 0.0)
        elif self._live:
            time = max(self._live_time(self._last, dts, arrived), self._last + MIN_STEP_S)
        else:
            time = max(self._file_time(self._last, dts), self._last + MIN_STEP_S)
        if self._last is not None and MIN_STEP_S < time - self._last < MAX_USUAL_STEP_S:
            self._step = time - self._last
        self._last, self._last_dts, self._last_arrived = time, dts, arrived
        return time

    def _file_time(self, last: float, dts: float | None) -> float:
        if dts is None:
            return last + self._step
        if self._last_dts is None or dts < self._last_dts:
            self._offset = last + self._step - dts
        return dts + self._offset

    def _live_time(self, last: float, dts: float | None, arrived: float) -> float:
        waited = arrived - self._last_arrived
        if dts is None:
            return self._untimed(last, arrived, waited)
        if self._last_dts is None:
            return self._go_on(last, dts, waited)
        stepped = dts - self._last_dts
        lead = dts + self._offset - self.at(arrived)
        is_start = arrived - self._started <= START_S
        if lead > 0 and is_start and waited <= BACKLOG_STEP_S and 0 < stepped < MAX_USUAL_STEP_S:
            self._origin -= lead
            self._backlog += lead
        elif self._is_break(stepped, waited, lead):
            self._breaks.append(arrived)
            self._recent.clear()
            self._rate.forget()
            if not self._is_erratic(arrived):
                return self._go_on(last, dts, waited)
        if self._is_erratic(arrived):
            self._gap = None
            time = max(self.at(arrived), last + MIN_STEP_S)
            self._offset = time - dts
            return time
        if stepped < MAX_USUAL_STEP_S:
            self._usual = stepped
        self._offset += self._correction(dts, arrived, stepped, waited)
        time = dts + self._offset
        if not is_start and not self._gap:
            self._measure(dts, time)
        return time

    def _measure(self, dts: float, time: float) -> None:
        """Measure the rate of the camera's clock.

        The backlog after connecting was placed by that clock alone. Half of its error is corrected, so that a minute
        from its start is off by as little as one from its end.
        """
        if not self._rate.note(dts, time):
            return
        if self._backlog and self._rate.is_known:
            self._origin -= self._backlog * (self._rate.slowness - 1) / 2
            self._backlog = 0.0
            self._recent.clear()

    def _untimed(self, last: float, arrived: float, waited: float) -> float:
        """Return the time of a packet without a timestamp: its arrival, unless the network held it back."""
        lead = last + self._pace - self.at(arrived)
        if waited - self._pace > GAP_S:
            return last + self._pace + self._open_gap(lead, arrived)
        if self._gap:
            return last + self._pace + self._follow_gap(self._gap, lead, arrived)
        self._pace += PACE_GAIN * (waited - self._pace)
        return self.at(arrived)

    def _is_break(self, stepped: float, waited: float, lead: float) -> bool:
        """Whether the camera's clock has stepped in a way that the arrivals do not show."""
        is_long = stepped > 1.5 * (self._usual or self._step)
        return stepped <= 0 or (is_long and lead > JUMP_S and stepped > waited + JUMP_S)

    def _is_erratic(self, arrived: float) -> bool:
        return len(self._breaks) == BREAKS_LIMIT and arrived - self._breaks[0] < BREAKS_S

    def _go_on(self, last: float, dts: float, waited: float) -> float:
        """Advance by the usual interval, or by the arrivals where they show a gap; camera time is `dts` from here
        on."""
        usual = self._usual or (waited if waited > BACKLOG_STEP_S else self._step)
        time = last + (usual if abs(waited - usual) <= GAP_S else waited)
        self._offset = time - dts
        return time

    def _correction(self, dts: float, arrived: float, stepped: float, waited: float) -> float:
        """Return the correction of the offset, seconds."""
        lead = dts + self._offset - self.at(arrived)
        late = stepped * (self._rate.slowness - 1)  # by which a clock of another rate deviates
        if waited - stepped > GAP_S:
            return late + self._open_gap(lead + late, arrived)
        if self._gap:
            return late + self._follow_gap(self._gap, lead + late, arrived)
        self._recent.append((arrived, self.at(arrived) - dts))
        while len(self._recent) > WINDOW_PACKETS and self._recent[0][0] < arrived - WINDOW_S:
            self._recent.popleft()
        return self._steer(self._offset - min(difference for _, difference in self._recent), stepped, waited)

    def _steer(self, best: float, stepped: float, waited: float) -> float:
        """Return the correction for a best lead, after an interval of timestamps and one of arrivals."""
        deviation = abs(best)
        self._is_steering = deviation > (NEAR_S if self._is_steering else JITTER_S)
        size = min(deviation / NEAR_S, 1.0) * CREEP_RATE * stepped
        if self._is_steering:
            size += deviation * min((GAIN + GAIN_RISE * deviation) * max(waited, 0.0), 0.5)
        size = max(size, deviation - MAX_LEAD_S)
        return -size if best > 0 else size

    def _open_gap(self, lead: float, arrived: float) -> float:
        """Begin to observe what follows a gap in the arrivals."""
        before, self._gap = self._gap, None
        self._recent.clear()
        doubted = before.doubted if before and not before.is_draining else arrived
        if before and not before.is_draining and not self._hesitates(before, lead, arrived):
            # one gap after the other, and no burst: both are real
            self.moved = -before.mark
            self._rate.forget()
            return -lead
        # a source that delivers in bursts goes from one gap to the next: the best of them counts
        best, since = (max(before.best, lead), before.since) if before else (lead, arrived)
        self._gap = _Gap(since, lead, arrived, best, doubted)
        return 0.0

    @staticmethod
    def _hesitates(gap: _Gap, lead: float, arrived: float) -> bool:
        """Whether another gap after the first packets is part of the same outage."""
        return gap.mark - lead <= HESITATION_SHARE * -gap.mark and arrived - gap.doubted <= HESITATION_S

    def _follow_gap(self, gap: _Gap, lead: float, arrived: float) -> float:
        gap.best = max(gap.best, lead)
        if lead >= gap.mark + PROGRESS_S:
            gap.mark, gap.mark_at, gap.is_draining = lead, arrived, True
        if lead >= -JITTER_S:  # everything that was held back has arrived
            self._gap = None
        elif arrived - gap.mark_at > SETTLE_S:  # permanently late: the gap is real
            self._gap = None
            self._rate.forget()
            if not gap.is_draining:
                self.moved = -lead
            return -lead
        elif arrived - gap.since > OPEN_S:
            self._gap = None
            return -gap.best
        return 0.0
