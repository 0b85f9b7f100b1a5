"""Files people edit: .env without Docker, byte order marks, line ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.paths import ROOT
from shared_utils.config.env_file import with_env_file
from shared_utils.config.log import check_time_zone
from shared_utils.config.text_file import decode_text
from shared_utils.errors import SettingError
from tests.support.programs import Programs


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(
        b"\xef\xbb\xbfCLIP_SECONDS=12\r\n# a comment\r\nRTSP_URL='rtsp://u:a$b#c@10.0.0.1/s'\r\n"
        b"YOLO_CONF=0.4\r\nexport MOTION_FPS=3\r\nRDS_HOST=${NOWHERE}\r\nREDIS_PASSWORD=pa$$\r\nLOGLEVEL\r\n"
    )
    values = with_env_file({"YOLO_CONF": "0.7", "MOTION_FPS": ""}, path)
    assert dict(values) == {
        "CLIP_SECONDS": "12",
        "RTSP_URL": "rtsp://u:a$b#c@10.0.0.1/s",
        "YOLO_CONF": "0.7",
        "MOTION_FPS": "",
        "RDS_HOST": "${NOWHERE}",
        "REDIS_PASSWORD": "pa$$",
        "RDS_PSW": "pa$$",
    }


def test_without_a_file_or_when_it_is_disabled_nothing_is_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert with_env_file({"A": "1"}, path) == {"A": "1"}
    path.write_text("B=2\n")
    assert with_env_file({"PYTHON_DOTENV_DISABLED": "true"}, path) == {"PYTHON_DOTENV_DISABLED": "true"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("A=1\n".encode("utf-16"), "is saved as UTF-16"),
        ("A=1\n".encode("utf-16-le"), "is saved as UTF-16"),
        (b"A=1\nB=\xe4\n", "is not UTF-8 in line 2"),
    ],
)
def test_a_file_in_another_encoding_is_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(data)
    with pytest.raises(SettingError, match=reason):
        with_env_file({}, path)


def test_a_text_has_neither_a_byte_order_mark_nor_windows_line_ends() -> None:
    assert decode_text(b"\xef\xbb\xbfa\r\nb\n") == "a\nb\n"


@pytest.mark.parametrize("program", ["vcam_worker", "video_worker"])
def test_the_programs_read_the_file_of_their_folder(programs: Programs, tmp_path: Path, program: str) -> None:
    (tmp_path / ".env").write_text("RTSP_URL=rtsp://127.0.0.1:9/x\nLOGLEVEL=LOUD\nTZ=Europe/Kyiv\n")
    environment = {"PYTHONPATH": str(ROOT), "PYTHON_DOTENV_DISABLED": ""}
    ended = programs.python("-m", program, env=environment, folder=tmp_path)
    assert ended.wait() == 2
    assert ended.lines == [f"{program}: LOGLEVEL is 'LOUD': use one of DEBUG, INFO, WARNING, ERROR"]
    ended = programs.python("-m", program, env={**environment, "LOGLEVEL": "FINE"}, folder=tmp_path)
    assert ended.wait() == 2
    assert ended.lines == [f"{program}: LOGLEVEL is 'FINE': use one of DEBUG, INFO, WARNING, ERROR"]


@pytest.mark.parametrize("zone", ["", "UTC", "Europe/Kyiv", ":Europe/Kyiv", "EET-2EEST,M3.5.0/3,M10.5.0/4", "<+03>-3"])
def test_a_known_time_zone_is_taken(zone: str) -> None:
    check_time_zone({"TZ": zone})


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("Kyiv", "did you mean Europe/Kyiv"),
        ("europe/kyiv", "did you mean Europe/Kyiv"),
        ("Europe/Kyiv ", "did you mean Europe/Kyiv"),
        ("'Europe/Kyiv'", "did you mean Europe/Kyiv"),
        ("Mars/Base", "such as Europe/Kyiv"),
        ("zone.tab", "such as Europe/Kyiv"),
        ("../../etc/passwd", "such as Europe/Kyiv"),
        ("a\0b", "such as Europe/Kyiv"),
    ],
)
def test_an_unknown_time_zone_is_refused_with_the_remedy(zone: str, remedy: str) -> None:
    with pytest.raises(SettingError, match=f"TZ is .*{remedy}"):
        check_time_zone({"TZ": zone})
