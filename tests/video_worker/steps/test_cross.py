"""Who crosses a line, and in which direction: one crossing for each time that somebody really goes over."""

from __future__ import annotations

import pytest

from tests.video_worker.steps.zone_scenes import DOOR, Mover, Watch, along, cross, hidden, trembling

OVER = along((0, 0.1, 0.7), (8, 0.9, 0.7))
"""Over the line from left to right; it is met at 4 s."""
BACK = along((0, 0.9, 0.7), (8, 0.1, 0.7))
ANCHORS = ["bottom", "centre", "any"]


def crossed(watch: Watch) -> dict:
    return watch.zone("door")["crossed"]


@pytest.mark.parametrize("fps", [2, 5, 10, 25])
@pytest.mark.parametrize("anchor", ANCHORS)
@pytest.mark.parametrize(("way", "direction"), [(OVER, "right"), (BACK, "left")])
def test_who_goes_over_crosses_once_at_any_rate(fps, anchor, way, direction):
    watch = Watch(cross(anchor=anchor)).feed(Mover(way), end_s=8, fps=fps)
    assert crossed(watch) == {"person": {direction: 1}}
    [event] = watch.events
    assert (event.type, event.value, event.zone) == ("object", "crossed", "door")
    assert event.more["direction"] == direction
    # the first part of the box that comes over is half a box ahead
    assert event.time_s == pytest.approx(3.5 if anchor == "any" else 4.0, abs=0.01)


def test_an_event_says_who_and_where():
    watch = Watch(cross(labels=["person"])).feed(Mover(OVER, track=7), end_s=8)
    crossed(watch)
    [event] = watch.events
    assert list(event.more) == ["label", "track", "direction", "box"]
    assert (event.confidence, event.more["label"], event.more["track"]) == (0.9, "person", 7)
    assert event.more["box"] == pytest.approx([0.45, 0.4, 0.55, 0.7], abs=0.021)


def test_the_direction_depends_on_the_order_of_the_line_s_points():
    turned = {**DOOR, "line": DOOR["line"][::-1], "tasks": [{"do": "cross"}]}
    assert crossed(Watch(turned).feed(Mover(OVER), end_s=8)) == {"person": {"left": 1}}


@pytest.mark.parametrize("anchor", ANCHORS)
def test_who_goes_over_and_comes_back_crosses_in_both_directions(anchor):
    way = along((0, 0.1, 0.7), (4, 0.9, 0.7), (8, 0.1, 0.7), (12, 0.9, 0.7))
    watch = Watch(cross(anchor=anchor)).feed(Mover(way), end_s=12)
    assert crossed(watch) == {"person": {"left": 1, "right": 2}}
    assert [event.more["direction"] for event in watch.events] == ["right", "left", "right"]


@pytest.mark.parametrize("anchor", ["bottom", "centre"])
@pytest.mark.parametrize("stay_s", [0, 0.6, 5])
def test_who_turns_back_on_the_line_has_not_crossed(anchor, stay_s):
    """A third of a tenth of the box's size beyond the line: less than what boxes tremble."""
    way = along((0, 0.1, 0.7), (4, 0.503, 0.7), (4 + stay_s, 0.503, 0.7), (8 + stay_s, 0.1, 0.7))
    assert crossed(Watch(cross(anchor=anchor)).feed(Mover(way), end_s=8 + stay_s, fps=10)) == {}


def test_who_turns_back_before_all_of_it_is_over_comes_back_too():
    way = along((0, 0.1, 0.7), (4, 0.49, 0.7), (6, 0.49, 0.7), (10, 0.1, 0.7))
    watch = Watch(cross(anchor="any")).feed(Mover(way), end_s=10)
    assert crossed(watch) == {"person": {"left": 1, "right": 1}}


def test_a_box_that_is_wrong_in_one_frame_crosses_nothing():
    way = along((0, 0.2, 0.7), (8, 0.4, 0.7))
    for end_s in (8, 4):
        watch = Watch(cross())
        for number in range(end_s * 5 + 1):
            time_s = number / 5
            wrong = Mover(lambda _: (0.7, 0.7))
            watch.feed(wrong if number == 15 else Mover(way), start_s=time_s, end_s=time_s)
        assert crossed(watch) == {}


@pytest.mark.parametrize("seed", range(20))
def test_who_stands_on_the_line_and_goes_on_crosses_once(seed):
    way = along((0, 0.1, 0.7), (4, 0.5, 0.7), (34, 0.5, 0.7), (38, 0.9, 0.7))
    assert crossed(Watch(cross()).feed(Mover(trembling(way, seed)), end_s=38)) == {"person": {"right": 1}}


