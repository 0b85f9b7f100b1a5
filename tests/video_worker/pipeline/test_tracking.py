"""Tracks against scenes whose truth is known: how many objects, and which box belongs to which."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from video_worker.models.postprocess import Detections
from video_worker.pipeline.tracking import Tracker

RATES = [2, 5, 10, 25]
"""Sampled frames per second."""
PICTURE = 1280, 720
JITTER = 0.02
"""Standard deviation of a box's edges, of its size."""

Box = tuple[float, float, float, float, int, float]
"""Centre x and y, width, height, class, score."""
MovingObject = Callable[[float], Box | None]


def moving(
    at: tuple[float, float],
    size: tuple[float, float],
    speed: tuple[float, float] = (0, 0),
    *,
    names: Sequence[int] = (0,),
    each_s: float = 0.2,
    since: float = 0.0,
    until: float = 99.0,
    hidden: tuple[float, float] = (-1, -1),
    score: float = 0.8,
) -> MovingObject:
    """Return an object that moves in a line, labelled `names` in turn for `each_s`, not visible while `hidden`."""

    def seen(time_s: float) -> Box | None:
        if not since <= time_s <= until or hidden[0] <= time_s <= hidden[1]:
            return None
        went = time_s - since
        name = names[int(went / each_s + 1e-6) % len(names)]
        return (at[0] + speed[0] * went, at[1] + speed[1] * went, *size, name, score)

    return seen


def tracks_of(
    objects: Sequence[MovingObject], fps: float, seconds: float = 6, cut_s: float = 99.0
) -> dict[int, list[int]]:
    """Return for each track with two boxes or more which objects its boxes show."""
    rng = np.random.default_rng(7)
    tracker = Tracker()
    owners: dict[int, list[int]] = defaultdict(list)
    for index in range(int(seconds * fps)):
        time_s = index / fps
        rows = []
        for number, one in enumerate(objects):
            box = one(time_s)
            if box is None:
                continue
            x, y, width, height, name, score = box
            edges = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
            edges += rng.normal(0, JITTER, 4) * np.array([width, height, width, height])
            edges = np.clip(edges, 0, [*PICTURE, *PICTURE])
            if min(edges[2:] - edges[:2]) > 4:
                rows.append((score, *edges, name, number))
        rows.sort(key=lambda row: -row[0])
        found = boxes(rows)
        for row, track in zip(rows, tracker.update(found, time_s, (index - 1) / fps < cut_s <= time_s), strict=True):
            owners[int(track)].append(row[6])
    return {track: found for track, found in owners.items() if len(found) > 1}


def boxes(rows: Sequence[tuple]) -> Detections:
    return Detections(
        np.array([row[1:5] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[0] for row in rows], np.float32),
        np.array([row[5] for row in rows], np.int64),
    )


CAR, MAN, BICYCLE = (120, 70), (60, 150), (120, 90)

