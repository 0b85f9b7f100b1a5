"""Which frames subscriptions and clients get, by their rates."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest

from vcam_worker.live.commands import FramesWanted
from vcam_worker.live.frames.feed import FrameFeed
from vcam_worker.live.frames.message import FRAME, Frame, pack_frame
from vcam_worker.live.frames.rates import FrameRates

CAMERA_FPS = 20


def wanted(fps: float, motion_fps: float = 0.0, asked: int = 0) -> FramesWanted:
    return FramesWanted(None, None, fps, motion_fps, asked)


def taken(rates: FrameRates, seconds: float, number: int = 1, start: float = 0.0) -> list[float]:
    """Return the times at which a subscription gets frames of a camera."""
    times = [start + frame / CAMERA_FPS for frame in range(round(seconds * CAMERA_FPS))]
    return [time for time in times if time >= rates.due and number in rates.take_due(time)]


@pytest.mark.parametrize(("fps", "count"), [(0.1, 2), (0.7, 14), (2, 40), (3, 60), (7, 140), (20, 400), (30, 400)])
def test_a_rate_is_kept_up_to_the_cameras(fps: float, count: int) -> None:
    rates = FrameRates()
    rates.set(1, wanted(fps))
    assert abs(len(taken(rates, 20)) - count) <= 1


def test_subscriptions_do_not_change_each_others_rates() -> None:
    rates = FrameRates()
    rates.set(1, wanted(2))
    rates.set(2, wanted(5))
    both = [rates.take_due(frame / CAMERA_FPS) for frame in range(10 * CAMERA_FPS)]
    assert sum(1 in one for one in both) == 20
    assert sum(2 in one for one in both) == 50


def test_nothing_is_due_without_a_subscription_or_while_nothing_moves() -> None:
    rates = FrameRates()
    assert rates.due == math.inf
    rates.set(1, wanted(0, motion_fps=2))
    assert (rates.due, rates.take_due(1.0), rates.wants_motion) == (math.inf, {}, True)
    rates.set_moving(True)
    assert len(taken(rates, 3, start=1.0)) == 6
    rates.set_moving(False)
    assert taken(rates, 3, start=4.0) == []
    rates.remove(1)
    assert not rates.wants_motion


def test_who_asks_anew_gets_a_frame_at_once() -> None:
    rates = FrameRates()
    rates.set(1, wanted(0.1))
    assert taken(rates, 5) == [0.0]
    rates.set(1, wanted(0.1, asked=1))
    assert taken(rates, 1, start=5.0) == [5.0]


def test_after_a_gap_frames_are_not_made_up_for() -> None:
    rates = FrameRates()
    rates.set(1, wanted(2))
    taken(rates, 1)
    assert len(taken(rates, 2, start=60.0)) == 4


def test_frames_move_to_keyframes_and_stay_there() -> None:
    rates = FrameRates()
    rates.set(1, wanted(2))
    assert rates.take_due(0.35)
    for keyframe in range(1, 6):
        rates.align(2.0 * keyframe)
        taken(rates, 2, start=2.0 * keyframe)
    assert taken(rates, 2, start=12.0) == pytest.approx([12.0, 12.5, 13.0, 13.5])


def frame(at: float, *, is_moving: bool = False) -> bytes:
    return pack_frame(Frame(at, 0.25, is_moving, b"jpeg of %.2f" % at))


def test_clients_of_a_feed_take_the_newest_frame_at_their_own_rates() -> None:
    feed = FrameFeed(None, None)
    with feed.client(10, only_motion=False) as quick, feed.client(2, only_motion=False) as slow:
        assert feed.wanted().fps == 10
        got: dict[str, list[float]] = {"quick": [], "slow": []}
        for number in range(40):
            feed.message(FRAME, frame(1000 + number / 10))
            for name, one in (("quick", quick), ("slow", slow)):
                if one.has_frame:
                    taken_frame = asyncio.run(one.next())
                    assert taken_frame
                    got[name].append(taken_frame.at)
    assert len(got["quick"]) == 40
    assert len(got["slow"]) in (8, 9)
    assert all(0.35 < after - before < 0.65 for before, after in pairwise(got["slow"]))


def test_a_client_that_does_not_take_its_frames_gets_the_newest() -> None:
    feed = FrameFeed(None, None)
    with feed.client(10, only_motion=False) as one:
        for number in range(40):
            feed.message(FRAME, frame(1000 + number / 10))
        newest = asyncio.run(one.next())
        assert newest
        assert newest.at == pytest.approx(1003.9)
        assert not one.has_frame


def test_a_client_that_wants_motion_gets_nothing_else() -> None:
    feed = FrameFeed(None, None)
    with feed.client(5, only_motion=True) as one, feed.client(2, only_motion=False):
        assert (feed.wanted().fps, feed.wanted().motion_fps) == (2, 5)
        feed.message(FRAME, frame(1000))
        assert not one.has_frame
        feed.message(FRAME, frame(1001, is_moving=True))
        assert one.has_frame


def test_a_clock_that_is_set_back_stops_no_client() -> None:
    feed = FrameFeed(None, None)
    with feed.client(2, only_motion=False) as one:
        feed.message(FRAME, frame(5000))
        asyncio.run(one.next())
        feed.message(FRAME, frame(1000))
        assert one.has_frame


def test_who_joins_gets_a_fresh_frame_or_asks_for_one() -> None:
    now = [50.0]
    feed = FrameFeed(None, None, clock=lambda: now[0])
    with feed.client(0.1, only_motion=False):
        asked = feed.wanted().asked
        feed.message(FRAME, frame(1000))
        with feed.client(0.1, only_motion=False) as second:
            assert second.has_frame
            assert feed.wanted().asked == asked
        now[0] += 5
        with feed.client(0.1, only_motion=False) as third:
            assert not third.has_frame
            assert feed.wanted().asked == asked + 1


def test_a_feed_that_ends_ends_its_clients_and_rubbish_does_not() -> None:
    feed = FrameFeed(None, None)
    with feed.client(2, only_motion=False) as one:
        feed.message(FRAME, b"")
        feed.message(99, b"?")
        assert not one.has_frame
        feed.ended()
        assert asyncio.run(one.next()) is None
