"""Two objects whose tracks swap while one hides the other are told apart by their colours."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from tests.video_worker.steps.test_zones_live import BEGAN, restarted
from tests.video_worker.steps.zone_scenes import (
    BOX_HEIGHT,
    BOX_WIDTH,
    HEIGHT,
    WIDTH,
    Mover,
    Place,
    Watch,
    along,
    cross,
    objects,
    sample,
)
from video_worker.steps.base import Sample
from video_worker.zones.meetings import colours_of

RIGHT, LEFT = along((0.2, 0.1, 0.8), (6.2, 0.95, 0.8)), along((0.2, 0.95, 0.9), (6.2, 0.1, 0.9))
"""They pass each other at 3.2 s, a little behind the door."""
RED_BLUE, GREEN_GREY = ((40, 40, 200), (180, 60, 40)), ((60, 160, 60), (110, 110, 110))
"""Upper and lower half of a person."""
MET_S = 3.2

Way = Callable[[float], Place | None]
Person = tuple[Way, tuple[tuple[int, int, int], tuple[int, int, int]]]


def frame(time_s: float, people: tuple[Person, Person], swap_s: float, begin_s: float = 0.0) -> Sample:
    """Return the frame of a time; tracks swap at `swap_s`."""
    tracks = (1, 2) if time_s < swap_s else (2, 1)
    movers = [Mover(way, track) for (way, _), track in zip(people, tracks, strict=True)]
    found = sample(time_s, movers)
    found.time_s = round(time_s - begin_s, 6)
    found.picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for way, halves in people:
        place = way(time_s)
        if place is not None:
            x1, x2 = (round((place[0] + side * BOX_WIDTH / 2) * WIDTH) for side in (-1, 1))
            y1, y2, y3 = (round((place[1] - share * BOX_HEIGHT) * HEIGHT) for share in (1, 0.5, 0))
            found.picture[y1:y2, max(0, x1) : x2] = halves[0]
            found.picture[y2:y3, max(0, x1) : x2] = halves[1]
    return found


def counts(
    people: tuple[Person, Person], swap_s: float = MET_S, fps: float = 5
) -> tuple[dict[str, object], dict[str, object]]:
    """Return what the record has of the door, and of the gate."""
    watch = Watch(objects(), cross())
    for number in range(round(9 * fps)):
        watch.runner.feed(frame(round(number / fps, 6), people, swap_s))
    return watch.zone("door")["crossed"], watch.zone("gate")


@pytest.mark.parametrize("fps", [5, 10, 15])
@pytest.mark.parametrize("swap_s", [2.9, 3.2, 3.4, 99])
def test_two_who_pass_each_other_have_crossed_whatever_their_tracks(swap_s, fps):
    door, gate = counts(((RIGHT, RED_BLUE), (LEFT, GREEN_GREY)), swap_s, fps)
    assert door == {"person": {"left": 1, "right": 1}}
    assert (gate["entered"], gate["left"]) == ({"person": 2}, {"person": 2})


def test_two_who_turn_back_have_not_crossed():
    ways = (
        along((0.2, 0.1, 0.8), (2.8, 0.45, 0.8), (6.2, 0.1, 0.8)),
        along((0.2, 0.9, 0.8), (2.8, 0.56, 0.8), (6, 1, 0.8)),
    )
    assert counts(((ways[0], RED_BLUE), (ways[1], GREEN_GREY)), 99)[0] == {}


def test_two_who_look_alike_stay_as_their_tracks_say():
    """Nothing but the tracks tells them apart: both seem to turn back."""
    assert counts(((RIGHT, RED_BLUE), (LEFT, RED_BLUE)))[0] == {}


def test_light_that_changes_swaps_nobody():
    """While they meet it grows dark."""
    dark = (30, 80, 30), (55, 55, 55)
    assert counts(((RIGHT, GREEN_GREY), (LEFT, dark)), 99)[0] == {"person": {"left": 1, "right": 1}}


def test_a_meeting_survives_a_restart_at_any_frame():
    people = ((RIGHT, RED_BLUE), (LEFT, GREEN_GREY))
    for number in range(8, 28):
        watch = Watch(objects(), cross(), live=True, started_at=BEGAN)
        for one in range(number):
            watch.runner.feed(frame(one / 5, people, MET_S))
        later = restarted(watch, number / 5, objects(), cross())
        for one in range(number, 50):
            later.runner.feed(frame(one / 5, people, MET_S, number / 5))
        found = [(str(event.value), event.more.get("direction")) for event in (*watch.events, *later.events)]
        assert sorted(map(str, found)) == sorted(
            map(str, [("crossed", "left"), ("crossed", "right"), *[("entered", None), ("left", None)] * 2])
        ), number


def test_a_state_of_before_meetings_were_watched_can_be_resumed():
    watch = Watch(objects(), live=True, started_at=BEGAN).feed(Mover(RIGHT), end_s=3)
    states = json.loads(json.dumps(watch.runner.states()))
    del states["Follow"]["meetings"]
    assert Watch(objects(), live=True, started_at=BEGAN).runner.resume(states) == []


@pytest.mark.parametrize("corners", [(-5, -5, -1, -1), (3, 3, 3, 3), (200, 10, 240, 80)])
def test_a_box_without_pixels_has_no_colours(corners):
    assert colours_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8), corners) is None


def test_colours_are_those_of_both_halves():
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:50], picture[50:] = (255, 0, 51), (0, 102, 0)
    assert colours_of(picture, (20, 0, 60, 100)) == pytest.approx((1, 0, 0.2, 0, 0.4, 0))
