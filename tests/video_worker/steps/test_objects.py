"""Who enters a zone, who leaves it, and how long the stay is."""

from __future__ import annotations

import pytest

from tests.video_worker.steps.zone_scenes import (
    BOX_HEIGHT,
    GATE,
    Mover,
    Watch,
    along,
    cross,
    hidden,
    objects,
    sample,
    trembling,
)

THROUGH = along((0, 0.1, 0.7), (10, 1.1, 0.7))
"""Through the gate from left to right: its edges are met at 3 s and at 7 s."""


def entry(entered=0, left=0, dwell_s=0.0, label="person") -> dict:
    counts = {"entered": entered, "left": left}
    found = {key: {label: count} if count else {} for key, count in counts.items()}
    return {**found, "dwell_s": pytest.approx(dwell_s, abs=0.02)}


@pytest.mark.parametrize("fps", [2, 5, 10, 25])
@pytest.mark.parametrize("anchor", ["bottom", "centre"])
def test_who_walks_through_enters_once_and_leaves_once_at_any_rate(fps, anchor):
    watch = Watch(objects(anchor=anchor)).feed(Mover(THROUGH), end_s=10, fps=fps)
    assert watch.zone("gate") == entry(1, 1, 4.0)
    assert watch.said() == [("entered", 3.0), ("left", 7.0)]


@pytest.mark.parametrize(("min_s", "times"), [(0.0, 1), (0.15, 1), (0.6, 0)])
def test_who_rushes_through_between_two_frames_enters_and_leaves(min_s, times):
    rush = along((0, 0.05, 0.7), (1.9, 0.05, 0.7), (2.35, 0.95, 0.7), (4, 0.95, 0.7))
    watch = Watch(objects(min_s=min_s)).feed(Mover(rush), end_s=4, fps=2)
    found = watch.zone("gate")
    assert found["entered"] == found["left"] == ({"person": times} if times else {})
    assert found["dwell_s"] == pytest.approx(0.286 * times, abs=0.02)
    past = along((0, 0.05, 0.1), (1.9, 0.05, 0.1), (2.35, 0.95, 0.1), (4, 0.95, 0.1))
    assert Watch(objects(min_s=min_s)).feed(Mover(past), end_s=4, fps=2).zone("gate")["entered"] == {}


def test_any_part_of_the_box_is_enough_where_the_zone_says_so():
    watch = Watch(objects(anchor="any")).feed(Mover(THROUGH), end_s=10, fps=25)
    # half a box earlier, and later
    assert watch.zone("gate") == entry(1, 1, 5.0)


def test_an_event_says_who_where_and_how_long():
    watch = Watch(objects(labels=["person"])).feed(Mover(THROUGH, track=7), end_s=10)
    watch.zone("gate")
    entered, left = watch.events
    assert (entered.type, entered.zone, entered.confidence) == ("object", "gate", 0.9)
    assert list(entered.more) == ["label", "track", "box"]
    assert (entered.more["label"], entered.more["track"]) == ("person", 7)
    assert left.more["dwell_s"] == pytest.approx(4.0, abs=0.01)
    # the box in the frame in which it was first seen inside, and outside again
    assert entered.more["box"] == pytest.approx([0.35, 0.4, 0.45, 0.7], abs=0.02)
    assert left.more["box"] == pytest.approx([0.77, 0.4, 0.87, 0.7], abs=0.02)


def test_a_short_visit_does_not_count():
    peek = along((0, 0.1, 0.7), (2, 0.35, 0.7), (2.3, 0.45, 0.7), (2.6, 0.35, 0.7), (5, 0.1, 0.7))
    assert Watch(objects(min_s=0.6)).feed(Mover(peek), end_s=5, fps=10).zone("gate") == entry()
    assert Watch(objects(min_s=0.2)).feed(Mover(peek), end_s=5, fps=10).zone("gate") == entry(1, 1, 0.3)


def test_a_short_step_outside_does_not_end_a_stay():
    out = along((0, 0.1, 0.7), (2, 0.5, 0.7), (6, 0.42, 0.7), (6.3, 0.36, 0.7), (6.6, 0.42, 0.7), (10, 0.9, 0.7))
    watch = Watch(objects(min_s=0.6)).feed(Mover(out), end_s=11, fps=10)
    assert watch.zone("gate")["entered"] == {"person": 1}
    assert watch.zone("gate")["left"] == {"person": 1}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("place", [(0.4, 0.7), (0.403, 0.7), (0.6, 0.2)])