@pytest.mark.parametrize("seed", range(20))
def test_who_stands_on_the_line_and_goes_back_does_not_cross(seed):
    way = along((0, 0.1, 0.7), (4, 0.5, 0.7), (34, 0.5, 0.7), (38, 0.1, 0.7))
    assert crossed(Watch(cross()).feed(Mover(trembling(way, seed)), end_s=38)) == {}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_parked_on_the_line_crosses_nothing(seed):
    stand = trembling(along((0, 0.5, 0.7), (60, 0.5, 0.7)), seed)
    assert crossed(Watch(cross()).feed(Mover(stand), end_s=60)) == {}


def test_who_stops_close_behind_the_line_has_crossed():
    way = along((0, 0.1, 0.7), (4, 0.506, 0.7), (8, 0.506, 0.7))
    watch = Watch(cross()).feed(Mover(way), end_s=8)
    assert crossed(watch) == {"person": {"right": 1}}


@pytest.mark.parametrize(("stay_s", "expected"), [(5, {"person": {"left": 1, "right": 1}}), (0.4, {})])
def test_who_stops_close_behind_the_line_and_goes_back_has_crossed_if_that_took_a_while(stay_s, expected):
    way = along((0, 0.1, 0.7), (4, 0.506, 0.7), (4 + stay_s, 0.506, 0.7), (8 + stay_s, 0.1, 0.7))
    assert crossed(Watch(cross()).feed(Mover(way), end_s=8 + stay_s)) == expected


@pytest.mark.parametrize("anchor", ANCHORS)
def test_around_an_end_of_the_line_is_not_over_it(anchor):
    short = {"name": "door", "line": [[0.5, 0.8], [0.5, 0.6]], "tasks": [{"do": "cross", "anchor": anchor}]}
    around = along((0, 0.2, 0.7), (3, 0.45, 0.99), (4, 0.55, 1.2), (8, 0.8, 0.7))
    far = along((0, 0.2, 0.3), (8, 0.8, 0.3))
    # with any, the upper half of the box goes over the line
    for way in (far,) if anchor == "any" else (around, far):
        assert crossed(Watch(short).feed(Mover(way), end_s=8)) == {}


@pytest.mark.parametrize("y", [0.8, 0.6])
def test_through_an_end_of_the_line_is_over_it(y):
    short = {"name": "door", "line": [[0.5, 0.8], [0.5, 0.6]], "tasks": [{"do": "cross"}]}
    inside = y - 0.001 if y == 0.8 else y + 0.001
    assert crossed(Watch(short).feed(Mover(along((0, 0.2, inside), (8, 0.8, inside))), end_s=8)) == {
        "person": {"right": 1}
    }


def test_who_walks_along_the_line_and_touches_it_has_not_crossed():
    way = along((0, 0.45, 0.1), (4, 0.5, 0.5), (8, 0.45, 0.9))
    assert crossed(Watch(cross()).feed(Mover(way), end_s=8)) == {}


def test_who_disappears_just_behind_the_line_has_crossed():
    watch = Watch(cross()).feed(Mover(along((0, 0.1, 0.7), (4.2, 0.52, 0.7))), end_s=8)
    assert crossed(watch) == {"person": {"right": 1}}


@pytest.mark.parametrize("at_s", [3.2, 3.9])
def test_who_crosses_out_of_sight_has_crossed(at_s):
    watch = Watch(cross()).feed(Mover(hidden(OVER, at_s, at_s + 1.5)), end_s=8)
    assert crossed(watch) == {"person": {"right": 1}}
    assert watch.events[0].time_s == pytest.approx(4.0, abs=0.01)


def test_another_track_of_the_same_object_crosses_for_it():
    first, second = Mover(hidden(OVER, 3.4, 99)), Mover(hidden(OVER, -1, 4.6), track=2)
    assert crossed(Watch(cross()).feed(first, second, end_s=8)) == {"person": {"right": 1}}


def test_nobody_crosses_over_a_cut():
    first, second = Mover(along((0, 0.3, 0.7), (3.8, 0.45, 0.7))), Mover(along((4, 0.55, 0.7), (8, 0.9, 0.7)), track=1)
    assert crossed(Watch(cross()).feed(first, second, end_s=8, cuts=[4.0])) == {}


def test_labels_and_directions_are_counted_apart():
    car = Mover(along((1, 0.9, 0.9), (5, 0.1, 0.9)), track=2, labels={"car": 0.8})
    again = Mover(along((6, 0.1, 0.9), (9, 0.9, 0.9)), track=3, labels={"car": 0.8})
    watch = Watch(cross()).feed(Mover(OVER), car, again, end_s=9)
    assert crossed(watch) == {"car": {"left": 1, "right": 1}, "person": {"right": 1}}


def test_tasks_of_one_line_share_its_entry():
    zone = cross(labels=["person"])
    zone["tasks"].append({"do": "cross", "labels": ["car"]})
    car = Mover(along((0, 0.9, 0.9), (5, 0.1, 0.9)), track=2, labels={"car": 0.9})
    found = Watch(zone).feed(Mover(OVER), car, end_s=8).zone("door")
    assert found == {"crossed": {"car": {"left": 1}, "person": {"right": 1}}}
