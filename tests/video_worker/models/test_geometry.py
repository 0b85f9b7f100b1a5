import numpy as np
import pytest

from video_worker.models.geometry import Letterbox


@pytest.mark.parametrize(
    ("source_wh", "imgsz", "scaled_wh", "padded_wh", "left", "top"),
    [
        ((1920, 1080), 640, (640, 360), (640, 384), 0, 12),
        ((768, 432), 640, (640, 360), (640, 384), 0, 12),
        ((640, 272), 640, (640, 272), (640, 288), 0, 8),
        ((810, 1080), 640, (480, 640), (480, 640), 0, 0),
        ((320, 240), 640, (640, 480), (640, 480), 0, 0),  # small pictures are scaled up
        ((1921, 1081), 640, (640, 360), (640, 384), 0, 12),
        ((1280, 718), 640, (640, 359), (640, 384), 0, 12),  # of 25 spare rows 12 go above
        ((5000, 1), 640, (640, 1), (640, 32), 0, 15),
        ((100, 100), 650, (672, 672), (672, 672), 0, 0),  # rounded up to a multiple of the stride
    ],
)
def test_the_longest_side_is_imgsz_and_padding_goes_to_the_stride_only(
    source_wh, imgsz, scaled_wh, padded_wh, left, top
):
    fit = Letterbox.fit(source_wh, imgsz, 32)
    assert (fit.scaled_wh, fit.padded_wh, fit.left, fit.top) == (scaled_wh, padded_wh, left, top)
    above, below, before, behind = fit.margins
    assert above + below + scaled_wh[1] == padded_wh[1]
    assert before + behind + scaled_wh[0] == padded_wh[0]


def test_a_model_of_fixed_size_gets_that_size():
    fit = Letterbox.fit((1920, 1080), 320, 32, fixed_wh=(640, 640))
    assert fit.scaled_wh == (640, 360)
    assert fit.padded_wh == (640, 640)
    assert fit.top == 140


def test_boxes_come_back_in_pixels_of_the_source_clipped_to_it():
    fit = Letterbox.fit((1280, 720), 640, 32)
    boxes = np.array([[0, 12, 640, 372], [320, 192, 330, 202], [-5, 0, 700, 400]], np.float32)
    expected = [[0, 0, 1280, 720], [640, 360, 660, 380], [0, 0, 1280, 720]]
    assert fit.to_source(boxes).tolist() == expected


def test_no_boxes_stay_no_boxes():
    assert Letterbox.fit((1280, 720), 640, 32).to_source(np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_an_empty_picture_is_refused():
    with pytest.raises(ValueError, match="at least 1x1"):
        Letterbox.fit((0, 720), 640, 32)