def test_who_stands_on_the_edge_is_counted_once(seed, place):
    stand = along((0, 0.1, 0.7), (2, *place), (62, *place), (64, 0.1, 0.7), (66, 0.0, 0.7))
    watch = Watch(objects()).feed(Mover(trembling(stand, seed)), end_s=66)
    found = watch.zone("gate")
    assert found["entered"] == found["left"] == {"person": 1}
    assert 55 <= found["dwell_s"] <= 62


@pytest.mark.parametrize("seed", range(20))
def test_who_passes_by_outside_does_not_enter(seed):
    by = along((0, 0.1, 0.5), (5, 0.37, 0.5), (15, 0.37, 0.95), (20, 0.1, 0.95))
    assert Watch(objects()).feed(Mover(trembling(by, seed)), end_s=20).zone("gate") == entry()


def test_a_track_that_is_lost_and_found_within_two_seconds_is_the_same_one():
    # the tracker finds it again
    watch = Watch(objects()).feed(Mover(hidden(THROUGH, 4.0, 5.9)), end_s=10)
    assert watch.zone("gate") == entry(1, 1, 4.0)
    # or begins another track
    first, second = Mover(hidden(THROUGH, 4.0, 99)), Mover(hidden(THROUGH, -1, 5.0), track=2)
    watch = Watch(objects()).feed(first, second, end_s=10)
    assert watch.zone("gate") == entry(1, 1, 4.0)
    assert [event.more["track"] for event in watch.events] == [1, 2]


def test_another_label_or_another_place_is_another_object():
    walk = along((0, 0.1, 0.7), (3, 0.7, 0.7))
    first = Mover(walk)
    for second in (
        Mover(along((4, 0.7, 0.7), (9, 1.2, 0.7)), track=2, size=2.5),
        Mover(along((4, 0.7, 0.7), (9, 1.2, 0.7)), track=2, labels={"dog": 0.9}),
        Mover(along((4, 0.1, 0.7), (9, 0.95, 0.7)), track=2),
    ):
        watch = Watch(objects()).feed(first, second, end_s=9)
        # the tracker says nothing about ends here: both are there to the end
        assert sum(watch.zone("gate")["entered"].values()) == 2


def test_who_comes_in_where_somebody_has_just_gone_out_of_the_picture_is_somebody_else():
    edge = {"name": "gate", "points": [[0, 0], [0.4, 0], [0.4, 1], [0, 1]], "tasks": [{"do": "objects"}]}
    out, into = along((0, 0.6, 0.7), (4, 0.03, 0.7)), along((5, 0.03, 0.7), (9, 0.6, 0.7))
    watch = Watch(edge)
    for number in range(46):
        ended = [1] if number == 36 else ()
        watch.runner.feed(sample(number / 5, [Mover(out), Mover(into, track=2)], ended=ended))
    found = watch.zone("gate")
    assert found["entered"] == found["left"] == {"person": 2}


def test_two_who_are_inside_at_once_are_two():
    watch = Watch(objects()).feed(Mover(THROUGH), Mover(along((1, 0.1, 0.9), (11, 1.1, 0.9)), track=2), end_s=11)
    assert watch.zone("gate") == entry(2, 2, 8.0)


def test_who_is_inside_when_the_clip_begins_has_not_entered():
    watch = Watch(objects()).feed(Mover(along((0, 0.6, 0.7), (5, 1.1, 0.7))), end_s=5)
    assert watch.zone("gate") == entry(0, 1, 2.0)
    # found by the model from the fourth frame on
    late = Watch(objects()).feed(Mover(hidden(along((0, 0.6, 0.7), (5, 1.1, 0.7)), -1, 0.7)), end_s=5)
    assert late.zone("gate") == entry(0, 1, 1.2)


def test_who_comes_in_within_the_first_second_has_entered():
    watch = Watch(objects()).feed(Mover(along((0, 0.3, 0.7), (5, 1.3, 0.7))), end_s=5)
    assert watch.zone("gate") == entry(1, 1, 2.0)


