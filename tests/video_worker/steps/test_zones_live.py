"""Zones in front of a live camera: events come soon, and what is known survives a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared_utils.contracts.events import Event
from tests.video_worker.steps.zone_scenes import Mover, Place, Watch, along, cross, hidden, objects, sample
from video_worker.steps.context import StepEvent

BEGAN = datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC)
THROUGH = along((0, 0.1, 0.7), (10, 1.1, 0.7))
"""Enters the gate at 3 s, crosses the door at 4 s, leaves at 7 s."""


def restarted(watch: Watch, after_s: float, *zones) -> Watch:
    """Return a watch that goes on after a kill; its first frame is `after_s` after that of the other."""
    states = json.loads(json.dumps(watch.runner.states()))
    later = Watch(*zones, live=True, started_at=BEGAN + timedelta(seconds=after_s))
    later.runner.resume(states)
    return later


def logged(event: StepEvent) -> Event:
    """Return an event as the log of live events holds it."""
    return Event(
        type=event.type, at=BEGAN + timedelta(seconds=event.time_s), zone=event.zone, value=event.value, more=event.more
    )


def shifted(at: Callable[[float], Place | None], by_s: float) -> Callable[[float], Place | None]:
    """Return a way as a source sees it whose first frame is `by_s` later."""
    return lambda time_s: at(time_s + by_s)


def reported(watch: Watch, movers, start_s: float, end_s: float) -> list[tuple[float, str, float]]:
    """Return when an event was emitted, what, and when it happened."""
    found = []
    for number in range(round((end_s - start_s) * 5) + 1):
        time_s = round(start_s + number / 5, 6)
        before = len(watch.events)
        watch.runner.feed(sample(time_s, movers))
        found += [(time_s, str(event.value), round(event.time_s, 1)) for event in watch.events[before:]]
    return found


def test_events_are_emitted_as_soon_as_they_are_certain():
    watch = Watch(objects(min_s=0.6, loiter_s=2), cross(), live=True)
    assert reported(watch, [Mover(THROUGH)], 0, 10) == [
        (3.6, "entered", 3.0),
        (4.2, "crossed", 4.0),
        (5.0, "loitering", 5.0),
        (7.6, "left", 7.0),
    ]


def test_live_and_clip_report_the_same():
    movers = [Mover(THROUGH), Mover(along((2, 0.9, 0.9), (9, 0.1, 0.9)), track=2, labels={"car": 0.8})]
    found = []
    for live in (True, False):
        watch = Watch(objects(loiter_s=2), cross(), live=live).feed(*movers, end_s=12)
        watch.runner.results()
        found.append(sorted((event.time_s, str(event.value), str(event.more)) for event in watch.events))
    assert found[0] == found[1]
    assert len(found[0]) == 8


def test_nothing_is_emitted_before_the_label_counts_and_then_all_of_it():
    weak, strong = Mover(THROUGH, labels={"person": 0.4}), Mover(THROUGH)
    watch = Watch(objects(), cross(), live=True)
    assert reported(watch, [weak], 0, 5) == []
    assert reported(watch, [strong], 5.2, 6) == [(5.4, "entered", 3.0), (5.4, "crossed", 4.0)]


def test_who_came_in_as_a_person_goes_out_as_one():
    watch = Watch(objects(), live=True)
    watch.feed(Mover(THROUGH), end_s=4)
    watch.feed(Mover(THROUGH, labels={"dog": 0.95}), start_s=4.2, end_s=10)
    assert [(event.value, event.more["label"]) for event in watch.events] == [("entered", "person"), ("left", "person")]


@pytest.mark.parametrize("down_s", [0.2, 3, 50])
def test_who_is_inside_survives_a_restart(down_s):
    """Killed at 5 s, with the person inside, who is at the same place when the camera is watched again."""
    way = along((0, 0.1, 0.7), (4, 0.6, 0.7), (5 + down_s + 2, 0.6, 0.7), (5 + down_s + 5, 0.9, 0.7))
    zones = (objects(loiter_s=2), cross())
    watch = Watch(*zones, live=True, started_at=BEGAN).feed(Mover(way), end_s=5)
    assert (
        [event.value for event in watch.events] == ["crossed", "entered", "loitering"]
        or [event.value for event in watch.events] == ["entered", "crossed", "loitering"]
        or len(watch.events) == 2
    )
    later = restarted(watch, 5 + down_s, *zones)
    later.feed(Mover(shifted(way, 5 + down_s), track=1), end_s=6)
    values = [str(event.value) for event in watch.events + later.events]
    assert sorted(values) == ["crossed", "entered", "left", "loitering"]
    assert values[-1] == "left"
    left = later.events[-1]
    # the time outside the process counts, and times are those of the present source
    assert left.more["dwell_s"] == pytest.approx(down_s + 5 + 4 - 2.4, abs=0.3)
    assert 4 - 0.5 <= left.time_s <= 5
    states = later.runner.states()
    assert states["Objects gate 0"]["counts"] == {
        "entered": {"person": 1}, "left": {"person": 1}, "dwell_s": pytest.approx(left.more["dwell_s"], abs=0.001),
    }  # fmt: skip
    assert states["Cross door 0"]["counts"] == {"crossed": {"person": {"right": 1}}}


def test_who_went_away_meanwhile_has_left_when_last_seen():
    way = along((0, 0.1, 0.7), (4, 0.6, 0.7), (5, 0.6, 0.7))
    watch = Watch(objects(), live=True, started_at=BEGAN).feed(Mover(way), end_s=5)
    later = restarted(watch, 12, objects())
    assert reported(later, [], 0, 3) == [(pytest.approx(2.1, abs=0.11), "left", -7.0)]


def test_who_came_meanwhile_is_inside_and_has_not_entered():
    watch = Watch(objects(), live=True, started_at=BEGAN).feed(end_s=5)
    later = restarted(watch, 12, objects())
    assert reported(later, [Mover(along((0, 0.6, 0.7), (9, 0.6, 0.7)))], 0, 5) == []


def test_who_crossed_meanwhile_has_crossed():
    way = along((0, 0.1, 0.7), (3.8, 0.48, 0.7), (4.2, 0.52, 0.7), (9, 0.9, 0.7))
    watch = Watch(cross(), live=True, started_at=BEGAN).feed(Mover(way), end_s=3.8)
    later = restarted(watch, 5.0, cross()).feed(Mover(shifted(way, 5.0), track=4), end_s=3)
    [event] = later.events
    assert (event.value, event.more["direction"], event.more["track"]) == ("crossed", "right", 4)


def test_a_state_in_the_middle_of_anything_can_be_resumed():
    """Killed at any frame and started again at once: the same events, none lost, none twice."""
    way = hidden(along((0, 0.1, 0.7), (5, 0.6, 0.7), (6, 0.55, 0.7), (8, 1.1, 0.7), (11, 0.1, 0.7)), 4.5, 5.5)
    zones = (objects(loiter_s=1), cross())
    whole = Watch(*zones, live=True, started_at=BEGAN).feed(Mover(way), end_s=12)
    expected = [(event.value, event.time_s, event.more) for event in whole.events]
    assert len(expected) >= 6
    for number in range(1, 60):
        watch = Watch(*zones, live=True, started_at=BEGAN)
        watch.feed(Mover(way), end_s=round((number - 1) / 5, 6))
        later = restarted(watch, number / 5, *zones).feed(Mover(shifted(way, number / 5)), end_s=12 - number / 5)
        found = [(event.value, event.time_s, event.more) for event in watch.events]
        found += [(event.value, round(event.time_s + number / 5, 3), event.more) for event in later.events]
        assert [one[0] for one in found] == [one[0] for one in expected], number
        assert [one[1] for one in found] == pytest.approx([one[1] for one in expected], abs=0.002), number


def test_what_was_reported_after_the_state_was_saved_is_not_reported_again():
    """Killed up to a second after a state was saved: the events since then are in the log."""
    way = along((0, 0.1, 0.7), (5, 0.6, 0.7), (6, 0.55, 0.7), (8, 1.1, 0.7), (11, 0.1, 0.7))
    zones = (objects(loiter_s=1), cross())
    whole = Watch(*zones, live=True, started_at=BEGAN).feed(Mover(way), end_s=12)
    expected = [(event.value, event.more.get("direction")) for event in whole.events]
    counts = [whole.runner.states()[name]["counts"] for name in ("Objects gate 0", "Cross door 0")]
    for number in range(5, 56):
        saved_s, killed_s, again_s = (number - 5) / 5, number / 5, number / 5 + 0.4
        watch = Watch(*zones, live=True, started_at=BEGAN).feed(Mover(way), end_s=saved_s)
        states = json.loads(json.dumps(watch.runner.states()))
        before = len(watch.events)
        watch.feed(Mover(way), start_s=saved_s + 0.2, end_s=killed_s)
        later = Watch(*zones, live=True, started_at=BEGAN + timedelta(seconds=again_s))
        assert later.runner.resume(states) == []
        later.runner.catch_up([logged(event) for event in watch.events[before:]])
        later.feed(Mover(shifted(way, again_s)), end_s=12 - again_s)
        found = [(event.value, event.more.get("direction")) for event in watch.events + later.events]
        assert sorted(map(str, found)) == sorted(map(str, expected)), number
        states = later.runner.states()
        for name, one in zip(("Objects gate 0", "Cross door 0"), counts, strict=True):
            rounded = {"dwell_s": pytest.approx(one["dwell_s"], abs=0.4)} if "dwell_s" in one else {}
            assert states[name]["counts"] == {**one, **rounded}, number


@pytest.mark.parametrize("name", ["Follow", "Objects gate 0", "Cross door 0"])
@pytest.mark.parametrize("state", [{}, {"counts": 1}, {"objects": [1]}, {"begun": "x", "watched_s": 0, "objects": []}])
def test_a_state_that_is_none_is_refused_and_the_step_begins_anew(name, state):
    watch = Watch(objects(), cross(), live=True)
    assert watch.runner.resume({name: state}) == [name]
    watch.feed(Mover(THROUGH), end_s=10)
    assert [event.value for event in watch.events] == ["entered", "crossed", "left"]


def test_who_walks_on_during_a_restart_is_the_same():
    """Two sizes further on after two seconds, by a track of another number."""
    way = along((0, 0.1, 0.7), (3, 0.45, 0.7), (5.4, 0.75, 0.7), (8, 1.1, 0.7))
    watch = Watch(objects(), live=True, started_at=BEGAN).feed(Mover(way), end_s=3.8)
    later = restarted(watch, 5.4, objects()).feed(Mover(shifted(way, 5.4), track=9), end_s=3)
    assert [event.value for event in watch.events + later.events] == ["entered", "left"]


def test_a_zone_that_was_changed_goes_on_with_its_counts_alone():
    stand = Mover(along((0, 0.1, 0.7), (4, 0.6, 0.7), (60, 0.6, 0.7)))
    watch = Watch(objects(), live=True, started_at=BEGAN).feed(stand, end_s=5)
    assert [event.value for event in watch.events] == ["entered"]
    moved = {**objects(), "points": [[0.8, 0.2], [1, 0.2], [1, 1]]}
    later = restarted(watch, 5.2, moved)
    assert reported(later, [Mover(shifted(stand.at, 5.2))], 0, 5) == []
    assert later.runner.states()["Objects gate 0"]["counts"]["entered"] == {"person": 1}


def test_a_zone_that_was_drawn_around_somebody_has_not_been_entered():
    walk = Mover(along((0, 0.1, 0.7), (4, 0.6, 0.7), (20, 0.65, 0.7)))
    watch = Watch(cross(), live=True, started_at=BEGAN).feed(walk, end_s=5)
    later = restarted(watch, 5.2, cross(), objects())
    assert [what for _, what, _ in reported(later, [Mover(shifted(walk.at, 5.2))], 0, 5)] == []


def test_a_pause_of_the_camera_is_like_a_restart():
    way = along((0, 0.1, 0.7), (4, 0.6, 0.7), (40, 0.6, 0.7), (42, 0.9, 0.7))
    watch = Watch(objects(), live=True)
    watch.feed(Mover(way), end_s=5)
    watch.feed(Mover(way, track=2), start_s=35, end_s=44)
    assert watch.said() == [("entered", pytest.approx(2.4, abs=0.1)), ("left", pytest.approx(41.3, abs=0.1))]


def test_after_a_long_pause_nobody_is_the_same():
    stand = along((0, 0.1, 0.7), (4, 0.6, 0.7), (500, 0.6, 0.7))
    watch = Watch(objects(), live=True).feed(Mover(stand), end_s=5).feed(Mover(stand, track=2), start_s=100, end_s=105)
    assert watch.said() == [("entered", pytest.approx(2.4, abs=0.1)), ("left", 5.0)]


def test_nothing_grows_while_people_come_and_go():
    watch = Watch(objects(), cross(), live=True)
    sizes = []
    for visit in range(40):
        way = along((0, 0.1, 0.7), (4, 0.9, 0.7))
        start_s = visit * 8.0
        mover = Mover(shifted(way, -start_s), track=visit + 1)
        for number in range(40):
            time_s = round(start_s + number / 5, 6)
            ended = [visit + 1] if number == 36 else ()
            watch.runner.feed(sample(time_s, [mover], ended=ended))
        sizes.append(len(json.dumps(watch.runner.states())))
    assert max(sizes) <= sizes[0] + 60
    assert [event.value for event in watch.events].count("entered") == 40


def test_an_object_with_two_boxes_is_one_after_a_restart():
    watch = Watch(objects(), live=True, started_at=BEGAN).feed(Mover(THROUGH), Mover(THROUGH, 2), end_s=5)
    later = restarted(watch, 5.2, objects())
    way = shifted(THROUGH, 5.2)
    later.feed(Mover(way), Mover(way, 2), end_s=12)
    assert [str(event.value) for event in (*watch.events, *later.events)] == ["entered", "left"]
