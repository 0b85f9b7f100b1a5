"""Fixtures of all tests: a real Redis, the shared footage."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.paths import shared_folder
from devtools.redis_server import RedisServer
from tests.support.footage.video import CLIP_NAME, moving_box, write_video
from tests.support.programs import Programs

MARKED_BY_FIXTURE = {"browser": "browser", "running": "container"}


def _shared(part: str) -> Path:
    folder = shared_folder() / part
    if not folder.is_dir():
        message = f"no shared test material at {folder}: set VCAM_SHARED to the folder that holds {part}/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they use; run slow modules first, so that none is left alone at the end of a parallel run."""
    for item in items:
        for fixture, marker in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with data/ and models/ of the project's test material; the test is skipped where it is absent."""
    return _shared("data").parent


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Starts programs as real processes; none outlives the test."""
    started = Programs()
    yield started
    started.end()


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, really full when it is."""
    folder = tmp_path / "volume"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def clip_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 10 s, 10 frames per second, 640×360; a red square crosses at 4 to 7 s."""
    return write_video(tmp_path_factory.mktemp("clips") / CLIP_NAME, moving_box(start_s=4.0, end_s=7.0))
