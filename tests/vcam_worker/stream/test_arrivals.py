"""Dates of packets that were left to gather, in made-up time; and gathering over a real connection."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from shared_utils.config.cameras import Camera
from tests.support.footage.video import moving_box, write_video
from tests.support.network.cameras import file_launch, gst_server
from tests.support.programs import Programs
from vcam_worker.stream.opening import connect
from vcam_worker.stream.timing.arrivals import GATHER_S, Arrivals

READ = 0.0003
"""Seconds that a read takes when its packet is there."""


class Reader:
    """Reads packets that arrive at given times, as a connection does; keeps the dates of each."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.now = 1000.0
        self.pauses = 0
        self.errors: list[float] = []
        """Date minus true arrival, by packet."""
        self.delays: list[float] = []
        """Read minus true arrival."""

    def read(self, packets: Iterator[tuple[float | None, float]], until: float) -> None:
        """Read (stamp, arrival) up to a packet that arrives `until`."""
        for stamp, arrival in packets:
            self.now += self.arrivals.pause
            self.pauses += self.arrivals.pause > 0
            asked = self.now
            self.now = max(asked, arrival) + READ
            date = self.arrivals.date(stamp, asked, self.now)
            assert date <= self.now
            self.errors.append(date - arrival)
            self.delays.append(self.now - arrival)
            if arrival >= until:
                return


def stream(
    stamp: Callable[[float], float | None], fps: float = 20, jitter: float = 0.0
) -> Iterator[tuple[float | None, float]]:
    """Yield (stamp, arrival) of packets sent at a steady rate from 1000 s on; `stamp` takes seconds since then."""
    rng = random.Random(1)
    arrival = 0.0
    for number in itertools.count():
        sent = number / fps
        arrival = max(arrival, 1000 + sent + rng.uniform(0, jitter))
        yield stamp(sent), arrival


def test_packets_that_gathered_are_dated_as_they_arrived() -> None:
    reader = Reader(Arrivals(gathers=True))
    reader.read(stream(lambda sent: 77 + sent), 1060)
    assert 200 < reader.pauses < 300  # four or five per second, where twenty packets come
    assert max(map(abs, reader.errors)) < 0.002
    assert max(reader.delays) < GATHER_S + 0.01


@pytest.mark.parametrize("fps", [1, 5, 12.5, 60])
def test_at_any_rate_nothing_is_late_by_more_than_a_pause(fps: float) -> None:
    reader = Reader(Arrivals(gathers=True))
    reader.read(stream(lambda sent: sent, fps), 1030)
    assert max(reader.delays) < GATHER_S + 0.01
    assert max(map(abs, reader.errors)) < 0.005


def test_a_gap_with_sound_in_it_is_none_that_stamps_may_deny() -> None:
    """Pictures pause for 4 s, and their stamps do not show it: what the reads of the sound have seen counts."""
    arrivals = Arrivals(gathers=True)
    sent = [("video", number / 10 - (4 if number > 200 else 0), number / 10) for number in range(400)]
    events = [one for one in sent if not 20 < one[2] < 24]
    events += [("audio", 0.0, number * 0.064 + 0.001) for number in range(600)]
    now, dates = 0.0, {}
    for kind, stamp, arrival in sorted(events, key=lambda one: one[2]):
        now += arrivals.pause
        asked, now = now, max(now, arrival) + READ
        if kind == "video":
            dates[arrival] = arrivals.date(stamp, asked, now)
        else:
            arrivals.note_read(asked, now)
    assert max(abs(date - arrival) for arrival, date in dates.items()) < GATHER_S + 0.1


def test_a_jittery_network_is_no_reason_to_hurry() -> None:
    reader = Reader(Arrivals(gathers=True))
    reader.read(stream(lambda sent: sent, jitter=0.15), 1060)
    assert reader.pauses > 150
    assert max(map(abs, reader.errors)) < 0.35


