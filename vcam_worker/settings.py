"""Capture's settings, read once at its entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from shared_utils.config.cameras import Camera
from shared_utils.config.cameras_file import CAMERAS_FILE, cameras_from_env
from shared_utils.config.env import read_env, read_field
from shared_utils.config.folders import VIDEO_DIR, video_dir
from shared_utils.config.log import LogSettings
from shared_utils.config.redis import RedisSettings
from shared_utils.config.setting import Setting, declarations
from shared_utils.errors import SettingError
from shared_utils.redact import url_secrets
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.recording.storage.disk import DiskRules
from vcam_worker.recording.storage.volume import mount_point
from vcam_worker.web.settings import HttpSettings

CAMERA_MEMORY_MB = 512
"""Most memory of one camera's process: half of the container's; MJPEG of 4K takes 280."""
MIN_AFTER_TRIGGER_S = 1.0
"""What a clip must be longer than its pre-roll, seconds."""


@dataclass(frozen=True)
class CaptureSettings:
    """All settings of capture, and the mount point that the volume was on at the start, if any."""

    cameras: Annotated[list[Camera], CAMERAS_FILE]
    video_dir: Annotated[Path, VIDEO_DIR]
    rules: ClipRules
    redis: RedisSettings
    log: LogSettings = field(default_factory=LogSettings)
    disk: DiskRules = field(default_factory=DiskRules)
    http: HttpSettings = field(default_factory=HttpSettings)
    mount: Path | None = None
    camera_memory_mb: Annotated[
        int, Setting("CAMERA_MEMORY_MB", "most memory of one camera's process, MB; 0: no bound", ge=0, le=1_000_000)
    ] = CAMERA_MEMORY_MB

    @property
    def secrets(self) -> set[str]:
        """Texts that no log line may hold."""
        urls = [url for camera in self.cameras for url in (camera.url, camera.detect_url) if url]
        found = {secret for url in urls for secret in url_secrets(url)}
        if self.redis.password:
            found.add(self.redis.password)
        return found


def clip_rules(values: Mapping[str, str]) -> ClipRules:
    """Read ``CLIP_SECONDS`` and ``PRE_ROLL_SECONDS``.

    Raises:
        SettingError: a number out of bounds, or a pre-roll that fills the clip.
    """
    rules = ClipRules(**read_env(declarations(ClipRules), values))
    if rules.pre_roll_seconds > rules.clip_seconds - MIN_AFTER_TRIGGER_S:
        raise SettingError(
            f"PRE_ROLL_SECONDS is {rules.pre_roll_seconds:g}, which leaves nothing of CLIP_SECONDS "
            f"({rules.clip_seconds:g}) for what happens: use at most {rules.clip_seconds - MIN_AFTER_TRIGGER_S:g}"
        )
    return rules


def read_settings(values: Mapping[str, str]) -> CaptureSettings:
    """Return the settings of the environment.

    Raises:
        SettingError: the first wrong one, by name.
    """
    folder = video_dir(values)
    return CaptureSettings(
        cameras=cameras_from_env(values),
        rules=clip_rules(values),
        redis=RedisSettings.from_env(values),
        log=LogSettings.from_env(values),
        disk=DiskRules(**read_env(declarations(DiskRules), values)),
        camera_memory_mb=read_field(CaptureSettings, "camera_memory_mb", values),
        http=HttpSettings.from_env(values),
        video_dir=folder,
        mount=mount_point(folder),
    )
