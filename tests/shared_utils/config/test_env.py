"""Settings from a mapping: converted, bounded, named when wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from shared_utils.config.cameras import MotionSettings
from shared_utils.config.env import format_number, read_env, read_field
from shared_utils.config.folders import video_dir
from shared_utils.config.job_options import options_from_env
from shared_utils.config.log import LogSettings
from shared_utils.config.redis import RedisSettings
from shared_utils.config.setting import Setting, declarations, declared_settings
from shared_utils.contracts.job_options import Options
from shared_utils.errors import SettingError


@dataclass(frozen=True)
class Some:
    """A settings class with a field of each kind."""

    count: Annotated[int, Setting("COUNT", "how many", ge=1, le=65535)] = 1
    share: Annotated[float, Setting("SHARE", "how much", ge=0, le=1)] = 0.5
    word: Annotated[str, Setting("WORD", "which", choices=("left", "Right"))] = "left"
    tls: Annotated[bool, Setting("TLS", "whether")] = False
    text: Annotated[str | None, Setting("TEXT", "what")] = None
    place: Annotated[Path, Setting("PLACE", "where", parse=Path)] = Path()
    other: str = "no setting"


@dataclass(frozen=True)
class Holder:
    """A settings class that holds others."""

    some: list[Some]
    log: LogSettings
    own: Annotated[str, Setting("OWN", "its own")] = ""


def read(**values: str) -> Some:
    return Some(**read_env(declarations(Some), values))


@pytest.mark.parametrize("raw", ["6380", ' "6380" ', "'6380'", "+6380"])
def test_quotes_and_blanks_are_stripped(raw: str) -> None:
    assert read(COUNT=raw).count == 6380


@pytest.mark.parametrize("raw", ["", "  ", '""'])
def test_an_empty_value_means_the_default(raw: str) -> None:
    assert read(COUNT=raw, SHARE=raw, WORD=raw, TLS=raw, TEXT=raw, PLACE=raw) == Some()


@pytest.mark.parametrize("raw", ["half", "1.5", "nan", "inf", "-0.1", "1e9", "9" * 5000])
def test_a_wrong_number_names_setting_value_and_bounds(raw: str) -> None:
    with pytest.raises(SettingError, match=r"^SHARE is '.*': it takes a number from 0 to 1, such as 0.5$"):
        read(SHARE=raw)


@pytest.mark.parametrize("raw", ["half", "1.0", "0", "65536", "nan", "9" * 5000, "true"])
def test_a_wrong_whole_number_likewise(raw: str) -> None:
    with pytest.raises(SettingError, match=r"^COUNT is '.*': it takes a whole number from 1 to 65535, such as 1$"):
        read(COUNT=raw)


def test_numbers_in_messages_are_written_as_people_write_them() -> None:
    assert [format_number(number) for number in (0.0001, 0.5, 30.0, 1e6)] == ["0.0001", "0.5", "30", "1000000"]
    with pytest.raises(SettingError, match=r"^MOTION_FPS is 'x': it takes a number from 0.5 to 30, such as 5$"):
        read_env(declarations(MotionSettings), {"MOTION_FPS": "x"})


@pytest.mark.parametrize(("raw", "value"), [(".5", 0.5), ("1", 1.0), ("5e-1", 0.5), ("0", 0.0)])
def test_numbers_are_taken_as_people_write_them(raw: str, value: float) -> None:
    share = read(SHARE=raw).share
    assert share == value
    assert isinstance(share, float)


def test_words_are_taken_in_any_case() -> None:
    assert read(WORD="RIGHT", TLS="Yes") == Some(word="Right", tls=True)
    assert LogSettings.from_env({"LOGLEVEL": "debug", "LOG_FORMAT": "JSON"}) == LogSettings("DEBUG", "json")


@pytest.mark.parametrize(
    ("name", "message"),
    [("WORD", "WORD is 'up': use one of left, Right"), ("TLS", "TLS is 'up': use one of yes, no")],
)
def test_an_unknown_word_is_named_with_those_allowed(name: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(**{name: "up"})
    assert str(caught.value) == message


def test_one_field_is_read_with_its_default() -> None:
    assert read_field(Some, "share", {"SHARE": "0.1"}) == 0.1
    assert read_field(Some, "share", {}) == 0.5


def test_settings_of_classes_within_classes_are_known_by_name() -> None:
    assert set(declared_settings(Holder)) == {
        *("COUNT", "SHARE", "WORD", "TLS", "TEXT", "PLACE"),
        *("LOGLEVEL", "LOG_FORMAT", "TZ"),
        "OWN",
    }


def test_the_defaults_of_the_contract() -> None:
    assert RedisSettings.from_env({}) == RedisSettings("redis", 6379, None, "video_queue")
    assert options_from_env({}) == Options("yolov8n.onnx", 0.5, 640, 5.0, 2)


def test_a_certificate_of_an_authority_means_tls(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.touch()
    assert RedisSettings.from_env({"RDS_CA": str(authority)}) == RedisSettings(tls=True, ca=authority)
    assert RedisSettings.from_env({"RDS_CA": str(authority), "RDS_TLS": "no"}).tls is False
    with pytest.raises(SettingError, match=r"RDS_CA is '/nowhere', but there is no such file: give the ca.crt"):
        RedisSettings.from_env({"RDS_CA": "/nowhere"})


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(RedisSettings.from_env({"RDS_PSW": "secret"}))


def test_the_shared_volume_is_made(tmp_path: Path) -> None:
    folder = video_dir({"VIDEO_DIR": str(tmp_path / "a" / "b")})
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_file_in_the_volumes_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "video").touch()
    with pytest.raises(SettingError, match=r"VIDEO_DIR is .*, which cannot be written to .*: give a folder"):
        video_dir({"VIDEO_DIR": str(tmp_path / "video")})
