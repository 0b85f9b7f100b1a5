"""Changed settings in a running project: a file of cameras that is edited, and the demo that is left."""

from __future__ import annotations

import re

from devtools.compose import wait_for
from devtools.log_lines import line_of
from shared_utils.config.cameras_file import FILE_NAME
from tests.e2e.incident import Running
from vcam_worker import messages

OPEN_TIMEOUT_S = 60.0


def test_a_file_of_cameras_in_a_folder_is_taken_over_when_it_is_replaced(running: Running) -> None:
    project = running.project
    before = project.setting("CAMERAS_FILE")
    folder = project.folder / "cameras"
    folder.mkdir()
    table = f'url = "{project.secrets.camera_url("camera")}"\n'

    def write(*names: str) -> None:
        fresh = folder / "fresh"
        fresh.write_text("".join(f"[{name}]\n{table}" for name in names))
        fresh.chmod(0o600)
        project.give(folder, fresh)
        fresh.replace(folder / FILE_NAME)

    write("street")
    project.configure({"CAMERAS_FILE": str(folder)})
    project.up()
    project.keep_logs("capture")
    container = project.container("capture")

    def reported(change: str) -> bool:
        return re.search(line_of(messages.CAMERAS_CHANGED, change), project.logs("capture")) is not None

    write("street", "gate")
    wait_for(
        lambda: reported("new: gate"),
        OPEN_TIMEOUT_S,
        "the new camera",
    )
    write("street")
    wait_for(
        lambda: reported("gone: gate"),
        OPEN_TIMEOUT_S,
        "its end",
    )
    assert project.container("capture") == container
    project.keep_logs("capture")
    project.configure({"CAMERAS_FILE": before})
    project.up()


def test_leaving_the_demo_ends_its_camera(running: Running) -> None:
    project = running.project
    assert project.containers("camera")
    project.configure({"COMPOSE_PROFILES": ""})
    project.up()
    assert not project.containers("camera")
    project.configure({"COMPOSE_PROFILES": "demo"})
    project.up()
    assert project.containers("camera")