def test_who_is_inside_when_the_clip_ends_has_not_left():
    watch = Watch(objects()).feed(Mover(along((0, 0.1, 0.7), (4, 0.5, 0.7), (8, 0.5, 0.7))), end_s=8)
    assert watch.zone("gate") == entry(1, 0, 5.0)
    # lost a moment before the end: it may be hidden
    hid = Watch(objects()).feed(Mover(along((0, 0.1, 0.7), (4, 0.5, 0.7), (7, 0.5, 0.7))), end_s=8)
    assert hid.zone("gate") == entry(1, 0, 4.0)


def test_who_disappears_inside_has_left_when_last_seen():
    watch = Watch(objects()).feed(Mover(along((0, 0.1, 0.7), (4, 0.5, 0.7), (6, 0.5, 0.7))), end_s=9)
    assert watch.zone("gate") == entry(1, 1, 3.0)
    assert watch.said() == [("entered", 3.0), ("left", 6.0)]


def test_who_appears_inside_and_moves_has_entered():
    watch = Watch(objects()).feed(Mover(along((3, 0.5, 0.7), (6, 0.7, 0.7), (9, 0.9, 0.7))), end_s=9)
    assert watch.said() == []
    assert watch.zone("gate")["entered"] == {"person": 1}
    assert watch.said()[0] == ("entered", 3.0)


def test_what_appears_and_never_moves_was_there_before():
    """A parked car that the model recognises now and then neither enters nor leaves."""
    parked = Mover(along((3, 0.6, 0.7), (6, 0.6, 0.7)), labels={"car": 0.9})
    again = Mover(along((10, 0.6, 0.7), (20, 0.6, 0.7)), track=2, labels={"car": 0.9})
    watch = Watch(objects()).feed(parked, again, end_s=20)
    assert watch.zone("gate") == entry(0, 0, 13.0, "car")
    assert watch.said() == []


def test_a_parked_car_that_drives_off_leaves():
    car = Mover(along((3, 0.6, 0.7), (15, 0.6, 0.7), (18, 0.95, 0.7)), labels={"car": 0.9})
    found = Watch(objects()).feed(car, end_s=19).zone("gate")
    assert (found["entered"], found["left"]) == ({}, {"car": 1})


def test_loitering_is_reported_once_per_stay():
    stay = [(2, 0.6, 0.7), (8, 0.6, 0.7), (9, 0.3, 0.7), (12, 0.3, 0.7), (13, 0.6, 0.7), (20, 0.6, 0.7)]
    watch = Watch(objects(loiter_s=3)).feed(Mover(along((0, 0.0, 0.7), *stay)), end_s=20)
    watch.zone("gate")
    assert [what for what, _ in watch.said()] == ["entered", "loitering", "left", "entered", "loitering"]
    entered, loitering, *_ = watch.events
    assert loitering.time_s == pytest.approx(entered.time_s + 3, abs=0.002)
    assert loitering.more["dwell_s"] == 3.0


def test_who_was_there_at_the_start_loiters_too():
    watch = Watch(objects(loiter_s=3)).feed(Mover(along((0, 0.6, 0.7), (9, 0.6, 0.7))), end_s=9)
    watch.zone("gate")
    assert watch.said() == [("loitering", 3.0)]


def test_a_cut_is_the_end_of_one_scene_and_the_beginning_of_another():
    first, second = Mover(along((0, 0.1, 0.7), (4.8, 0.58, 0.7))), Mover(along((5, 0.6, 0.7), (10, 1.1, 0.7)), track=2)
    watch = Watch(objects()).feed(first, second, end_s=10, cuts=[5.0])
    assert watch.zone("gate") == entry(1, 1, 1.8 + 2.0)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], {"car": 1}),
        (["car"], {"car": 1}),
        (["Car", "person"], {"car": 1}),
        (["dog", "person"], {"dog": 1}),
        (["person"], {}),
        (["lorry"], {}),
    ],
)
def test_only_the_labels_of_the_task_count_and_the_label_is_decided_among_them(labels, expected):
    """As `classes` do for the summary of a clip."""
    mover = Mover(THROUGH, labels={"car": 0.9, "dog": 0.6, "person": 0.4})
    watch = Watch(objects(labels=labels)).feed(mover, end_s=10)
    assert watch.zone("gate")["entered"] == expected
    assert {event.more["label"] for event in watch.events} == set(expected)


