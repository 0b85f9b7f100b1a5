"""Settings from a mapping: cast, bounded, named when wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_utils.config.env import Env, LogSettings, RedisSettings, video_dir
from shared_utils.config.job_options import options_from_env
from shared_utils.contracts.job_options import Options
from shared_utils.errors import SettingError


@pytest.mark.parametrize("raw", ["6380", ' "6380" ', "'6380'"])
def test_quotes_and_blanks_are_stripped(raw: str) -> None:
    assert Env({"RDS_PORT": raw}).integer("RDS_PORT", 6379, 1, 65535) == 6380


@pytest.mark.parametrize("raw", ["", "  ", '""'])
def test_an_empty_value_means_the_default(raw: str) -> None:
    assert Env({"YOLO_CONF": raw}).number("YOLO_CONF", 0.5, 0, 1) == 0.5


@pytest.mark.parametrize("raw", ["half", "1.5", "nan", "inf", "-0.1", "1e9"])
def test_a_wrong_number_names_setting_value_and_bounds(raw: str) -> None:
    with pytest.raises(SettingError, match=r"YOLO_CONF is .* a number from 0 to 1"):
        Env({"YOLO_CONF": raw}).number("YOLO_CONF", 0.5, 0, 1)


def test_words_are_taken_in_any_case() -> None:
    assert LogSettings.from_env({"LOGLEVEL": "debug", "LOG_FORMAT": "JSON"}) == LogSettings("DEBUG", "json")


def test_the_defaults_of_the_contract() -> None:
    assert RedisSettings.from_env({}) == RedisSettings("redis", 6379, None, "video_queue")
    assert options_from_env({}) == Options("yolov8n.onnx", 0.5, 640, 5.0, 2)


def test_the_shared_volume_is_made(tmp_path: Path) -> None:
    folder = video_dir({"VIDEO_DIR": str(tmp_path / "a" / "b")})
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_file_in_the_volumes_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "video").touch()
    with pytest.raises(SettingError, match=r"VIDEO_DIR is .*: give a folder"):
        video_dir({"VIDEO_DIR": str(tmp_path / "video")})
