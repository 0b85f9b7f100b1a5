"""The compose file, run for real: one project for all tests of this folder, and a report at the end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from devtools.audit import Auditor
from devtools.compose import Project, needs_docker, remove_folder, temporary_folder
from tests.e2e.incident import Report, Running
from tests.support.footage.video import moving_box, write_video

ORDER = ("test_audit", "test_pipeline", "test_settings", "test_outside", "test_trouble", "test_ending")
"""One project lives through all of them."""
VOLUME_MB = 300
"""A quarter of an hour of two small cameras, and cheap to fill."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run these tests only when asked for by name, since they take minutes; in their order."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    asked = any("e2e" in argument for argument in config.invocation_params.args)
    left_out = [item for item in ours if "running" in getattr(item, "fixturenames", ()) and not asked]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    kept = [item for item in ours if item not in left_out]
    kept.sort(key=lambda item: ORDER.index(item.path.stem))
    items[:] = [item for item in items if item not in ours] + kept


def pytest_configure(config: pytest.Config) -> None:
    """Take everything down also where a CI job is cancelled."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """The project, built and up with the demo's camera, as ``.env.example`` sets it up."""
    missing = needs_docker()
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    folder = temporary_folder()
    report = Report()
    mounted = _mount(folder / "video")
    project = Project(
        folder,
        {
            "CLIP_SECONDS": "10",
            "PRE_ROLL_SECONDS": "3",
            "MIN_FREE_GB": "0",
            "CAMERA_NAME": "street",
            "THREADS": "1",
        },
    )
    project.configure({"RTSP_URL": project.secrets.camera_url("camera")})
    write_video(folder / "yard.mp4", moving_box(start_s=0.0, end_s=8.0), seconds=8.0)
    project.give(folder / "yard.mp4")
    try:
        project.say("build")
        project.build()
        project.say("up")
        project.up()
        project.say("all healthy")
        yield Running(project, Auditor(project.video), report, has_small_volume=mounted)
        if request.session.testsfailed:
            project.dump()
    finally:
        project.say("down")
        project.clean()
        report.write(os.environ.get("KEEP"), project)
        if mounted:
            subprocess.run(["umount", str(folder / "video")], check=True)
        remove_folder(folder)


def _mount(folder: Path) -> bool:
    """Make `folder` a small file system of its own, where that is allowed, to be filled to the brim."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB}m", "vcam-e2e", str(folder)]
    return os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