SCENES: dict[str, tuple[list[MovingObject], int]] = {
    "stands still": ([moving((300, 300), CAR)], 1),
    "walks": ([moving((0, 300), MAN, (150, 0))], 1),
    "drives three lengths per second": ([moving((0, 300), CAR, (360, 0), until=3.5)], 1),
    "drives five lengths per second": ([moving((0, 300), CAR, (600, 0), until=2.2)], 1),
    "small and fast": ([moving((100, 300), (20, 20), (100, 0))], 1),
    "comes nearer": ([lambda t: (640.0, 360.0, 40 * 1.35**t, 40 * 1.35**t, 0, 0.8)], 1),
    "goes behind something for half a second": ([moving((0, 300), CAR, (150, 0), hidden=(2, 2.5))], 1),
    "goes behind something for a second": ([moving((0, 300), MAN, (150, 0), hidden=(2, 3))], 1),
    "goes behind something for two seconds": ([moving((0, 300), CAR, (150, 0), hidden=(2, 4))], 1),
    "something comes in front for two seconds": ([moving((300, 300), CAR, hidden=(2, 4))], 1),
    "has three labels in turn": ([moving((300, 300), CAR, names=(0, 1, 2))], 1),
    "has three labels in turn and drives": ([moving((0, 300), CAR, (180, 0), names=(0, 1, 0, 2))], 1),
    "has three labels in turn and drives fast": ([moving((0, 300), CAR, (360, 0), names=(0, 1, 0, 2), until=3.5)], 1),
    "has two names in the same frame": (
        [moving((100, 300), CAR, (100, 0), score=0.7), moving((100, 300), (121, 71), (100, 0), names=(1,), score=0.6)],
        1,
    ),
    "is weak by turns": ([lambda t: (100 + 80 * t, 300.0, 120, 70, 0, 0.8 if int(t * 3) % 2 else 0.3)], 1),
    "five cars in a row": ([moving((100 + 130 * i, 300), CAR) for i in range(5)], 5),
    "five cars in a row with names by turns": (
        [moving((100 + 130 * i, 300), CAR, names=(i % 3, 0, 1)) for i in range(5)], 5,
    ),
    "two pass each other": ([moving((200, 300), MAN, (150, 0)), moving((1080, 310), MAN, (-150, 0))], 2),
    "two pass each other and are one for a moment": (
        [moving((200, 300), MAN, (150, 0)), moving((1080, 310), MAN, (-150, 0), hidden=(2.75, 3.15))], 2,
    ),
    "a man passes a car": ([moving((200, 300), MAN, (150, 0)), moving((1080, 310), CAR, (-150, 0), names=(1,))], 2),
    "a man on a bicycle": (
        [moving((0, 300), (70, 160), (150, 0)), moving((0, 360), BICYCLE, (150, 0), names=(1,))], 2,
    ),
    "a motorcycle from the front": (
        [moving((300, 280), (80, 160), (20, 0)), moving((300, 310), (75, 120), (20, 0), names=(1,))], 2,
    ),
    "a man with a suitcase": (
        [moving((0, 300), (70, 160), (150, 0)), moving((30, 340), (40, 50), (150, 0), names=(1,))], 2,
    ),
    "another object in its place two seconds later": (
        [moving((300, 300), CAR, until=2), moving((300, 300), (100, 90), names=(1,), since=4)], 2,
    ),
    "the next one on the same way": (
        [moving((0, 300), CAR, (400, 0), until=3), moving((0, 300), CAR, (400, 0), since=1.5, until=4.5)], 2,
    ),
    "one leaves and another one comes": (
        [moving((700, 300), CAR, (300, 0), until=2.3), moving((1300, 300), CAR, (-300, 0), since=3)], 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("scene", SCENES)
def test_every_thing_has_one_track_at_every_rate(scene, fps):
    objects, count = SCENES[scene]
    tracks = tracks_of(objects, fps)
    assert len(tracks) == count
    # an object and its second label are one here, all others are kept apart
    if count == len(objects):
        assert all(len(set(owners)) == 1 for owners in tracks.values()), tracks


@pytest.mark.parametrize("fps", RATES)
def test_a_bicycle_that_is_found_in_half_of_the_frames_does_not_take_its_rider(fps):
    rider = moving((0, 300), (70, 160), (150, 0))
    bicycle = moving((0, 360), BICYCLE, (150, 0), names=(1,))
    tracks = tracks_of([rider, lambda t: bicycle(t) if int(t * 5 + 0.01) % 2 == 0 else None], fps)
    assert sorted(set(owners).pop() for owners in tracks.values() if len(set(owners)) == 1) == [0, 1]


@pytest.mark.parametrize("fps", RATES)
def test_no_track_goes_over_a_cut(fps):
    assert len(tracks_of([moving((300, 300), CAR)], fps, cut_s=3.0)) == 2


def test_a_thing_out_of_sight_for_longer_is_another_one():
    assert len(tracks_of([moving((300, 300), CAR, hidden=(2, 6))], 5, seconds=8)) == 2


def test_sightings_far_apart_are_no_track():
    ghosts: tuple[list[tuple[float, ...]], ...] = [(0.9, 100, 100, 160, 160, 0)], [], [(0.9, 700, 400, 760, 460, 0)]
    tracker = Tracker()
    numbers = [tracker.update(boxes(rows), time_s).tolist() for rows, time_s in zip(ghosts, (0, 0.2, 0.4), strict=True)]
    assert numbers == [[1], [], [2]]


def test_half_a_car_behind_a_fence_is_no_second_car():
    whole, half = (0.6, 324, 100, 444, 170, 0), (0.5, 330, 114, 430, 168, 0)
    tracker = Tracker()
    assert tracker.update(boxes([whole]), 0.0).tolist() == [1]
    assert tracker.update(boxes([whole, half]), 0.2).tolist() == [1, 1]
    assert tracker.update(boxes([half]), 0.4).tolist() == [1]


def test_a_car_that_comes_out_whole_is_no_second_car():
    half, whole = (0.5, 366, 16, 524, 268, 0), (0.6, 366, 5, 636, 267, 0)
    tracker = Tracker()
    assert tracker.update(boxes([half]), 0.0).tolist() == [1]
    assert tracker.update(boxes([whole, half]), 0.2).tolist() == [1, 1]
    assert tracker.update(boxes([whole]), 0.4).tolist() == [1]


def test_nothing_is_nothing():
    tracker = Tracker()
    assert [tracker.update(Detections.empty(), time_s).tolist() for time_s in (0.0, 0.2)] == [[], []]


def test_boxes_without_area_do_no_harm():
    tracker = Tracker()
    flat = [(0.9, 5, 5, 5, 5, 0), (0.8, 5, 5, 5, 90, 1)]
    assert len(tracker.update(boxes(flat), 0.0)) == len(tracker.update(boxes(flat), 0.2)) == 2


def test_the_same_boxes_give_the_same_numbers():
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(40):
        corners = rng.uniform(0, 900, (12, 2))
        rows = [
            (score, x, y, x + 100, y + 80, int(x) % 3)
            for (x, y), score in zip(corners, rng.uniform(0.1, 1, 12), strict=True)
        ]
        frames.append(boxes(sorted(rows, reverse=True)))

    def follow() -> bytes:
        tracker = Tracker()
        return pickle.dumps([tracker.update(found, index / 5).tolist() for index, found in enumerate(frames)])

    assert follow() == follow()
