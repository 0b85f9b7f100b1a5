"""Warps: exact where nothing is distorted, within a pixel where it is, and corners that make no rectangle."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from shared_utils.media.picture import Picture
from shared_utils.media.warp import MAX_SIDE_PX, Warp, clockwise, rectangle_size, warp

SIZE = (1280, 720)
NOISE = np.random.default_rng(3).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
SEEN_FROM_THE_SIDE = [(0.21, 0.18), (0.68, 0.27), (0.71, 0.74), (0.18, 0.86)]
WHOLE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
PEGS = [(8, 8), (150, 12), (291, 9), (10, 90), (148, 80), (290, 92)]
"""Middles of dots on a display of 300×100 pixels."""


def display() -> Picture:
    """Return a display of 300×100 with dots on it, at four times its size."""
    picture = np.full((400, 1200, 3), 230, np.uint8)
    for x, y in PEGS:
        cv2.circle(picture, (4 * x + 2, 4 * y + 2), 16, (20, 20, 20), cv2.FILLED)
    return picture


def shown(corners: list[tuple[float, float]], size: tuple[int, int] = SIZE) -> Picture:
    """Return a picture of the display as a camera sees it, with its outer corners at `corners`.

    Drawn at four times the size and shrunk, by coordinates of edges, not of middles of pixels, independently of warp().
    """
    large = 4 * size[0], 4 * size[1]
    edges = np.array([(0, 0), (1200, 0), (1200, 400), (0, 400)], np.float32)
    target = np.array(corners, np.float32) * np.array(large, np.float32)
    to_middles, from_middles = np.eye(3), np.eye(3)
    to_middles[:2, 2], from_middles[:2, 2] = -0.5, 0.5
    matrix = to_middles @ cv2.getPerspectiveTransform(edges, target) @ from_middles
    seen = cv2.warpPerspective(display(), matrix, large, flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), np.uint8)


def middles_of_dots(picture: Picture) -> list[tuple[float, float]]:
    """Return where dark dots on a light ground have their middles, in pixels from the outer edge, by rows."""
    dark = (picture.min(axis=2) < 125).astype(np.uint8)
    _, _, stats, middles = cv2.connectedComponentsWithStats(dark)
    # edges of the display may be dark, too, where it ends within a pixel
    height, width = dark.shape
    dots = [
        (x + 0.5, y + 0.5)
        for (x, y), (left, top, across, down, _) in zip(middles[1:], stats[1:], strict=True)
        if left > 0 and top > 0 and left + across < width and top + down < height
    ]
    return sorted(dots, key=lambda dot: (dot[1] > height / 2, dot[0]))


@pytest.mark.parametrize("area", [(0, 0, 1280, 720), (320, 180, 960, 540), (1, 1, 2, 3), (1276, 700, 1280, 720)])
def test_an_upright_rectangle_is_cut_out_to_the_byte(area):
    left, top, right, bottom = area
    corners = [(x / 1280, y / 720) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
    assert (warp(NOISE, corners) == NOISE[top:bottom, left:right]).all()
    assert (warp(NOISE[..., 0], corners) == NOISE[top:bottom, left:right, 0]).all()


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_corners_that_begin_elsewhere_turn_it(quarters):
    turned = warp(NOISE, WHOLE[quarters:] + WHOLE[:quarters])
    assert (turned == np.rot90(NOISE, quarters)).all()


@pytest.mark.parametrize(
    "corners",
    [
        SEEN_FROM_THE_SIDE,
        [(0.3, 0.3), (0.55, 0.25), (0.6, 0.45), (0.33, 0.5)],
        [(0.02, 0.05), (0.98, 0.3), (0.97, 0.6), (0.03, 0.97)],
        [(0.7, 0.2), (0.75, 0.8), (0.55, 0.85), (0.5, 0.15)],  # turned by a quarter
    ],
)
def test_a_drawn_quad_becomes_its_rectangle_within_a_pixel(corners):
    flat = warp(shown(corners), corners, (300, 100))
    assert flat.shape == (100, 300, 3)
    found = middles_of_dots(flat)
    assert len(found) == len(PEGS)
    for (x, y), peg in zip(found, PEGS, strict=True):
        assert np.hypot(x - peg[0] - 0.5, y - peg[1] - 0.5) < 1
    # up to the edges it is the display, and nothing beside it
    assert flat[3:-3, 3:-3].max() > 220
    assert (flat[3:-3, [2, -3]].min(axis=(1, 2)) > 200).all()
    assert (flat[[2, -3], 3:-3].min(axis=(1, 2)) > 200).all()


def test_points_of_the_rectangle_are_found_in_the_picture():
    prepared = Warp(SEEN_FROM_THE_SIDE, SIZE, (300, 100))
    back = prepared.to_picture([(0, 0), (300, 0), (300, 100), (0, 100)])
    assert np.abs(back - np.array(SEEN_FROM_THE_SIDE) * SIZE).max() < 0.01
    dots = middles_of_dots(shown(SEEN_FROM_THE_SIDE))
    for peg, place in zip(PEGS, prepared.to_picture([(x + 0.5, y + 0.5) for x, y in PEGS]), strict=True):
        assert min(np.hypot(*(place - dot)) for dot in dots) < 1, peg


def test_the_size_is_that_of_the_longer_sides():
    assert rectangle_size([(0.1, 0.1), (0.6, 0.1), (0.5, 0.9), (0.1, 0.5)], (1000, 500)) == (500, 412)
    assert rectangle_size(WHOLE, SIZE) == SIZE
    assert rectangle_size([(0, 0), (1e-4, 0), (1e-4, 1e-4), (0, 1e-4)], SIZE) == (1, 1)
    assert rectangle_size([(-1, -1), (2, -1), (2, 2), (-1, 2)], (20000, 200)) == (MAX_SIDE_PX, 600)
    assert Warp(WHOLE, SIZE).size == SIZE
    assert Warp(WHOLE, SIZE, (100, 30)).apply(NOISE).shape == (30, 100, 3)


def test_beyond_the_picture_its_edge_is_repeated():
    corners = [(-0.1, 0.0), (1.0, 0.0), (1.0, 1.0), (-0.1, 1.0)]
    flat = warp(NOISE, corners)
    assert flat.shape == (720, 1408, 3)
    assert (flat[:, :128] == NOISE[:, :1]).all()
    assert (flat[:, 128:] == NOISE).all()


@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        (WHOLE[:3], "four corners"),
        ([*WHOLE, (0.5, 0.5)], "four corners"),
        ([(0, 0, 0)] * 4, "four corners"),
        ([(0, 0), (1, 0), (float("nan"), 1), (0, 1)], "no number"),
        ([(0, 0), (1, 0), (float("inf"), 1), (0, 1)], "far outside"),
        ([(0, 0), (3, 0), (3, 1), (0, 1)], "far outside"),
        (WHOLE[::-1], "clockwise"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "convex"),  # crossed sides
        ([(0, 0), (1, 0), (0.2, 0.2), (0, 1)], "convex"),  # a dent
        ([(0, 0), (0.5, 0), (1, 0), (0, 1)], "convex"),  # three on a line
        ([(0.5, 0.5)] * 4, "convex"),
    ],
)
def test_corners_that_make_no_rectangle_are_refused(corners, reason):
    with pytest.raises(ValueError, match=reason):
        warp(NOISE, corners)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="640×360 where"):
        Warp(WHOLE, SIZE).apply(NOISE[:360, :640])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_corners_in_any_order_are_put_into_order(order):
    assert clockwise([SEEN_FROM_THE_SIDE[number] for number in order]) == SEEN_FROM_THE_SIDE


def test_points_that_have_no_order_are_refused():
    with pytest.raises(ValueError, match="convex"):
        clockwise([(0, 0), (1, 0), (0.2, 0.2), (0, 1)])
