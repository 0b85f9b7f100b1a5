"""The cameras to record: from ``RTSP_URL`` and ``CAMERA_NAME``, or from the TOML file of ``CAMERAS_FILE``.

::

    [door]                       # the table's name is the camera's
    url = "rtsp://user:password@192.168.1.20:554/stream1"
    detect_url = "rtsp://user:password@192.168.1.20:554/stream2"    # optional: a small stream to look for motion in
    transport = "tcp"            # optional: auto, tcp, udp
    enabled = true               # optional
    motion_fps = 5               # optional, as are motion_min_area and motion_decode
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared_utils.clips import CAMERA_PATTERN
from shared_utils.config import Env
from shared_utils.errors import SettingError
from shared_utils.redact import mask_url

TRANSPORTS = ("auto", "tcp", "udp")
NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")
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
        setting: where the address came from, for error messages: ``RTSP_URL`` or ``[door] url in cameras.toml``.
    """

    name: str
    url: str = field(repr=False)
    transport: str = "auto"
    motion: MotionSettings = field(default_factory=MotionSettings)
    setting: str = "RTSP_URL"
    detect_url: str | None = field(default=None, repr=False)

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
    env = Env(values)
    motion = MotionSettings.from_env(env)
    transport = env.choice("RTSP_TRANSPORT", "auto", TRANSPORTS)
    path = env.get("CAMERAS_FILE")
    if path:
        return _cameras_from_file(Path(path), motion, transport)
    url = env.required("RTSP_URL", f"{_URL_REMEDY}, or name a CAMERAS_FILE")
    name = env.text("CAMERA_NAME", "cam1")
    _check_name(name, "CAMERA_NAME")
    _check_url(url, "RTSP_URL")
    return [Camera(name, url, transport, motion)]


def _check_name(name: str, where: str) -> None:
    if not re.fullmatch(CAMERA_PATTERN, name):
        raise SettingError(
            f"{where} is {name!r}: use 1 to 32 letters, digits, '-' and '_', beginning with a letter or digit"
        )


def _check_url(url: str, where: str) -> None:
    scheme, separator, _ = url.partition("://")
    if not separator:
        if url.isdigit():
            raise SettingError(
                f"{where} is {url!r}: a webcam's number; serve it with: python -m camera_emulator --help"
            )
        if not Path(url).is_file():
            raise SettingError(f"{where} is {mask_url(url)!r}, neither an address nor a file: {_URL_REMEDY}")
        return
    if scheme.lower() not in NETWORK_SCHEMES:
        raise SettingError(f"{where} begins with {scheme}://: use one of {', '.join(NETWORK_SCHEMES)}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise SettingError(
            f"{where} has no usable host or port: {mask_url(url)!r}; "
            "write special characters of the password percent-encoded (@ is %40, / is %2F, : is %3A, # is %23)"
        )


_KEYS: dict[str, type | tuple[type, ...]] = {
    "url": str,
    "detect_url": str,
    "transport": str,
    "enabled": bool,
    "motion_fps": (int, float),
    "motion_min_area": (int, float),
    "motion_decode": str,
}


def _cameras_from_file(path: Path, motion: MotionSettings, transport: str) -> list[Camera]:
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise SettingError(f"CAMERAS_FILE {str(path)!r} can not be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"CAMERAS_FILE {str(path)!r} is not TOML: {error}") from None
    found = [_camera_from_table(name, table, motion, transport, path) for name, table in tables.items()]
    cameras = [camera for camera in found if camera is not None]
    if not cameras:
        raise SettingError(f"CAMERAS_FILE {str(path)!r} has no enabled camera: add a table such as [door] with a url")
    return cameras


def _camera_from_table(name: str, table: Any, motion: MotionSettings, transport: str, path: Path) -> Camera | None:
    where = f"[{name}] in {path.name}"
    if not isinstance(table, dict):
        raise SettingError(f"{name!r} in {path.name} stands outside a table: put it under [name-of-camera]")
    _check_name(name, f"table [{name}] in {path.name}")
    for key, value in table.items():
        if key not in _KEYS:
            raise SettingError(f"{where}: unknown key {key!r}; the keys are {', '.join(_KEYS)}")
        expected = _KEYS[key]
        # bool is an int to Python, but "motion_fps = true" is a slip
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise SettingError(f"{where}: {key} has a value of the wrong type ({type(value).__name__})")
    if "url" not in table:
        raise SettingError(f"{where}: url is missing: {_URL_REMEDY}")
    if not table.get("enabled", True):
        return None
    for key in ("url", "detect_url"):
        if key in table:
            _check_url(table[key], f"{key} of {where}")
    texts = {"RTSP_TRANSPORT": str(table.get("transport", transport))}
    for key in ("motion_fps", "motion_min_area", "motion_decode"):
        texts[key.upper()] = str(table.get(key, getattr(motion, key.removeprefix("motion_"))))
    env = Env(texts)
    try:
        return Camera(
            name=name,
            url=table["url"],
            transport=env.choice("RTSP_TRANSPORT", "auto", TRANSPORTS),
            motion=MotionSettings.from_env(env),
            setting=f"url of {where}",
            detect_url=table.get("detect_url"),
        )
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None
