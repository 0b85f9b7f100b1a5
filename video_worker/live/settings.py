"""The live worker's settings, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from shared_utils.config.capture_url import CAPTURE_URL, DEFAULT_CAPTURE_URL
from shared_utils.config.env import read_env
from shared_utils.config.folders import VIDEO_DIR, video_dir
from shared_utils.config.log import LogSettings
from shared_utils.config.redis import RedisSettings
from shared_utils.config.setting import Setting, declarations


@dataclass(frozen=True)
class LiveSettings:
    """What the live worker needs besides what analysis needs.

    Attributes:
        capture_url: where capture's pages are.
        fps: frames analysed per second and camera, at most.
    """

    redis: RedisSettings
    log: LogSettings
    video_dir: Annotated[Path, VIDEO_DIR]
    capture_url: Annotated[str, CAPTURE_URL] = DEFAULT_CAPTURE_URL
    fps: Annotated[float, Setting("LIVE_FPS", "live frames analysed per second and camera, at most", ge=0.2, le=30)] = (
        5.0
    )

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> LiveSettings:
        """Read those of Redis and of logging, ``VIDEO_DIR``, ``CAPTURE_URL`` and ``LIVE_FPS``.

        Raises:
            SettingError: a value is wrong, or nothing can be written to the volume.
        """
        declared = declarations(cls)
        own = read_env({name: declared[name] for name in ("capture_url", "fps")}, values)
        return cls(RedisSettings.from_env(values), LogSettings.from_env(values), video_dir(values), **own)
