"""The geometry of zones, against properties that hold for any shape, from a seed."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from video_worker.zones.geometry import (
    LEFT,
    RIGHT,
    anchors,
    crossings,
    distance_to_line,
    distance_to_polygon,
    in_polygon,
    outline_shares,
    sides,
    touches_polygon,
)

SQUARE = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
CONCAVE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.25), (0.0, 1.0)]
"""A square with a wedge cut into it from below, up to (0.5, 0.25)."""
UPWARDS = [(0.5, 1.0), (0.5, 0.0)]


def star(rng: np.random.Generator) -> np.ndarray:
    """Return a polygon whose corners go once around its middle: concave as a rule, and its edges do not cross."""
    count = int(rng.integers(3, 12))
    angles = np.sort((np.arange(count) + rng.uniform(0.05, 0.95, count)) * 2 * np.pi / count)
    radii = rng.uniform(0.1, 0.5, count)
    return 0.5 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def in_star(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return which points lie in one of the triangles between the middle and each edge."""
    found = np.zeros(len(points), bool)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        corners = [np.array([0.5, 0.5]), start, end]
        turns = []
        for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
            step, way = b - a, points - a
            turns.append(step[0] * way[:, 1] - step[1] * way[:, 0])
        found |= np.all(np.array(turns) >= 0, axis=0)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_points_are_in_a_polygon_of_any_shape(seed):
    rng = np.random.default_rng(seed)
    polygon, points = star(rng), rng.uniform(0, 1, (500, 2))
    expected = in_star(points, polygon)
    assert 0 < expected.sum() < 500
    assert (in_polygon(points, polygon) == expected).all()
    # from any corner on, and either way round
    assert (in_polygon(points, np.roll(polygon, 2, axis=0)) == expected).all()
    assert (in_polygon(points, polygon[::-1]) == expected).all()


@pytest.mark.parametrize("seed", range(10))
def test_the_outline_belongs_to_the_polygon(seed):
    rng = np.random.default_rng(seed)
    polygon = star(rng)
    ends = np.roll(polygon, -1, axis=0)
    shares = rng.uniform(0, 1, (20, len(polygon), 1))
    on_edges = (polygon + shares * (ends - polygon)).reshape(-1, 2)
    assert in_polygon(np.concatenate([polygon, on_edges]), polygon).all()
    assert (distance_to_polygon(on_edges, polygon) < 1e-12).all()


def test_a_wedge_that_is_cut_out_is_outside():
    points = [(0.5, 0.2), (0.5, 0.25), (0.5, 0.3), (0.5, 0.9), (0.1, 0.8), (0.9, 0.8), (0.0, 1.0), (1.1, 0.5)]
    assert in_polygon(points, CONCAVE).tolist() == [True, True, False, False, True, True, True, False]


def test_distances_are_those_of_the_nearest_edge():
    assert distance_to_polygon([(0.5, 0.5), (0.5, 0.9), (0.9, 0.9), (0.8, 0.5)], SQUARE) == pytest.approx(
        [0.3, 0.1, math.hypot(0.1, 0.1), 0.0]
    )
    # a line ends at its ends
    assert distance_to_line([(0.5, 0.5), (0.7, 0.5), (0.5, -0.3)], UPWARDS) == pytest.approx([0.0, 0.2, 0.3])


def test_left_and_right_are_those_of_somebody_who_walks_along_the_line():
    assert sides([(0.1, 0.5), (0.9, 0.5), (0.5, 0.5)], UPWARDS).tolist() == [LEFT, RIGHT, RIGHT]
    assert sides([(0.1, 0.5), (0.9, 0.5)], UPWARDS[::-1]).tolist() == [RIGHT, LEFT]
    # the tape of worker-zone.mp4: the person ends to the left of it
    assert sides([(0.255, 0.78), (0.6, 0.99)], [(0.23, 0.98), (0.50, 0.48)]).tolist() == [LEFT, RIGHT]


@pytest.mark.parametrize(
    ("before", "after", "crossed"),
    [
        ((0.4, 0.5), (0.6, 0.5), RIGHT),
        ((0.6, 0.5), (0.4, 0.5), LEFT),
        ((0.4, 0.5), (0.45, 0.5), 0),
        # through an end of the line, and just past it
        ((0.4, 0.0), (0.6, 0.0), RIGHT),
        ((0.6, 1.0), (0.4, 1.0), LEFT),
        ((0.4, -0.01), (0.6, -0.01), 0),
        ((0.4, 1.01), (0.6, 1.01), 0),
        # along the line, and not at all
        ((0.5, 0.2), (0.5, 0.8), 0),
        ((0.4, 0.5), (0.4, 0.5), 0),
    ],
)
def test_crossings_of_a_line(before, after, crossed):
    [sign], [share] = crossings(before, after, UPWARDS)
    assert sign == crossed
    assert not crossed or share == pytest.approx(0.5)


