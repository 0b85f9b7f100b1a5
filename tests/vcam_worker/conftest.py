"""Fixtures of capture's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.ports import free_port
from devtools.redis_server import RedisServer
from tests.support.footage.video import moving_box, write_video


@pytest.fixture
def video_dir(tmp_path: Path) -> Path:
    """The shared volume; capture makes it."""
    return tmp_path / "video"


@pytest.fixture
def env(redis_server: RedisServer, video_dir: Path) -> dict[str, str]:
    """The settings of a capture that makes short clips."""
    return {
        **redis_server.env,
        "VIDEO_DIR": str(video_dir),
        "CLIP_SECONDS": "4",
        "PRE_ROLL_SECONDS": "1",
        "HTTP_PORT": str(free_port()),
    }


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """8 s in which something crosses, for a camera that shows it again and again."""
    return write_video(tmp_path / "footage.mp4", moving_box(start_s=4, end_s=4.9), seconds=8, gop=10)
