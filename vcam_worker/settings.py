"""Capture's settings, read once at its entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared_utils.config.cameras import Camera, cameras_from_env
from shared_utils.config.env import Env, LogSettings, RedisSettings, video_dir
from shared_utils.errors import SettingError
from shared_utils.redact import url_secrets
from vcam_worker.recording.events import ClipRules
from vcam_worker.recording.storage.disk import DiskRules
from vcam_worker.recording.storage.volume import mount_point
from vcam_worker.web.settings import HttpSettings

CAMERA_MEMORY_MB = 512
"""Most memory of one camera's process: half of the container's; MJPEG of 4K takes 280."""
MIN_AFTER_TRIGGER = 1.0
"""Seconds of a clip that must be left after its pre-roll."""


@dataclass(frozen=True)
class CaptureSettings:
    """All that capture is told from outside; and the mount point that the volume was on at the start, if any."""

    cameras: list[Camera]
    video_dir: Path
    rules: ClipRules
    redis: RedisSettings
    log: LogSettings = field(default_factory=LogSettings)
    disk: DiskRules = field(default_factory=DiskRules)
    http: HttpSettings = field(default_factory=HttpSettings)
    mount: Path | None = None
    camera_memory_mb: int = CAMERA_MEMORY_MB

    @property
    def secrets(self) -> set[str]:
        """What no log line may hold."""
        addresses = [url for camera in self.cameras for url in (camera.url, camera.detect_url) if url]
        found = {secret for url in addresses for secret in url_secrets(url)}
        if self.redis.password:
            found.add(self.redis.password)
        return found


def clip_rules(values: Mapping[str, str]) -> ClipRules:
    """Read ``CLIP_SECONDS`` and ``PRE_ROLL_SECONDS``.

    Raises:
        SettingError: a number out of bounds, or a pre-roll that fills the clip.
    """
    env = Env(values)
    rules = ClipRules(
        clip_seconds=env.number("CLIP_SECONDS", ClipRules.clip_seconds, 2, 600),
        pre_roll_seconds=env.number("PRE_ROLL_SECONDS", ClipRules.pre_roll_seconds, 0, 30),
    )
    if rules.pre_roll_seconds > rules.clip_seconds - MIN_AFTER_TRIGGER:
        raise SettingError(
            f"PRE_ROLL_SECONDS is {rules.pre_roll_seconds:g}, which leaves nothing of CLIP_SECONDS "
            f"({rules.clip_seconds:g}) for what happens: use at most {rules.clip_seconds - MIN_AFTER_TRIGGER:g}"
        )
    return rules


def disk_rules(values: Mapping[str, str]) -> DiskRules:
    """Read ``RETENTION_DAYS`` and ``MIN_FREE_GB``."""
    env = Env(values)
    return DiskRules(
        retention_days=env.number("RETENTION_DAYS", DiskRules.retention_days, 0, 36_500),
        min_free_gb=env.number("MIN_FREE_GB", DiskRules.min_free_gb, 0, 1_000_000),
    )


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
        disk=disk_rules(values),
        camera_memory_mb=Env(values).integer("CAMERA_MEMORY_MB", CAMERA_MEMORY_MB, 0, 1_000_000),
        http=HttpSettings.from_env(values),
        video_dir=folder,
        mount=mount_point(folder),
    )
