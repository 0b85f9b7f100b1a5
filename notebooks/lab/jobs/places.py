"""Paths and connections of the notebooks: the shared volume, its log, the queue.

One line at the top of each notebook.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rq import Queue

from shared_utils.config.capture_url import CAPTURE_URL, DEFAULT_CAPTURE_URL
from shared_utils.config.env import read_env
from shared_utils.config.folders import VIDEO_DIR, video_path
from shared_utils.config.redis import RedisSettings
from shared_utils.config.setting import declarations
from shared_utils.contracts.detections_log import log_path
from shared_utils.contracts.sidecars import BOXES_FOLDER
from shared_utils.queue.jobs import clip_queue, connect

PROJECT = Path("..")
"""The project's folder, as seen from a notebook."""


@dataclass(frozen=True)
class Places:
    """The shared volume, the queue and capture, as the environment names them.

    Attributes:
        video: the shared volume (``VIDEO_DIR``; ``../video`` beside the notebooks folder).
        redis: where the queue is.
        capture: URL of capture's pages (``CAPTURE_URL``).
    """

    video: Annotated[Path, VIDEO_DIR]
    redis: RedisSettings
    capture: Annotated[str, CAPTURE_URL] = DEFAULT_CAPTURE_URL

    @classmethod
    def from_env(cls, values: Mapping[str, str] | None = None) -> Places:
        """Read ``VIDEO_DIR``, ``CAPTURE_URL`` and the ``RDS_*`` settings; nothing is opened or connected yet."""
        values = os.environ if values is None else values
        capture = read_env({"capture": declarations(cls)["capture"]}, values)
        return cls(video_path(values, PROJECT), RedisSettings.from_env(values), **capture)

    @property
    def log(self) -> Path:
        """``detections_log.jsonl``."""
        return log_path(self.video)

    @property
    def boxes(self) -> Path:
        """The folder of boxes files."""
        return self.video / BOXES_FOLDER

    def queue(self) -> Queue:
        """Return the queue of clips; the connection opens with its first command."""
        return clip_queue(self.redis, connect(self.redis))
