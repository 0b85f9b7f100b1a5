"""Cameras from the environment or from TOML; every error is named with its table and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_utils.config.cameras import MotionSettings
from shared_utils.config.cameras_file import cameras_from_env
from shared_utils.errors import SettingError

URL = "rtsp://user:secret@10.0.0.2/1"


def from_toml(tmp_path: Path, text: str, **env: str) -> list[str]:
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    return [camera.name for camera in cameras_from_env({"CAMERAS_FILE": str(path), **env})]


def test_one_camera_by_the_environment() -> None:
    [camera] = cameras_from_env({"RTSP_URL": URL, "MOTION_FPS": "4"})
    assert (camera.name, camera.url, camera.transport) == ("cam1", URL, "auto")
    assert camera.motion == MotionSettings(fps=4)
    assert camera.display_url == "rtsp://***@10.0.0.2/1"
    assert "secret" not in repr(camera)


def test_many_cameras_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'[door]\nurl = "{URL}"\n'
        f'[yard]\nurl = "{URL}"\ntransport = "udp"\nmotion_min_area = 0.02\n'
        f'[old]\nurl = "{URL}"\nenabled = false\n'
    )
    door, yard = cameras_from_env({"CAMERAS_FILE": str(path), "MOTION_FPS": "3", "RTSP_URL": "rtsp://other/1"})
    assert (door.name, door.motion.fps, door.transport) == ("door", 3, "auto")
    assert (yard.name, yard.motion.min_area, yard.motion.fps, yard.transport) == ("yard", 0.02, 3, "udp")


def test_a_camera_has_its_own_classes(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'[door]\nurl = "{URL}"\nclasses = ["person", "car"]\n[yard]\nurl = "{URL}"\nclasses = []\n'
        f'[roof]\nurl = "{URL}"\n'
    )
    cameras = cameras_from_env({"CAMERAS_FILE": str(path)})
    assert [camera.job_options for camera in cameras] == [{"classes": ["person", "car"]}, {"classes": []}, {}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[door]\n", r"\[door\] in cameras.toml: url is missing"),
        ('[door]\nurl = "ftp://x/1"\n', r"url of \[door\] in cameras.toml begins with ftp"),
        (f'[door]\nurl = "{URL}"\nmotion_fsp = 5\n', r"\[door\] in cameras.toml: unknown key 'motion_fsp'"),
        (f'[door]\nurl = "{URL}"\nmotion_fps = "5"\n', r"\[door\] in cameras.toml: motion_fps .*wrong type"),
        (f'[door]\nurl = "{URL}"\nmotion_fps = true\n', r"\[door\] in cameras.toml: motion_fps .*wrong type"),
        (f'[door]\nurl = "{URL}"\nmotion_fps = 900\n', r"\[door\] in cameras.toml: MOTION_FPS is '900'"),
        (f'[door]\nurl = "{URL}"\nclasses = "person"\n', r"\[door\] in cameras.toml: classes .*wrong type"),
        (f'[door]\nurl = "{URL}"\nclasses = [1]\n', r"\[door\] in cameras.toml: classes holds '1', which is no label"),
        (f'["front door"]\nurl = "{URL}"\n', r"table \[front door\] in cameras.toml is 'front door'"),
        (f'url = "{URL}"\n', r"'url' in cameras.toml is outside a table"),
        (f'[door]\nurl = "{URL}"\nenabled = false\n', "has no enabled camera"),
        ("[door\n", "is not TOML"),
        ("", "has no enabled camera"),
    ],
)
def test_an_error_is_named_with_table_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        from_toml(tmp_path, text)
    assert "secret" not in str(caught.value)


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_bytes(f'\ufeff[door]\r\nurl = "{URL}"\r\n'.encode())
    [camera] = cameras_from_env({"CAMERAS_FILE": str(path)})
    assert camera.name == "door"


def test_a_file_from_notepad_in_utf_16_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(f'[door]\nurl = "{URL}"\n', encoding="utf-16")
    with pytest.raises(SettingError, match="is saved as UTF-16: save it as UTF-8"):
        cameras_from_env({"CAMERAS_FILE": str(path)})


def test_a_folder_stands_for_its_cameras_toml(tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text(f'[door]\nurl = "{URL}"\n')
    [camera] = cameras_from_env({"CAMERAS_FILE": str(tmp_path)})
    assert camera.setting == "url of [door] in cameras.toml"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[door]\nurl = "rtsp://h/1"\n\n[yard]\nurl = "rtsp://h/2"\nmotion_fsp = 5\n', 6),
        ('[door]\nurl = "rtsp://h/1"\n["back yard"]\nurl = "rtsp://h/2"\n', 3),
        ('[door]\nurl = "rtsp://h/1"\n\n[ yard ]\ntransport = "tcp"\n', 4),
        ('[door]\nurl = "rtsp://h/1"\n[yard]\n"url" = "ftp://h/2"\n', 4),
        ('[door]\nurl = "rtsp://h/1"\ntransport = "pigeon"\n', 3),
        ('mode = 1\n[door]\nurl = "rtsp://h/1"\n', 1),
        ('[door]\nurl = "rtsp://h/1"\n[yard\n', 3),
        ('[door]\nurl = "rtsp://h/1"\n[door]\n', 3),
    ],
)
def test_an_error_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(SettingError, match=rf"line {line}\b"):
        from_toml(tmp_path, text)


def test_a_raw_password_is_understood_in_each_url(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text('[door]\nurl = "rtsp://u:a#b@10.0.0.2/1"\ndetect_url = "rtsp://u:a?b@10.0.0.2/2"\n')
    [camera] = cameras_from_env({"CAMERAS_FILE": str(path)})
    assert (camera.url, camera.detect_url) == ("rtsp://u:a%23b@10.0.0.2/1", "rtsp://u:a%3Fb@10.0.0.2/2")
