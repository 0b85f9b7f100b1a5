"""The drawn scene: deterministic, on schedule, and its truth matches its pixels."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from camera_emulator.scene import FIRST_QUIET_S, LABELS, QUIET_S, VISIT_S, Scene, Truth
from shared_utils.errors import SettingError

SIZE = (640, 360)


def _middle(scene: Scene, index: int) -> float:
    visit = scene.visit(index)
    return (visit.start_s + visit.end_s) / 2


def _area(found: Truth) -> float:
    x0, y0, x1, y1 = found.xyxy
    return (x1 - x0) * (y1 - y0)


def _changed(scene: Scene, t: float) -> np.ndarray:
    """Where the picture differs from the empty street (height, width), shadows included."""
    return cv2.absdiff(scene.frame(t), scene.frame(0.0)).max(axis=2) > 12


def test_same_seed_and_time_give_the_same_picture_in_any_order() -> None:
    one, other = Scene(3, SIZE), Scene(3, SIZE)
    times = [_middle(one, index) for index in range(4)]
    pictures = [one.frame(t) for t in times]
    for t, picture in reversed(list(zip(times, pictures, strict=True))):
        assert np.array_equal(other.frame(t), picture)
        assert other.truth(t) == one.truth(t)


def test_seeds_differ() -> None:
    assert not np.array_equal(Scene(1, SIZE).frame(0.0), Scene(2, SIZE).frame(0.0))
    assert [Scene(1, SIZE).visit(i) for i in range(3)] != [Scene(2, SIZE).visit(i) for i in range(3)]


@pytest.mark.parametrize("seed", range(6))
def test_schedule(seed: int) -> None:
    scene = Scene(seed, (320, 180))
    visits = [scene.visit(index) for index in range(25)]
    assert FIRST_QUIET_S[0] <= visits[0].start_s <= FIRST_QUIET_S[1]
    assert "person" in visits[0].labels
    for visit in visits:
        assert VISIT_S[0] <= visit.end_s - visit.start_s <= VISIT_S[1]
    for before, after in itertools.pairwise(visits):
        assert QUIET_S[0] <= after.start_s - before.end_s <= QUIET_S[1]
        for t in np.linspace(before.end_s + 0.01, after.start_s - 0.01, 5):
            assert scene.truth(float(t)) == []


def test_every_label_of_a_visit_is_in_its_truth_and_no_other() -> None:
    scene = Scene(5, SIZE)
    seen_ever: set[str] = set()
    for index in range(40):
        visit = scene.visit(index)
        seen = {found.label for t in np.arange(visit.start_s, visit.end_s, 0.2) for found in scene.truth(float(t))}
        assert seen == visit.labels
        seen_ever |= seen
    assert seen_ever == set(LABELS)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_fit_what_changed_in_the_picture(seed: int) -> None:
    scene = Scene(seed, SIZE, noise=0.0)
    for index in range(6):
        t = _middle(scene, index)
        if len({len(scene.truth(t + dt)) for dt in (-0.6, 0.0, 0.6)}) > 1:
            continue  # somebody peeps in at the edge, too little of them to be in the truth
        changed = _changed(scene, t)
        outside = changed.copy()
        for found in scene.truth(t):
            x0, y0, x1, y1 = found.xyxy
            box = np.s_[max(0, int(y0) - 2) : int(y1) + 3, max(0, int(x0) - 2) : int(x1) + 3]  # and soft edges
            assert changed[box].mean() > 0.15, found  # of a bicycle not much more than the lines is there
            outside[box] = False
            # A shadow lies under the figure, a little below its feet.
            outside[int(y1) : int(y1) + round(0.06 * SIZE[1]), max(0, int(x0) - 2) : int(x1) + 3] = False
        assert outside.sum() == 0


def test_a_lone_figure_fills_its_box_to_the_edges() -> None:
    checked = 0
    for seed in range(30):
        scene = Scene(seed, SIZE, noise=0.0)
        t = _middle(scene, 1)
        truth = scene.truth(t)
        if len(truth) != 1:
            continue
        x0, y0, x1, _ = truth[0].xyxy
        rows, columns = np.nonzero(_changed(scene, t))
        assert rows.min() == pytest.approx(y0, abs=3)
        assert columns.min() == pytest.approx(x0, abs=3)
        assert columns.max() == pytest.approx(x1, abs=3)
        checked += 1
    assert checked >= 5


def test_boxes_stay_in_the_picture_and_are_big_enough_to_trigger_motion() -> None:
    width, height = SIZE
    for seed in range(5):
        scene = Scene(seed, SIZE, noise=0.0)
        for index in range(8):
            for found in scene.truth(_middle(scene, index)):
                x0, y0, x1, y1 = found.xyxy
                assert 0 <= x0 < x1 <= width
                assert 0 <= y0 < y1 <= height
                if x0 > 0 and x1 < width:
                    assert _area(found) >= 0.01 * width * height, found


def test_noise_changes_from_frame_to_frame_but_stays_small() -> None:
    scene = Scene(0, SIZE)
    first, second = scene.frame(0.0).astype(int), scene.frame(1.0).astype(int)
    clean = Scene(0, SIZE, noise=0.0).frame(0.0).astype(int)
    assert np.any(first != second)
    assert 1.0 < (first - clean).std() < 3.0
    assert abs((first - clean).mean()) < 0.2


@pytest.mark.parametrize("size", [(641, 360), (640, 361), (100, 100), (640, 4000)])
def test_bad_size(size: tuple[int, int]) -> None:
    with pytest.raises(SettingError, match="must be even numbers"):
        Scene(0, size)


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1920, 1080)])
def test_other_sizes(size: tuple[int, int]) -> None:
    scene = Scene(0, size)
    picture = scene.frame(_middle(scene, 0))
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8