def test_touching_the_line_from_either_side_and_going_back_adds_up_to_nothing():
    for away in (0.4, 0.6):
        there, back = crossings((away, 0.5), (0.5, 0.5), UPWARDS), crossings((0.5, 0.5), (away, 0.5), UPWARDS)
        assert there[0] + back[0] == 0


@pytest.mark.parametrize("stops", [[0.5], [0.5, 0.5], [0.45, 0.5, 0.55], [0.5, 0.5, 0.5, 0.7]])
def test_a_path_that_rests_on_the_line_crosses_it_once(stops):
    path = [(x, 0.3 + 0.05 * number) for number, x in enumerate([0.2, *stops, 0.8])]
    signs, _ = crossings(path[:-1], path[1:], UPWARDS)
    assert signs.sum() == RIGHT
    assert np.count_nonzero(signs) == 1
    signs, _ = crossings(path[:0:-1], path[-2::-1], UPWARDS)
    assert (signs.sum(), np.count_nonzero(signs)) == (LEFT, 1)


@pytest.mark.parametrize("seed", range(30))
def test_crossings_of_a_path_add_up_to_the_sides_of_its_ends(seed):
    """A line that goes on beyond the picture is crossed as often as the sides of the ends of a path require."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=2)
    line = np.array([0.5 - 100 * direction, 0.5 + 100 * direction])
    path = np.round(rng.uniform(0, 1, (50, 2)), 1)
    signs, shares = crossings(path[:-1], path[1:], line)
    first, last = sides(path[[0, -1]], line)
    assert signs.sum() == (last - first) // 2
    assert (shares >= 0).all()
    assert (shares <= 1).all()


@pytest.mark.parametrize("seed", range(30))
def test_a_closed_path_leaves_a_polygon_as_often_as_it_enters(seed):
    rng = np.random.default_rng(seed)
    polygon, path = star(rng), rng.uniform(0, 1, (40, 2))
    inside = in_polygon(path, polygon)
    for number, (before, after) in enumerate(pairwise(path)):
        met = outline_shares(before, after, polygon)
        assert met == sorted(met)
        assert len(met) % 2 == (inside[number] != inside[number + 1])


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1920.0, 1080.0), (0.5, 3.0)])
def test_sides_and_crossings_are_the_same_in_any_unit(scale):
    rng = np.random.default_rng(7)
    path, line = rng.uniform(0, 1, (200, 2)), rng.uniform(0, 1, (2, 2))
    signs, shares = crossings(path[:-1], path[1:], line)
    scaled = crossings(path[:-1] * scale, path[1:] * scale, line * scale)
    assert (signs == scaled[0]).all()
    assert np.count_nonzero(signs) > 10
    assert shares[signs != 0] == pytest.approx(scaled[1][signs != 0])


def test_anchors_of_a_box():
    box = (0.2, 0.4, 0.6, 1.0)
    assert anchors(box, "bottom").tolist() == [[[0.4, 1.0]]]
    assert anchors(box, "centre")[0, 0] == pytest.approx((0.4, 0.7))
    found = anchors([box, box], "any")
    assert found.shape == (2, 9, 2)
    assert {tuple(point) for point in found[0].round(9).tolist()} >= {(0.2, 0.4), (0.6, 0.4), (0.2, 1.0), (0.6, 1.0)}


@pytest.mark.parametrize(
    ("box", "touches"),
    [
        ((0.3, 0.3, 0.4, 0.4), True),  # within
        ((0.0, 0.0, 1.0, 1.0), True),  # around
        ((0.7, 0.0, 0.75, 1.0), True),  # across, with no corner in either
        ((0.8, 0.8, 0.9, 0.9), True),  # a corner in common
        ((0.81, 0.0, 1.0, 1.0), False),
        ((0.0, 0.0, 1.0, 0.19), False),
    ],
)
def test_boxes_that_touch_a_polygon(box, touches):
    assert touches_polygon(box, SQUARE).tolist() == [touches]


def test_a_box_in_a_wedge_that_is_cut_out_touches_nothing():
    assert touches_polygon([(0.45, 0.6, 0.55, 0.9), (0.45, 0.3, 0.55, 0.9)], CONCAVE).tolist() == [False, True]


@pytest.mark.parametrize("seed", range(20))
def test_boxes_touch_a_polygon_where_they_have_points_in_common(seed):
    rng = np.random.default_rng(seed)
    polygon = star(rng)
    low = rng.uniform(0, 0.9, (60, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.02, 0.3, (60, 2))], axis=1)
    steps = np.linspace(0, 1, 60)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    for box, found in zip(boxes, touches_polygon(boxes, polygon), strict=True):
        common = in_polygon(box[:2] + grid * (box[2:] - box[:2]), polygon).any()
        # a grid may miss a corner that just reaches in, and no more than that
        assert found or not common
        shrunk = np.array([*(box[:2] + 0.01), *(box[2:] - 0.01)])
        assert common or not touches_polygon(shrunk, polygon)[0]
