"""Places the packets of one connection in stream time: frames by the timeline, sound by a clock that follows them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

from vcam_worker import messages
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timing.sound import FILE_BOUND_S, LIVE_BOUND_S, SoundClock
from vcam_worker.stream.timing.timeline import Timeline

Log = logging.LoggerAdapter[logging.Logger]


class TimedStream:
    """Gives the packets of one connection their stream time.

    Args:
        info: what the connection delivers.
        log: takes a line where the sound's clock steps.
        live: packets come in real time; else from a file, whose timestamps are the clock.
        seen_until: :attr:`seen_until` of the connection before; what was sent up to then is not recorded again, as
            some servers begin with what they have buffered (HLS).
    """

    def __init__(self, info: StreamInfo, log: Log, *, live: bool, seen_until: float | None = None) -> None:
        self.info = info
        self.is_live = live
        self._log = log
        self._seen_before = seen_until
        self._timeline = Timeline(live=live, nominal_step=info.frame_s)
        self._sound = SoundClock(LIVE_BOUND_S if live else FILE_BOUND_S)
        self._sound_reported = False
        self._latest: Packet | None = None
        self._undecided: list[Packet] = []  # frames whose time depends on what follows

    def place(self, packet: Packet) -> Iterator[Packet]:
        """Take the next packet as received, and yield those whose stream time is known now, in order.

        A frame after a gap is held until it is known which clock is right: half a second, as a rule.
        """
        if packet.kind == "audio":
            if self._place_sound(packet):
                yield packet
            return
        packet.time = self._timeline.place(packet.dts, packet.arrived)
        undecided, self._undecided = self._undecided, []
        if self._timeline.is_undecided:
            self._undecided = [*undecided, packet]
            return
        yield from self._decided(undecided, self._timeline.moved)
        self._latest = packet
        yield packet

    def drain(self) -> Iterator[Packet]:
        """Yield the frames that are still held: the stream is over."""
        undecided, self._undecided = self._undecided, []
        yield from self._decided(undecided, self._timeline.give_up())

    def _decided(self, packets: list[Packet], moved: float) -> Iterator[Packet]:
        for packet in packets:
            packet.time += moved
            self._latest = packet
            yield packet

    def _place_sound(self, packet: Packet) -> bool:
        """Place a block of sound; False where it is left out: before the first frame, or when there is too much."""
        latest = self._latest
        if latest is None:
            return False
        now = max(self.time_at(packet.arrived), latest.time)
        time = self._sound.place(packet.dts, latest.time, now, self._timeline.offset)
        if time is None:
            return False
        if self._sound.jumped is not None and not self._sound_reported:
            self._sound_reported = True
            self._log.info(messages.SOUND_CLOCK_STEPS, self._sound.jumped)
        packet.time = time
        return True

    @property
    def is_settled(self) -> bool:
        """The backlog that follows connecting has come, so that :meth:`time_at` tells real time."""
        return self._timeline.is_settled

    @property
    def step(self) -> float:
        """Seconds that the newest frame lasts: the last good interval."""
        return self._timeline.step

    @property
    def seen_until(self) -> float | None:
        """When the newest frame was sent, seconds of the monotonic clock; None before the first of all connections."""
        return self._timeline.arrival(self._latest.time) if self._latest else self._seen_before

    @property
    def resumes_at(self) -> float:
        """Stream time up to which the connection before has delivered everything; minus infinity without one."""
        return -math.inf if self._seen_before is None else self.time_at(self._seen_before)

    def time_at(self, arrived: float) -> float:
        """Return the stream time of what was received at `arrived`, seconds of the monotonic clock."""
        return self._timeline.at(arrived) if self._latest else 0.0
