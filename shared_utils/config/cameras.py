"""The cameras to record: from ``RTSP_URL`` and ``CAMERA_NAME``, or from the TOML file of ``CAMERAS_FILE``.

``CAMERAS_FILE`` is that file, or a folder with a ``cameras.toml`` in it.

::

    [door]                       # the table's name is the camera's
    url = "rtsp://user:password@192.168.1.20:554/stream1"
    detect_url = "rtsp://user:password@192.168.1.20:554/stream2"    # optional: a small stream to look for motion in
    transport = "tcp"            # optional: auto, tcp, udp
    enabled = true               # optional
    motion_fps = 5               # optional, as are motion_min_area and motion_decode
    classes = ["person", "car"]  # optional: only these labels are reported of its clips
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from shared_utils.config.camera_url import SCHEMES as NETWORK_SCHEMES
from shared_utils.config.camera_url import clean_url
from shared_utils.config.classes import check_classes
from shared_utils.config.env import Env
from shared_utils.config.text_file import decode_text
from shared_utils.contracts.clips import CAMERA_PATTERN
from shared_utils.errors import SettingError
from shared_utils.redact import mask_url

T = TypeVar("T")

FILE_NAME = "cameras.toml"
"""What is read where ``CAMERAS_FILE`` names a folder."""
TRANSPORTS = ("auto", "tcp", "udp")
MOTION_DECODES = ("all", "keyframes")

_URL_REMEDY = (
    "give the camera's address, such as rtsp://192.168.1.20:554/stream1, with user and password (see README.md)"
)


@dataclass(frozen=True)
class MotionSettings:
    """How motion is looked for.

    Attributes:
        fps: frames analysed a second.
        min_area: moving share of the picture, 0..1, that counts as motion.
        decode: ``all``, or ``keyframes`` to spend least.
    """

    fps: float = 5.0
    min_area: float = 0.005
    decode: str = "all"

    @classmethod
    def from_env(cls, env: Env) -> MotionSettings:
        """Read ``MOTION_FPS``, ``MOTION_MIN_AREA`` and ``MOTION_DECODE``."""
        return cls(
            fps=env.number("MOTION_FPS", cls.fps, 0.5, 30),
            min_area=env.number("MOTION_MIN_AREA", cls.min_area, 0.0001, 0.5),
            decode=env.choice("MOTION_DECODE", cls.decode, MOTION_DECODES),
        )


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes:
        name: slug, used in file names, logs and metrics.
        url: the address, with its password: never logged; :attr:`shown` is for people.
        detect_url: a sub-stream of the same camera to look for motion in; None looks at the main one.
        classes: labels to report of its clips, empty for all; None leaves them to the worker's own setting.
        setting: where the address came from, for error messages: ``RTSP_URL`` or ``[door] url in cameras.toml``.
    """

    name: str
    url: str = field(repr=False)
    transport: str = "auto"
    motion: MotionSettings = field(default_factory=MotionSettings)
    setting: str = "RTSP_URL"
    detect_url: str | None = field(default=None, repr=False)
    classes: tuple[str, ...] | None = None

    @property
    def job_options(self) -> dict[str, Any]:
        """The options that jobs over its clips carry."""
        return {} if self.classes is None else {"classes": list(self.classes)}

    @property
    def shown(self) -> str:
        """The address without user and password."""
        return mask_url(self.url)

    @property
    def scheme(self) -> str:
        """``rtsp``, ``http``…, or ``file`` for a path."""
        scheme = urlsplit(self.url).scheme.lower()
        return scheme if scheme in NETWORK_SCHEMES else "file"


def cameras_from_env(values: Mapping[str, str]) -> list[Camera]:
    """Return the enabled cameras that the environment asks for; at least one.

    Raises:
        SettingError: nothing asked for, or a value that is wrong.
    """
    path = cameras_file(values)
    if path:
        return cameras_from_toml(read_cameras_file(path), path.name, values)
    env = Env(values)
    url = env.required("RTSP_URL", f"{_URL_REMEDY}, or name a CAMERAS_FILE")
    name = env.text("CAMERA_NAME", "cam1")
    _check_name(name, "CAMERA_NAME")
    return [Camera(name, _checked_url(url, "RTSP_URL"), _transport(env), MotionSettings.from_env(env))]


def cameras_file(values: Mapping[str, str]) -> Path | None:
    """Return the file that lists the cameras; None where ``CAMERAS_FILE`` is not set."""
    given = Env(values).get("CAMERAS_FILE")
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
        raise SettingError(f"CAMERAS_FILE {str(path)!r} can not be read: {error.strerror}") from None


def _transport(env: Env) -> str:
    return env.choice("RTSP_TRANSPORT", "auto", TRANSPORTS)


def _check_name(name: str, where: str) -> None:
    if not re.fullmatch(CAMERA_PATTERN, name):
        raise SettingError(
            f"{where} is {name!r}: use 1 to 32 letters, digits, '-' and '_', beginning with a letter or digit"
        )


