"""The cameras to record: those of the TOML file of ``CAMERAS_FILE``, or else the one of ``RTSP_URL``.

``CAMERAS_FILE`` is that file, or a folder with a ``cameras.toml`` in it::

    [door]                       # the name of the table is that of the camera
    url = "rtsp://user:password@192.168.1.20:554/stream1"
    detect_url = "rtsp://user:password@192.168.1.20:554/stream2"    # optional: a sub-stream to look for motion in
    transport = "tcp"            # optional: auto, tcp, udp
    enabled = true               # optional
    motion_fps = 5               # optional, as are motion_min_area and motion_decode
    classes = ["person", "car"]  # optional: only these labels are reported
    live_objects = "motion"      # optional: motion, on, off
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_utils.config.cameras import URL_REMEDY, Camera, MotionSettings, camera_from_env, check_name, checked_url
from shared_utils.config.classes import check_classes
from shared_utils.config.env import get_text, parse_text, read_env
from shared_utils.config.setting import Declaration, Setting, declarations
from shared_utils.config.text_file import decode_text
from shared_utils.config.validation import Fault, Invalid, convert
from shared_utils.errors import SettingError

CAMERAS_FILE = Setting("CAMERAS_FILE", "TOML file with a table for each camera, or the folder of a cameras.toml")
FILE_NAME = "cameras.toml"
"""What is read where ``CAMERAS_FILE`` names a folder."""

_MOTION_KEYS = {f"motion_{field}": one for field, one in declarations(MotionSettings).items()}
_KEYS: dict[str, Declaration] = {
    "url": declarations(Camera)["url"],
    "detect_url": Declaration("detect_url", str, Setting("", "URL of a sub-stream to look for motion in")),
    "transport": declarations(Camera)["transport"],
    "enabled": Declaration("enabled", bool, Setting("", "whether the camera is recorded")),
    **_MOTION_KEYS,
    "classes": Declaration("classes", list[Any], Setting("", "labels that are reported")),
    "live_objects": declarations(Camera)["live_objects"],
}
"""The keys of a table. Those that are settings as well keep to what is declared there."""


def cameras_from_env(values: Mapping[str, str]) -> list[Camera]:
    """Return the enabled cameras that the environment asks for; at least one.

    Raises:
        SettingError: nothing is asked for, or a value is wrong.
    """
    path = cameras_file(values)
    if path:
        return cameras_from_toml(read_cameras_file(path), path.name, values)
    return [camera_from_env(values)]


def cameras_file(values: Mapping[str, str]) -> Path | None:
    """Return the file that lists the cameras; None where ``CAMERAS_FILE`` is not set."""
    given = get_text(values, CAMERAS_FILE.name)
    if not given:
        return None
    return Path(given) / FILE_NAME if Path(given).is_dir() else Path(given)


def read_cameras_file(path: Path) -> bytes:
    """Return what the file of ``CAMERAS_FILE`` holds.

    Raises:
        SettingError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(
            f"CAMERAS_FILE {str(path)!r} cannot be read ({error.strerror}): give a TOML file or its folder"
        ) from None


def cameras_from_toml(data: bytes, name: str, values: Mapping[str, str]) -> list[Camera]:
    """Return the enabled cameras of a file; settings that a table leaves out are those of the environment.

    Args:
        data: what the file holds.
        name: its name, for messages.
        values: the environment.

    Raises:
        SettingError: the first error, with its line where that is known.
    """
    found = read_env({key: _KEYS[key] for key in ("transport", "live_objects")}, values)
    usual = Camera("", "", **found, motion=MotionSettings.from_env(values))
    try:
        text = decode_text(data)
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"CAMERAS_FILE {name!r} is not TOML: {error}") from None
    except ValueError as error:
        raise SettingError(f"CAMERAS_FILE {name!r} {error}") from None
    cameras = []
    for table_name, table in tables.items():
        try:
            camera = _camera_from_table(table_name, table, usual, name)
        except _TableError as error:
            line = _line_of(text, table_name, error.key)
            raise SettingError(f"{error} (line {line})" if line else str(error)) from None
        if camera is not None:
            cameras.append(camera)
    if not cameras:
        raise SettingError(f"CAMERAS_FILE {name!r} has no enabled camera: add a table such as [door] with a url")
    return cameras


class _TableError(SettingError):
    """What is wrong with a table; `key` is where."""

    def __init__(self, text: str, key: str | None = None) -> None:
        super().__init__(text)
        self.key = key


def _line_of(text: str, table: str, key: str | None) -> int | None:
    """Return the line of a table's key, or of its header without a key; None if it is written in some other way."""
    name = rf"""["']?{re.escape(table)}["']?"""
    head, outside = re.compile(rf"\s*\[\s*{name}\s*\]"), re.compile(rf"\s*{name}\s*=")
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""") if key else None
    found = None
    for number, line in enumerate(text.splitlines(), 1):
        if found is None and (head.match(line) or outside.match(line)):
            found = number
        elif found and re.match(r"\s*\[", line):
            break
        elif found and wanted and wanted.match(line):
            return number
    return found


def _camera_from_table(name: str, table: Any, usual: Camera, file: str) -> Camera | None:
    """Return the camera of a table; None where it is not enabled.

    Raises:
        _TableError: the first error.
    """
    where = f"[{name}] in {file}"
    if not isinstance(table, dict):
        raise _TableError(f"{name!r} in {file} is outside a table: put it under [name-of-camera]")
    try:
        check_name(name, f"table [{name}] in {file}")
    except SettingError as error:
        raise _TableError(str(error)) from None
    for key, value in table.items():
        _check_key(key, value, where)
    if "url" not in table:
        raise _TableError(f"{where}: url is missing: {URL_REMEDY}")
    if not table.get("enabled", True):
        return None
    values = {key: _value(key, value, where) for key, value in table.items() if key != "enabled"}
    given = {key: value for key, value in values.items() if value is not None}
    motion = {_MOTION_KEYS[key].field: given.pop(key) for key in _MOTION_KEYS if key in given}
    return replace(usual, name=name, setting=f"url of {where}", motion=replace(usual.motion, **motion), **given)


def _check_key(key: str, value: object, where: str) -> None:
    """Refuse an unknown key, and a value of the wrong type, such as ``motion_fps = true``."""
    if key not in _KEYS:
        raise _TableError(f"{where}: unknown key {key!r}; the keys are {', '.join(_KEYS)}", key)
    try:
        convert(value, _KEYS[key].kind)
    except Invalid as error:
        if error.fault is Fault.TYPE:
            text = f"{where}: {key} has a value of the wrong type ({type(value).__name__})"
            raise _TableError(text, key) from None


def _value(key: str, value: Any, where: str) -> Any:
    """Return the value of a key, which has the right type, as a field of :class:`Camera` has it; None for a blank."""
    try:
        if key in ("url", "detect_url"):
            return checked_url(value, f"{key} of {where}")
        if key == "classes":
            return check_classes(value)
        # as the setting of its name is read: blanks are stripped, and a word may have any case
        setting = _KEYS[key].setting.name
        given = get_text({setting: str(value)}, setting)
        return None if given is None else parse_text(given, _KEYS[key])
    except SettingError as error:
        raise _TableError(str(error) if "url" in key else f"{where}: {error}", key) from None
    except ValueError as error:
        text = f'{where}: classes {error}: give labels of the model, such as ["person", "car"]'
        raise _TableError(text, key) from None
