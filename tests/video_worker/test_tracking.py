import numpy as np
import pytest

from video_worker.postprocess import Detections
from video_worker.tracking import NO_TRACK, Tracker


def boxes(*found: tuple[float, int, float]) -> Detections:
    """Return boxes of 100×100 given as left edge, class, score."""
    return Detections(
        np.array([[x, 100, x + 100, 200] for x, _, _ in found], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in found], np.float32),
        np.array([number for _, number, _ in found], np.int64),
    )


def follow(frames: list[Detections], step_s: float = 0.2) -> list[list[int]]:
    tracker = Tracker(0.5)
    return [tracker.update(found, index * step_s).tolist() for index, found in enumerate(frames)]


@pytest.mark.parametrize("speed", [0, 10, 40, 70])
def test_one_object_is_one_track_also_when_it_moves_most_of_its_length(speed):
    assert follow([boxes((speed * i, 0, 0.9)) for i in range(10)]) == [[1]] * 10


def test_two_objects_and_two_classes_are_kept_apart():
    frames = [boxes((10 * i, 0, 0.9), (600, 0, 0.8), (10 * i, 1, 0.7)) for i in range(6)]
    assert follow(frames) == [follow(frames)[0]] * 6
    assert sorted(follow(frames)[0]) == [1, 2, 3]


def test_a_weak_box_continues_an_object_but_begins_none():
    assert follow([boxes((0, 0, 0.2)), boxes((0, 0, 0.9)), boxes((5, 0, 0.2)), boxes((10, 0, 0.9))]) == [
        [NO_TRACK],
        [1],
        [1],
        [1],
    ]


def test_an_object_may_be_out_of_sight_for_a_while():
    assert follow([boxes((0, 0, 0.9)), boxes((0, 0, 0.9)), *[boxes()] * 5, boxes((0, 0, 0.9))])[-1] == [1]
    assert follow([boxes((0, 0, 0.9)), boxes((0, 0, 0.9)), *[boxes()] * 30, boxes((0, 0, 0.9))])[-1] == [2]


def test_nothing_is_nothing():
    assert follow([boxes(), boxes()]) == [[], []]


def test_the_same_boxes_give_the_same_numbers():
    rng = np.random.default_rng(3)
    frames = [boxes(*((x, int(x) % 3, 0.6) for x in rng.uniform(0, 900, 12))) for _ in range(40)]
    assert follow(frames) == follow(frames)