def _checked_url(url: str, where: str) -> str:
    """Return a camera's URL as libraries understand it, or the path of a file.

    Raises:
        SettingError: it is neither; a password in it is not repeated.
    """
    if "://" not in url:
        if url.isdigit():
            raise SettingError(
                f"{where} is {url!r}: a webcam's number; serve it with: python -m camera_emulator --help"
            )
        if not Path(url).is_file():
            shown = url.rpartition("@")[2] if "@" in url else url
            raise SettingError(f"{where} is {mask_url(shown)!r}, neither an address nor a file: {_URL_REMEDY}")
        return url
    try:
        return clean_url(url)
    except ValueError as error:
        raise SettingError(f"{where} {error}") from None


_KEYS: dict[str, type | tuple[type, ...]] = {
    "url": str,
    "detect_url": str,
    "transport": str,
    "enabled": bool,
    "motion_fps": (int, float),
    "motion_min_area": (int, float),
    "motion_decode": str,
    "classes": list,
}


def cameras_from_toml(data: bytes, name: str, values: Mapping[str, str]) -> list[Camera]:
    """Return the enabled cameras of a file; settings that a table leaves out are those of the environment.

    Args:
        data: what the file holds.
        name: its name, for messages.
        values: the environment.

    Raises:
        SettingError: the first slip, with its line where that is known.
    """
    env = Env(values)
    transport, motion = _transport(env), MotionSettings.from_env(env)
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
            camera = _camera_from_table(table_name, table, motion, transport, name)
        except _Slip as slip:
            line = _line_of(text, table_name, slip.key)
            raise SettingError(f"{slip} (line {line})" if line else str(slip)) from None
        if camera is not None:
            cameras.append(camera)
    if not cameras:
        raise SettingError(f"CAMERAS_FILE {name!r} has no enabled camera: add a table such as [door] with a url")
    return cameras


class _Slip(SettingError):
    """What is wrong with a table; `key` is where."""

    def __init__(self, text: str, key: str | None = None) -> None:
        super().__init__(text)
        self.key = key


def _line_of(text: str, table: str, key: str | None) -> int | None:
    """Return the line of a table's key, of its head without one; None where it is written in some other way."""
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


def _classes(table: Mapping[str, Any], where: str) -> tuple[str, ...] | None:
    if "classes" not in table:
        return None
    try:
        return check_classes(table["classes"])
    except ValueError as error:
        text = f'{where}: classes {error}: give labels of the model, such as ["person", "car"]'
        raise _Slip(text, "classes") from None


def _camera_from_table(name: str, table: Any, motion: MotionSettings, transport: str, file: str) -> Camera | None:
    where = f"[{name}] in {file}"
    if not isinstance(table, dict):
        raise _Slip(f"{name!r} in {file} stands outside a table: put it under [name-of-camera]")
    try:
        _check_name(name, f"table [{name}] in {file}")
    except SettingError as error:
        raise _Slip(str(error)) from None
    for key, value in table.items():
        if key not in _KEYS:
            raise _Slip(f"{where}: unknown key {key!r}; the keys are {', '.join(_KEYS)}", key)
        expected = _KEYS[key]
        # bool is an int to Python, but "motion_fps = true" is a slip
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise _Slip(f"{where}: {key} has a value of the wrong type ({type(value).__name__})", key)
    if "url" not in table:
        raise _Slip(f"{where}: url is missing: {_URL_REMEDY}")
    if not table.get("enabled", True):
        return None
    urls = {key: _table_url(table[key], key, where) for key in ("url", "detect_url") if key in table}
    return Camera(
        name=name,
        url=urls["url"],
        transport=_setting(table, "transport", transport, where, _transport),
        motion=MotionSettings(
            fps=_setting(table, "motion_fps", motion.fps, where, lambda env: MotionSettings.from_env(env).fps),
            min_area=_setting(
                table, "motion_min_area", motion.min_area, where, lambda env: MotionSettings.from_env(env).min_area
            ),
            decode=_setting(
                table, "motion_decode", motion.decode, where, lambda env: MotionSettings.from_env(env).decode
            ),
        ),
        setting=f"url of {where}",
        detect_url=urls.get("detect_url"),
        classes=_classes(table, where),
    )


def _table_url(url: str, key: str, where: str) -> str:
    try:
        return _checked_url(url, f"{key} of {where}")
    except SettingError as error:
        raise _Slip(str(error), key) from None


def _setting(table: Mapping[str, Any], key: str, usual: T, where: str, read: Callable[[Env], T]) -> T:
    """Return a key's value as the setting of its name is read; `usual` where the table leaves it out."""
    if key not in table:
        return usual
    name = "RTSP_TRANSPORT" if key == "transport" else key.upper()
    try:
        return read(Env({name: str(table[key])}))
    except SettingError as error:
        raise _Slip(f"{where}: {error}", key) from None
