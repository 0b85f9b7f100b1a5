import pytest

from shared_utils.errors import ModelError
from video_worker.models.model_info import read_model_info

META = {"task": "detect", "names": "{0: 'person', 1: 'car'}", "stride": "32"}
OPEN = (None, 3, None, None)


def test_a_raw_head_with_open_size():
    info = read_model_info(META, OPEN, [(None, 6, None)])
    assert info.labels == ("person", "car")
    assert (info.stride, info.end_to_end, info.fixed_wh) == (32, False, None)


def test_an_end_to_end_head_with_fixed_size():
    info = read_model_info({**META, "end2end": "True"}, (1, 3, 480, 640), [(1, 300, 6)])
    assert info.end_to_end
    assert info.fixed_wh == (640, 480)


def test_an_export_with_nms_is_end_to_end():
    assert read_model_info({**META, "args": "{'nms': True}"}, OPEN, [(1, 300, 6)]).end_to_end


def test_with_two_classes_the_metadata_decides_what_six_numbers_are():
    assert not read_model_info(META, OPEN, [(1, 6, 6)]).end_to_end
    assert read_model_info({**META, "end2end": "True"}, OPEN, [(1, 6, 6)]).end_to_end


@pytest.mark.parametrize(
    ("metadata", "input_shape", "outputs", "said"),
    [
        ({}, OPEN, [(1, 6, None)], "no ultralytics metadata"),
        ({**META, "task": "segment"}, OPEN, [(1, 6, None)], "'segment'"),
        ({**META, "task": "classify"}, OPEN, [(1, 2)], "'classify'"),
        ({**META, "names": "{0: "}, OPEN, [(1, 6, None)], "names cannot be read"),
        ({**META, "names": "{}"}, OPEN, [(1, 4, None)], "no classes"),
        ({**META, "names": "__import__('os')"}, OPEN, [(1, 6, None)], "names cannot be read"),
        ({**META, "stride": "0"}, OPEN, [(1, 6, None)], "stride"),
        (META, (1, 3, 640), [(1, 6, None)], "1×3×640"),
        (META, (1, 1, None, None), [(1, 6, None)], "colour"),
        (META, (8, 3, None, None), [(8, 6, None)], "batches of 8"),
        (META, OPEN, [(1, 25200, 7)], "1×25200×7"),
        (META, OPEN, [(1, 6, None), (1, 32, 160, 160)], "no detection head"),
    ],
)
def test_what_is_no_detection_model_is_refused(metadata, input_shape, outputs, said):
    with pytest.raises(ModelError, match=said):
        read_model_info(metadata, input_shape, outputs)
