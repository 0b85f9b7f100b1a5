import numpy as np
import pytest

from video_worker.models.postprocess import Detections, decode_end_to_end, decode_raw, suppress


def raw(*boxes: tuple[float, float, float, float, int, float], classes: int = 3) -> np.ndarray:
    """Return a raw head's output of boxes given as centre x, centre y, width, height, class, score."""
    output = np.zeros((4 + classes, len(boxes)), np.float32)
    for column, (x, y, width, height, number, score) in enumerate(boxes):
        output[:4, column] = x, y, width, height
        output[4 + number, column] = score
    return output


def test_a_raw_head_gives_corners_best_first():
    found = decode_raw(raw((50, 60, 20, 10, 1, 0.6), (200, 100, 40, 40, 2, 0.9)), 0.1)
    assert found.xyxy.tolist() == [[180, 80, 220, 120], [40, 55, 60, 65]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6])
    assert found.classes.tolist() == [2, 1]


def test_doubles_go_within_a_class_only():
    boxes = raw((50, 50, 20, 20, 0, 0.9), (51, 50, 20, 20, 0, 0.8), (50, 51, 20, 20, 1, 0.7))
    assert decode_raw(boxes, 0.1).classes.tolist() == [0, 1]


def test_overlap_up_to_the_limit_is_kept():
    # two squares of 10 that share 7/13 of their union, and two that share 9/11
    near = Detections(np.array([[0, 0, 10, 10], [3, 0, 13, 10]], np.float32), np.ones(2, np.float32), np.zeros(2, int))
    same = Detections(np.array([[0, 0, 10, 10], [1, 0, 11, 10]], np.float32), np.ones(2, np.float32), np.zeros(2, int))
    assert suppress(near, 0.7).tolist() == [0, 1]
    assert suppress(same, 0.7).tolist() == [0]


def test_a_box_that_went_does_not_take_others_with_it():
    xs = [0, 1.5, 3]  # each overlaps its neighbour by more than 0.7, the outer ones do not
    boxes = np.array([[x, 0, x + 10, 10] for x in xs], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3, int))
    assert suppress(found, 0.7).tolist() == [0, 2]


def test_weak_boxes_are_left_out_and_the_threshold_itself_is_in():
    output = raw((50, 50, 20, 20, 0, 0.5), (150, 50, 20, 20, 0, 0.49))
    assert decode_raw(output, 0.5).scores.tolist() == [0.5]


@pytest.mark.parametrize("output", [np.zeros((84, 5040), np.float32), np.zeros((84, 0), np.float32)])
def test_an_empty_picture_has_no_boxes(output):
    found = decode_raw(output, 0.1)
    assert len(found) == 0
    assert found.xyxy.shape == (0, 4)


def test_boxes_without_area_do_no_harm():
    output = raw((50, 50, 0, 0, 0, 0.9), (50, 50, 0, 0, 0, 0.8))
    with np.errstate(all="raise"):
        assert len(decode_raw(output, 0.1)) == 2


def test_at_most_300_boxes_are_kept():
    many = raw(*((20 * (i % 50), 20 * (i // 50), 5, 5, 0, 0.5) for i in range(1000)))
    assert len(decode_raw(many, 0.1)) == 300


def test_an_end_to_end_head_is_sorted_and_its_padding_dropped():
    output = np.zeros((300, 6), np.float32)
    output[0] = [1, 2, 3, 4, 0.3, 5]
    output[1] = [5, 6, 7, 8, 0.8, 2]
    found = decode_end_to_end(output, 0.1)
    assert found.xyxy.tolist() == [[5, 6, 7, 8], [1, 2, 3, 4]]
    assert found.classes.tolist() == [2, 5]
    assert len(decode_end_to_end(output, 0.95)) == 0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 scores"):
        Detections(np.zeros((1, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, int))
