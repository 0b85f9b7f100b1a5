from __future__ import annotations

import json

import pytest

from shared_utils.config.job_options import options_from_env, replace_options
from shared_utils.contracts.job_options import Options, options_as_dict
from shared_utils.errors import JobRefused, SettingError


def test_the_defaults_are_those_of_the_design():
    assert options_from_env({}) == Options("yolov8n.onnx", 0.5, 640, 5.0, 2)


def test_settings_are_read():
    values = {
        "YOLO_MODEL": "'yolo11s.onnx'", "YOLO_CONF": "0.3", "YOLO_IMGSZ": "320",
        "YOLO_MIN_HITS": "3", "ANALYSIS_FPS": "0",
    }  # fmt: skip
    assert options_from_env(values) == Options("yolo11s.onnx", 0.3, 320, 0.0, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("YOLO_CONF", "1.01"),
        ("YOLO_CONF", "nan"),
        ("YOLO_IMGSZ", "640.5"),
        ("YOLO_IMGSZ", "16"),
        ("YOLO_MIN_HITS", "0"),
        ("ANALYSIS_FPS", "-5"),
        ("ANALYSIS_FPS", "fast"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(SettingError, match=f"{name} is '{value}'"):
        options_from_env({name: value})


def test_a_jobs_options_replace_the_workers():
    mine = Options()
    assert replace_options(mine, None) is mine
    assert replace_options(mine, {}) == mine
    wanted = {"model": "b.onnx", "conf": 1, "imgsz": 320.0, "fps": 0, "min_hits": 1}
    assert replace_options(mine, wanted) == Options("b.onnx", 1.0, 320, 0.0, 1)


def test_options_survive_their_way_through_json():
    options = Options("b.onnx", 0.25, 320, 2.5, 4)
    assert replace_options(Options(), json.loads(json.dumps(options_as_dict(options)))) == options


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "object"),
        ("conf=1", "object"),
        ({"colour": 1}, "unknown option 'colour'"),
        ({1: 1}, "unknown option '1'"),
        ({"conf": "0.5"}, "conf must be a number"),
        ({"conf": True}, "conf must be a number"),
        ({"conf": None}, "conf must be a number"),
        ({"conf": float("nan")}, "conf must be a number"),
        ({"conf": 1.5}, "outside 0 to 1"),
        ({"imgsz": 640.5}, "whole number"),
        ({"imgsz": 10**9}, "outside"),
        ({"fps": -1}, "outside"),
        ({"min_hits": 0}, "outside"),
        ({"imgsz": 10**400}, "outside"),
        ({"imgsz": -(10**5000)}, "outside"),
        ({"conf": float("inf")}, "outside"),
        ({"aspect": "1e999999999"}, "not an aspect ratio"),
        ({"aspect": "16:0.0"}, "not an aspect ratio"),
        ({"aspect": "3/2"}, "not an aspect ratio"),
        ({"classes": "person," + "x" * 200}, "no label"),
        ({"classes": ",".join(map(str, range(2000)))}, "more than 1000"),
        ({"model": ""}, "model must be the name"),
        ({"model": 5}, "model must be the name"),
        ({"model": "/etc/passwd"}, "bare file name"),
        ({"model": "..\\x"}, "bare file name"),
        ({"model": ".hidden"}, "bare file name"),
        ({"model": "a\nb"}, "bare file name"),
        ({"model": "a" * 300}, "model must be the name"),
    ],
)
def test_a_wrong_option_is_refused(wanted, message):
    with pytest.raises(JobRefused, match=message):
        replace_options(Options(), wanted)
