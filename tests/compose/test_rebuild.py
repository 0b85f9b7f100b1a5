"""A second build runs no step that could download anything, and a change of code copies files alone.

Run by name, since it builds images: scripts/test tests/compose/test_rebuild.py
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.paths import ROOT

pytestmark = pytest.mark.container

CONTEXT = ("shared_utils", "vcam_worker", "video_worker", "camera_emulator", "notebooks")
FILES = ("Dockerfile.*", "requirements.*.txt", "constraints.txt", ".dockerignore")
IMAGES = ("capture", "video", "jupyter")
TIMEOUT_S = 1200
STEP = re.compile(r"^#(\d+) \[[^\]]*\] ((?:RUN|COPY) .*)$", re.MULTILINE)
CACHED = re.compile(r"^#(\d+) CACHED$", re.MULTILINE)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    return subprocess.run(
        ["docker", *arguments], env=environment, check=False, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def _build(context: Path, name: str, tag: str) -> list[str]:
    """Build an image; return the steps that were really done."""
    # from what .env.example asks for; without a model, torch is not wanted either
    arguments = ["--build-arg", "WITH_YOLOV8N=0"] if name == "base" else []
    file = "Dockerfile.base.dockerfile" if name == "base" else f"Dockerfile.{name}"
    done = _docker("build", "-f", str(context / file), "-t", tag, *arguments, str(context))
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-2000:]
    cached = set(CACHED.findall(output))
    return [step for number, step in STEP.findall(output) if number not in cached]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build takes from the repository."""
    folder = tmp_path_factory.mktemp("context")
    for pattern in FILES:
        for path in ROOT.glob(pattern):
            shutil.copy(path, folder)
    for name in CONTEXT:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "models").mkdir()
    (folder / "models" / ".gitkeep").touch()
    return folder


@pytest.fixture
def tag() -> Iterator[str]:
    """A name that no image of the user's has."""
    if not shutil.which("docker") or _docker("info").returncode:
        pytest.skip("no Docker engine answers")
    if _docker("image", "inspect", "data-pipeline-base").returncode:
        pytest.skip("there is no data-pipeline-base: docker compose build base")
    name = f"vcam-rebuild-{secrets.token_hex(4)}"
    yield name
    _docker("image", "rm", name)


@pytest.mark.parametrize("name", IMAGES)
def test_a_change_of_code_copies_files_and_does_nothing_else(context: Path, tag: str, name: str) -> None:
    _build(context, name, tag)
    assert _build(context, name, tag) == []
    with (context / "shared_utils" / "clips.py").open("a") as file:
        file.write(f"# {secrets.token_hex(8)}\n")
    again = _build(context, name, tag)
    assert any("shared_utils" in step for step in again)
    assert not [step for step in again if not step.startswith("COPY")]


def test_the_base_image_is_not_made_again_by_a_change_of_code(context: Path, tag: str) -> None:
    _build(context, "base", tag)
    with (context / "video_worker" / "worker.py").open("a") as file:
        file.write(f"# {secrets.token_hex(8)}\n")
    assert _build(context, "base", tag) == []
