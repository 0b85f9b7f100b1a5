"""One object with two boxes is one object; two objects that overlap for a moment are two."""

from __future__ import annotations

import pytest

from tests.video_worker.steps.zone_scenes import Mover, Place, Watch, along, cross, hidden, objects, sample

THROUGH = along((0.2, 0.1, 0.8), (6.2, 0.95, 0.8))
BACK = along((0.2, 0.95, 0.8), (6.2, 0.1, 0.8))


def beside(at, dx: float):
    """Return the same way, moved by a share of the picture."""

    def place(time_s: float) -> Place | None:
        found = at(time_s)
        return None if found is None else (found[0] + dx, found[1])

    return place


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("size", [1.0, 0.8])
def test_a_person_with_two_boxes_enters_and_leaves_once(live, size):
    """The second one is as large as the first one, or is a part of it."""
    second = Mover(hidden(THROUGH, 3.0, 3.5), 2, size=size)
    watch = Watch(objects(), cross(), live=live).feed(Mover(THROUGH, 1), second, end_s=10)
    if live:
        assert sorted(value for value, _ in watch.said()) == ["crossed", "entered", "left"]
        return
    counts = watch.zone("gate")
    assert (counts["entered"], counts["left"]) == ({"person": 1}, {"person": 1})
    assert watch.zone("door")["crossed"] == {"person": {"right": 1}}


def test_the_object_goes_on_where_only_its_second_box_is_left():
    first, second = hidden(THROUGH, 3.0, 9.0), THROUGH
    watch = Watch(objects(), cross()).feed(Mover(first, 1), Mover(second, 2), end_s=10)
    counts = watch.zone("gate")
    assert (counts["entered"], counts["left"]) == ({"person": 1}, {"person": 1})
    assert watch.zone("door")["crossed"] == {"person": {"right": 1}}


@pytest.mark.parametrize("other", [BACK, beside(THROUGH, -0.05), along((1.2, 0.1, 0.8), (7.2, 0.95, 0.8))])
def test_two_people_who_pass_or_walk_together_are_two(other):
    watch = Watch(objects(), cross()).feed(Mover(THROUGH, 1), Mover(other, 2), end_s=12)
    counts = watch.zone("gate")
    assert (counts["entered"], counts["left"]) == ({"person": 2}, {"person": 2})


def test_a_rider_and_a_bicycle_are_two():
    rider, bicycle = Mover(THROUGH, 1), Mover(THROUGH, 2, {"dog": 0.9})
    counts = Watch(objects()).feed(rider, bicycle, end_s=10).zone("gate")
    assert counts["entered"] == {"dog": 1, "person": 1}


def test_who_stood_in_front_of_somebody_goes_on_alone():
    """Both came by themselves, stand at one place for seconds, and leave by themselves."""
    one = along((0.2, 0.1, 0.8), (3.0, 0.6, 0.8), (6.0, 0.6, 0.8), (8.8, 0.1, 0.8))
    other = along((0.2, 0.98, 0.8), (3.0, 0.61, 0.8), (6.0, 0.61, 0.8), (8.8, 0.98, 0.8))
    watch = Watch(objects(), cross()).feed(Mover(one, 1), Mover(other, 2), end_s=14)
    counts = watch.zone("gate")
    assert (counts["entered"], counts["left"]) == ({"person": 2}, {"person": 2})
    assert watch.zone("door")["crossed"] == {"person": {"left": 1, "right": 1}}


def test_what_parts_from_an_object_has_come_in_once():
    """It begins beside the object, is taken for a second view of it, stands still inside, and goes back alone."""

    def place(time_s: float) -> Place | None:
        if time_s < 2.4 - 1e-9:
            return None
        if time_s < 4.0 - 1e-9:
            return beside(THROUGH, -0.05 if time_s < 2.5 else 0.0)(time_s)
        return along((4.0, 0.638, 0.8), (6.0, 0.638, 0.8), (10.0, 0.1, 0.8))(time_s)

    counts = Watch(objects()).feed(Mover(THROUGH, 1), Mover(place, 2), end_s=14).zone("gate")
    assert (counts["entered"], counts["left"]) == ({"person": 2}, {"person": 2})


def test_live_a_second_view_that_was_reported_leaves_as_well():
    """Both come in side by side, cover the same area for seconds, and one box is left."""
    other = along((0.2, 0.1, 0.9), (3.6, 0.58, 0.9), (4.2, 0.667, 0.8), (6.0, 0.92, 0.8))
    first = along((0.2, 0.22, 0.8), (3.6, 0.6, 0.8), (4.2, 0.667, 0.8), (6.2, 0.95, 0.8))
    watch = Watch(objects(), live=True)
    watch.feed(Mover(first, 1), Mover(hidden(other, 5.9, 99), 2), end_s=7)
    watch.runner.feed(sample(7.2, [], ended=[1, 2]))
    watch.feed(start_s=7.4, end_s=12)
    assert sorted(value for value, _ in watch.said()) == ["entered", "entered", "left", "left"]
