"""Tasks that are carried out while a page is displayed, or a group is switched on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.video_worker.steps.zone_scenes import Mover, Watch, along, cross, objects

THROUGH = along((0, 0.1, 0.7), (10, 1.1, 0.7))
"""Enters the gate at 3 s, crosses the door at 4 s, leaves the gate at 7 s."""
SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]
PAGES = [{"name": name, "points": SQUARE, "reference": f"{name}.png"} for name in ("menu", "alarm")]
BEGAN = datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC)


def during(page: str, start_s: float, end_s: float):
    """Return which page is displayed: `page` for a time, the other one else."""
    return lambda time_s: page if start_s <= time_s < end_s else "menu" if page != "menu" else "alarm"


@pytest.mark.parametrize("live", [False, True])
def test_a_task_of_a_page_is_carried_out_while_that_is_displayed(live):
    watch = Watch(objects(page="alarm"), cross(page="menu"), file={"pages": PAGES}, live=live)
    watch.feed(Mover(THROUGH), end_s=10, page=during("alarm", 1, 9))
    watch.runner.results()
    assert sorted(watch.said()) == [("entered", 3.0), ("left", 7.0)]


@pytest.mark.parametrize("live", [False, True])
def test_another_page_ends_the_scene_and_nobody_leaves(live):
    watch = Watch(objects(page="alarm"), file={"pages": PAGES}, live=live)
    watch.feed(Mover(THROUGH), end_s=10, page=during("alarm", 0, 5))
    assert watch.said() in ([], [("entered", 3.0)])
    zone = watch.zone("gate")
    assert (zone["entered"], zone["left"]) == ({"person": 1}, {})
    assert zone["dwell_s"] == pytest.approx(5.0 - 3.0, abs=0.1)


def test_what_is_inside_when_the_page_comes_has_not_entered():
    watch = Watch(objects(page="alarm"), file={"pages": PAGES})
    watch.feed(Mover(THROUGH), end_s=10, page=during("alarm", 5, 20))
    zone = watch.zone("gate")
    assert (zone["entered"], zone["left"]) == ({}, {"person": 1})
    assert zone["dwell_s"] == pytest.approx(7.0 - 5.0, abs=0.1)


def test_what_is_crossed_while_another_page_is_displayed_is_not_counted():
    way = along((0, 0.1, 0.7), (4, 0.9, 0.7), (8, 0.1, 0.7))
    watch = Watch(cross(page="menu"), file={"pages": PAGES})
    watch.feed(Mover(way), end_s=8, page=during("alarm", 1, 3))
    assert watch.zone("door")["crossed"] == {"person": {"left": 1}}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"on": True}, 1),
        ({"on": False}, 0),
        ({"page": "alarm"}, 1),
        ({"page": "menu"}, 0),
        ({"page": "alarm", "on": False}, 0),
    ],
)
def test_a_group_switches_its_zones_by_hand_and_by_page(group, expected):
    gate = {**objects(), "group": "day"}
    watch = Watch(gate, cross(), file={"pages": PAGES, "groups": [{"name": "day", **group}]})
    watch.feed(Mover(THROUGH), end_s=10, page=lambda _: "alarm")
    record = watch.runner.results()["zones"]
    assert sum(record["gate"]["entered"].values()) == expected
    # the other zone belongs to no group
    assert record["door"]["crossed"] == {"person": {"right": 1}}


def test_a_group_that_no_file_declares_is_on():
    watch = Watch({**objects(), "group": "night"}).feed(Mover(THROUGH), end_s=10)
    assert watch.zone("gate")["entered"] == {"person": 1}


def test_a_page_that_nobody_recognises_opens_nothing():
    watch = Watch(objects(page="alarm"), cross(), file={"pages": PAGES}).feed(Mover(THROUGH), end_s=10)
    record = watch.runner.results()["zones"]
    assert record["gate"] == {"entered": {}, "left": {}, "dwell_s": 0.0}
    assert record["door"]["crossed"] == {"person": {"right": 1}}


def test_counts_survive_a_restart_while_another_page_is_displayed():
    zone = objects(page="alarm")
    watch = Watch(zone, file={"pages": PAGES}, live=True, started_at=BEGAN)
    watch.feed(Mover(THROUGH), end_s=8, page=during("alarm", 0, 6))
    states = json.loads(json.dumps(watch.runner.states()))
    later = Watch(zone, file={"pages": PAGES}, live=True, started_at=BEGAN + timedelta(seconds=8))
    assert later.runner.resume(states) == []
    later.feed(end_s=5, page=lambda _: "menu")
    assert later.runner.states()["Objects gate 0"]["counts"]["entered"] == {"person": 1}
    assert later.events == []
