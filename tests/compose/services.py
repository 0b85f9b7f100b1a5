"""Which settings each service of the compose file reads: those that its program declares."""

from __future__ import annotations

from notebooks.lab.jobs.places import Places
from shared_utils.config.folders import MODELS_DIR
from shared_utils.config.job_options import DECLARED
from shared_utils.config.log import LogSettings
from shared_utils.config.setting import Declaration, declarations, declared_settings
from shared_utils.config.web_hosts import HTTP_NAMES
from vcam_worker.recording.storage.disk import DiskRules
from vcam_worker.settings import CaptureSettings
from video_worker.live.settings import LiveSettings
from video_worker.readers.settings import ReaderSettings
from video_worker.settings import AnalysisSettings, WorkerSettings

OPTIONS = {one.setting.name: one for one in DECLARED.values()}
DECLARATIONS: dict[str, Declaration] = {
    **declared_settings(CaptureSettings, AnalysisSettings, WorkerSettings, LiveSettings, ReaderSettings),
    **OPTIONS,
}
"""All settings of our programs, by name."""

LIVE_IGNORES = {"THREADS"}
"""Live computes with one thread, whatever the workers do."""

SERVICES: dict[str, set[str]] = {
    "capture": set(declared_settings(CaptureSettings)),
    "video-worker": {*declared_settings(AnalysisSettings, WorkerSettings, ReaderSettings), *OPTIONS},
    "live": {*declared_settings(AnalysisSettings, LiveSettings, ReaderSettings), *OPTIONS} - LIVE_IGNORES,
    "jupyter": {
        *declared_settings(Places, LogSettings),
        *OPTIONS,
        *(MODELS_DIR.name, HTTP_NAMES.name, declarations(DiskRules)["min_free_gb"].setting.name),
    },
    "camera": set(declared_settings(LogSettings)),
}
"""The settings that each service reads."""

_REDIS = {
    "RDS_HOST": "the service redis; docker-compose.worker.yml takes that of .env",
    "RDS_PORT": "that of the service redis; docker-compose.worker.yml takes that of .env",
    "RDS_PSW": "REDIS_PASSWORD of .env",
    "RDS_TLS": "not needed within the compose network; docker-compose.worker.yml gives a certificate",
    "RDS_CA": "likewise",
    "VIDEO_DIR": "a mount, of the folder that .env names",
}
_PLUGINS = {"PLUGINS_DIR": "a mount, of the folder that .env names"}
BY_COMPOSE: dict[str, dict[str, str]] = {
    "capture": {
        **_REDIS,
        "HTTP_HOST": "all addresses of the container; HTTP_BIND says who reaches it",
        "HTTP_PORT": "that of the container; it is published as that of .env",
        "CAMERAS_FILE": "a mount, of the file or folder that .env names",
    },
    "video-worker": {**_REDIS, **_PLUGINS},
    "live": {**_REDIS, **_PLUGINS},
    "jupyter": _REDIS,
    "camera": {},
}
"""Settings that a compose file sets by itself, and why."""

PASSED_ON = {service: names - set(BY_COMPOSE[service]) for service, names in SERVICES.items()}
"""Settings that reach each service as .env gives them."""

DEFAULTS_OF_COMPOSE = {
    "TZ": "UTC",
    "MODELS_DIR": "/models:/opt/vcam/models",
    "STOP_GRACE_SECONDS": "110",
}
"""What a service gets for a setting that .env leaves out; for all others an empty value, the program's own default."""
