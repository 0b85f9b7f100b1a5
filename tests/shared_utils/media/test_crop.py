"""Crops: which pixels, with margins, at the picture's edges, and of boxes that are none."""

from __future__ import annotations

import numpy as np
import pytest

from shared_utils.media.crop import crop, crop_area, crop_square, square_area

SIZE = (640, 360)
ROWS, COLUMNS = np.mgrid[0:360, 0:640]
PICTURE = np.dstack([ROWS // 2, COLUMNS // 4, ROWS * 0]).astype(np.uint8)
NAN, INF = float("nan"), float("inf")


def test_a_crop_is_the_boxs_pixels_and_no_copy():
    found = crop(PICTURE, (100, 50, 300, 150))
    assert np.shares_memory(found, PICTURE)
    assert (found == PICTURE[50:150, 100:300]).all()
    assert found.shape == (100, 200, 3)


@pytest.mark.parametrize(
    ("box", "margin", "area"),
    [
        ((100, 50, 300, 150), 0.0, (100, 50, 300, 150)),
        ((100.4, 50.6, 299.6, 150.4), 0.0, (100, 51, 300, 150)),
        ((100, 50, 300, 150), 0.1, (80, 30, 320, 170)),  # a tenth of the longer side, all around
        ((300, 150, 100, 50), 0.1, (80, 30, 320, 170)),  # corners in the other order
        ((0, 0, 20, 10), 0.5, (0, 0, 30, 20)),
        ((620, 350, 640, 360), 0.5, (610, 340, 640, 360)),
        ((-1e9, -1e9, 1e9, 1e9), 3.0, (0, 0, 640, 360)),
        ((200, 100, 200, 100), 0.0, (200, 100, 201, 101)),  # empty
        ((640, 360, 640, 360), 0.0, (639, 359, 640, 360)),
        ((-5, -5, 0, 0), 0.0, (0, 0, 1, 1)),
    ],
)
def test_areas(box, margin, area):
    assert crop_area(box, SIZE, margin) == area


@pytest.mark.parametrize(
    ("box", "margin", "min_side_px", "area"),
    [
        ((100, 100, 200, 150), 0.25, 1, (75, 50, 225, 200)),
        ((0, 0, 10, 10), 0.25, 48, (0, 0, 48, 48)),  # moved, not cut
        ((630, 350, 640, 360), 0.25, 48, (592, 312, 640, 360)),
        ((0, 0, 640, 360), 0.25, 48, (0, 0, 640, 360)),  # wider than the picture is high: cut
        ((100, 0, 400, 360), 0.25, 48, (70, 0, 430, 360)),  # no room for the margin
        ((200, 100, 200, 100), 0.0, 1, (200, 100, 201, 101)),
    ],
)
def test_square_areas(box, margin, min_side_px, area):
    assert square_area(box, SIZE, margin, min_side_px) == area
    assert crop_square(PICTURE, box, margin, min_side_px).shape == (area[3] - area[1], area[2] - area[0], 3)


@pytest.mark.parametrize("box", [(-20, 0, -1, 10), (641, 0, 700, 10), (0, -9, 10, -1), (0, 361, 9, 400)])
@pytest.mark.parametrize("make", [crop_area, square_area])
def test_a_box_outside_the_picture_is_refused(make, box):
    with pytest.raises(ValueError, match="outside the picture of 640×360"):
        make(box, SIZE)


@pytest.mark.parametrize("box", [(NAN, 0, 10, 10), (0, 0, 10, INF), (0, -INF, 10, 10)])
@pytest.mark.parametrize("make", [crop_area, square_area])
def test_a_box_that_is_not_finite_is_refused(make, box):
    with pytest.raises(ValueError, match="not finite"):
        make(box, SIZE)


def test_areas_lie_within_the_picture_whatever_the_box():
    rng = np.random.default_rng(1)
    for box in rng.uniform(-100, 700, (500, 4)):
        for make in (crop_area, square_area):
            try:
                left, top, right, bottom = make(box, SIZE, float(rng.uniform(0, 2)))
            except ValueError:
                continue
            assert 0 <= left < right <= 640
            assert 0 <= top < bottom <= 360