@pytest.mark.parametrize(
    "stamp",
    [lambda _: None, lambda _: 5.0, lambda sent: 2 * sent, lambda sent: sent / 2, lambda sent: sent % 2],
    ids=["none", "standing still", "twice as fast", "half as fast", "falling back"],
)
def test_a_stream_whose_stamps_say_nothing_is_read_as_it_comes(stamp: Callable[[float], float | None]) -> None:
    reader = Reader(Arrivals(gathers=True))
    reader.read(stream(stamp), 1120)
    late = [delay for delay in reader.delays if delay > 0.01]
    assert len(late) < 0.05 * len(reader.delays)
    assert max(map(abs, reader.errors)) < GATHER_S + 0.01


def test_stamps_that_jump_once_are_believed_again() -> None:
    reader = Reader(Arrivals(gathers=True))
    packets = stream(lambda sent: sent + (3600 if sent > 20 else 0))
    reader.read(packets, 1040)
    before = reader.pauses
    reader.read(packets, 1080)
    assert reader.pauses > before + 50
    assert max(map(abs, reader.errors)) < GATHER_S + 0.01


def test_a_stream_that_pauses_hold_up_is_read_without_them() -> None:
    """As where TCP's window holds less than what gathers, and a refill takes a while."""
    arrivals = Arrivals(gathers=True)
    reader = Reader(arrivals)
    reader.read(stream(lambda sent: sent), 1010)
    assert arrivals.pause or reader.pauses > 10
    pauses = reader.pauses
    for behind in range(1, 200):  # each packet comes later than the one before
        reader.read(iter([(10 + behind / 20, 1010 + behind / 20 + 0.02 * behind)]), 0)
        if not arrivals.pause and behind > 40:
            break
    assert reader.pauses - pauses < 60
    assert max(reader.delays) < GATHER_S + 0.01


def test_without_a_buffer_to_trust_every_packet_is_read_as_it_comes() -> None:
    reader = Reader(Arrivals(gathers=False))
    reader.read(stream(lambda sent: sent), 1030)
    assert reader.pauses == 0
    assert max(reader.delays) < 0.01


def test_what_was_buffered_before_the_start_is_no_measure() -> None:
    reader = Reader(Arrivals(gathers=True))
    kept = [(number / 20, 1000.0) for number in range(60)]  # a server that sends the last 3 s at once
    reader.read(iter(kept), 2000)
    rest = ((3 + number / 20, 1000 + number / 20) for number in itertools.count())
    reader.read(rest, 1020)
    assert reader.pauses > 60
    assert max(map(abs, reader.errors[-100:])) < 0.005


def test_packets_come_in_bursts_and_none_is_lost(programs: Programs, tmp_path: Path) -> None:
    # a keyframe every second of more than 100 KB: more than TCP's window holds at first
    footage = write_video(
        tmp_path / "big.mp4", moving_box(start_s=0, end_s=6), seconds=6, fps=25, gop=25,
        options={"qp": "1", "preset": "ultrafast", "bf": "0"},
    )  # fmt: skip
    with av.open(str(footage)) as container:
        assert max(packet.size for packet in container.demux(video=0)) > 100_000
    url = f"rtsp://127.0.0.1:{gst_server(programs, file_launch(footage), '--transport', 'tcp')}/test"
    with connect(Camera("cam1", url), "tcp") as connection:
        bursts = []
        packets = []
        for packet in itertools.islice(connection.packets(), 130):
            packets.append(packet)
            if connection.at_rest:
                bursts.append(len(packets))
    stamps = [packet.dts for packet in packets if packet.dts is not None]
    assert max(after - before for before, after in itertools.pairwise(stamps)) == pytest.approx(0.04, abs=0.001)
    arrived = [packet.arrived for packet in packets]
    assert arrived == sorted(arrived)
    assert len([1 for before, after in itertools.pairwise(bursts) if after - before >= 4]) > 5