def test_the_classes_of_the_run_hold_for_zones():
    mover = Mover(THROUGH, labels={"car": 0.9, "dog": 0.6})
    assert Watch(objects(), classes=("dog",)).feed(mover, end_s=10).zone("gate")["entered"] == {"dog": 1}
    watch = Watch(objects(labels=["car"]), classes=("dog",)).feed(mover, end_s=10)
    assert watch.zone("gate")["entered"] == {}


def test_a_ghost_of_one_strong_frame_does_not_count():
    weak, ghost = Mover(THROUGH, labels={"person": 0.4}), Mover(along((5, 0.6, 0.7), (5, 0.6, 0.7)))
    assert Watch(objects(min_s=0)).feed(weak, end_s=10).zone("gate") == entry()
    assert Watch(objects(min_s=0)).feed(ghost, end_s=10).zone("gate") == entry()


def test_a_label_that_is_settled_late_counts_from_the_beginning():
    """Called dog at first, and person for longer: a person, who entered when it did."""
    labels = [{"dog": 0.9}] * 25 + [{"person": 0.9}] * 30
    watch = Watch(objects())
    for number, one in enumerate(labels[:51]):
        watch.feed(Mover(THROUGH, labels=one), start_s=number / 5, end_s=number / 5)
    assert watch.zone("gate") == entry(1, 1, 4.0)
    assert {event.more["label"] for event in watch.events} == {"person"}


def test_tasks_of_one_zone_share_its_entry():
    zone = objects(labels=["person"])
    zone["tasks"].append({"do": "objects", "labels": ["car"]})
    car = Mover(along((0, 0.1, 0.9), (5, 1.1, 0.9)), track=2, labels={"car": 0.9})
    found = Watch(zone).feed(Mover(THROUGH), car, end_s=10).zone("gate")
    assert found == {
        "entered": {"car": 1, "person": 1}, "left": {"car": 1, "person": 1}, "dwell_s": pytest.approx(6.0, abs=0.02)
    }  # fmt: skip


@pytest.mark.parametrize(("when", "clips", "live"), [("clips", 1, 0), ("live", 0, 1), ("both", 1, 1)])
def test_a_task_applies_to_clips_to_live_cameras_or_to_both(when, clips, live):
    for is_live, expected in ((False, clips), (True, live)):
        watch = Watch(objects(when=when), cross(when=when), live=is_live)
        names = set(watch.runner.seconds())
        assert names == ({"Follow", "Objects gate 0", "Cross door 0"} if expected else set())
        watch.runner.close()


def test_positions_are_those_of_good_boxes_only():
    """A weak box of half the object keeps its label company, and does not move it."""
    half = along((0, 0.6, 0.7 - BOX_HEIGHT / 2), (9, 0.6, 0.7 - BOX_HEIGHT / 2))
    watch = Watch(objects(loiter_s=5)).feed(
        Mover(hidden(along((0, 0.6, 0.7), (9, 0.6, 0.7)), 4, 5)), Mover(half, labels={"person": 0.2}), end_s=9
    )
    assert watch.zone("gate") == entry(0, 0, 9.0)


@pytest.mark.parametrize("live", [False, True])
def test_what_two_tasks_of_a_zone_have_in_common_counts_once(live):
    through = Mover(along((0.2, 0.1, 0.8), (10.2, 1.1, 0.8)))
    tasks = [
        {"do": "objects", "when": "both", "labels": ["person"]},
        {"do": "objects", "when": "both", "loiter_s": 2, "anchor": "centre"},
        {"do": "objects", "when": "both", "labels": ["car"]},
    ]
    watch = Watch({**GATE, "tasks": tasks}, live=live).feed(through, end_s=14)
    if not live:
        counts = watch.zone("gate")
        assert (counts["entered"], counts["left"]) == ({"person": 1}, {"person": 1})
        assert counts["dwell_s"] == pytest.approx(4.0, abs=0.1)
    assert sorted(value for value, _ in watch.said()) == ["entered", "left", "loitering"]
