"""One camera and its motion settings, from ``RTSP_URL``, ``CAMERA_NAME`` and the ``MOTION_…`` settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from shared_utils.config.camera_url import SCHEMES as NETWORK_SCHEMES
from shared_utils.config.camera_url import clean_url
from shared_utils.config.env import read_env, require_text
from shared_utils.config.setting import Setting, declarations
from shared_utils.contracts.clips import CAMERA_PATTERN
from shared_utils.errors import SettingError
from shared_utils.redact import mask_url

DEFAULT_NAME = "cam1"
TRANSPORTS = ("auto", "tcp", "udp")
MOTION_DECODES = ("all", "keyframes")
LIVE_OBJECTS = ("motion", "on", "off")

URL_REMEDY = "give the camera's URL, such as rtsp://192.168.1.20:554/stream1, with user and password (see README.md)"


@dataclass(frozen=True)
class MotionSettings:
    """Settings of motion detection.

    Attributes:
        fps: frames analysed per second.
        min_area: moving share of the picture, 0..1, that counts as motion.
        decode: ``all``, or ``keyframes`` to spend least.
    """

    fps: Annotated[float, Setting("MOTION_FPS", "frames analysed per second", ge=0.5, le=30)] = 5.0
    min_area: Annotated[
        float, Setting("MOTION_MIN_AREA", "moving share of the picture that counts", ge=0.0001, le=0.5)
    ] = 0.005
    decode: Annotated[str, Setting("MOTION_DECODE", "frames decoded to look for motion", choices=MOTION_DECODES)] = (
        "all"
    )

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> MotionSettings:
        """Read ``MOTION_FPS``, ``MOTION_MIN_AREA`` and ``MOTION_DECODE``.

        Raises:
            SettingError: one of them is wrong.
        """
        return cls(**read_env(declarations(cls), values))


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes:
        name: slug, used in file names, logs and metrics.
        url: with its password: never logged; :attr:`display_url` is for people.
        detect_url: a sub-stream of the same camera to look for motion in; None takes the main stream.
        classes: labels to report of its clips, empty for all; None leaves them to the worker's own setting.
        live_objects: when objects are looked for in live frames: while something moves, always, or never.
        setting: where the URL came from, for error messages: ``RTSP_URL`` or ``url of [door] in cameras.toml``.
    """

    name: Annotated[str, Setting("CAMERA_NAME", "name of the camera in file names, logs and metrics")]
    url: Annotated[str, Setting("RTSP_URL", "URL of the camera, or a file to play")] = field(repr=False)
    transport: Annotated[
        str, Setting("RTSP_TRANSPORT", "transport of RTSP; auto tries TCP, then UDP", choices=TRANSPORTS)
    ] = "auto"
    motion: MotionSettings = field(default_factory=MotionSettings)
    live_objects: Annotated[
        str, Setting("LIVE_OBJECTS", "when objects are looked for in live frames", choices=LIVE_OBJECTS)
    ] = "motion"
    setting: str = "RTSP_URL"
    detect_url: str | None = field(default=None, repr=False)
    classes: tuple[str, ...] | None = None

    @property
    def job_options(self) -> dict[str, Any]:
        """The options that jobs for its clips carry."""
        return {} if self.classes is None else {"classes": list(self.classes)}

    @property
    def display_url(self) -> str:
        """The URL without user and password, for people."""
        return mask_url(self.url)

    @property
    def scheme(self) -> str:
        """``rtsp``, ``http``…, or ``file`` for a path."""
        scheme = urlsplit(self.url).scheme.lower()
        return scheme if scheme in NETWORK_SCHEMES else "file"


def camera_from_env(values: Mapping[str, str]) -> Camera:
    """Return the camera of ``RTSP_URL`` and ``CAMERA_NAME``.

    Raises:
        SettingError: there is none, or a value is wrong.
    """
    url = require_text(values, "RTSP_URL", f"{URL_REMEDY}, or name a CAMERAS_FILE")
    given = {"name": DEFAULT_NAME, **read_env(declarations(Camera), values)}
    check_name(given["name"], "CAMERA_NAME")
    return Camera(**{**given, "url": checked_url(url, "RTSP_URL"), "motion": MotionSettings.from_env(values)})


def check_name(name: str, where: str) -> None:
    """Refuse a name that cannot be part of a file name.

    Raises:
        SettingError: it cannot; `where` names the setting or table.
    """
    if not re.fullmatch(CAMERA_PATTERN, name):
        raise SettingError(
            f"{where} is {name!r}: use 1 to 32 letters, digits, '-' and '_', beginning with a letter or digit"
        )


def checked_url(url: str, where: str) -> str:
    """Return a camera's URL as libraries understand it, or the path of a file.

    Raises:
        SettingError: it is neither; the message does not repeat a password.
    """
    if "://" not in url:
        if url.isdigit():
            raise SettingError(
                f"{where} is {url!r}: a webcam's number; serve it with: python -m camera_emulator --help"
            )
        if not Path(url).is_file():
            without_password = url.rpartition("@")[2]
            raise SettingError(f"{where} is {mask_url(without_password)!r}, neither a URL nor a file: {URL_REMEDY}")
        return url
    try:
        return clean_url(url)
    except ValueError as error:
        raise SettingError(f"{where} {error}") from None
