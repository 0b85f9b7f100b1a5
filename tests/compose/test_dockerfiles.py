"""Rules of the Dockerfiles that reading them shows; no docker command is needed."""

from __future__ import annotations

import re

import pytest

from devtools.paths import ROOT

DERIVED = ("Dockerfile.capture", "Dockerfile.video", "Dockerfile.jupyter")
DOCKERFILES = ("Dockerfile.base.dockerfile", *DERIVED)
CODE = "shared_utils"


def _instructions(name: str) -> list[str]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", DERIVED)
def test_libraries_come_before_the_code_so_that_a_change_of_code_rebuilds_in_seconds(name: str) -> None:
    lines = _instructions(name)
    first_code = next(number for number, line in enumerate(lines) if line.startswith(f"COPY {CODE} "))
    assert not [line for line in lines[first_code:] if line.startswith("RUN")]


def test_every_image_takes_the_versions_of_the_constraints() -> None:
    lines = _instructions("Dockerfile.base.dockerfile")
    first_install = next(number for number, line in enumerate(lines) if "pip install" in line)
    assert "COPY constraints.txt /etc/vcam/constraints.txt" in lines[:first_install]
    assert any("PIP_CONSTRAINT=/etc/vcam/constraints.txt" in line for line in lines[:first_install])


def test_no_code_is_in_the_base_image() -> None:
    lines = _instructions("Dockerfile.base.dockerfile")
    copied = [line for line in lines[lines.index("FROM python AS base") :] if line.startswith("COPY")]
    assert copied
    assert not [line for line in copied if CODE in line]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_no_image_runs_as_root(name: str) -> None:
    users = [line for line in _instructions(name) if line.startswith("USER")]
    assert not users or users[-1] == "USER 1000:1000"
    assert users or name in DERIVED  # no USER of its own: the base image's holds


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_download_cache_of_pip_stays_out_of_the_layers(name: str) -> None:
    for line in _instructions(name):
        if "pip install" in line:
            assert "--mount=type=cache,target=/root/.cache/pip" in line


@pytest.mark.parametrize("name", ["base", "capture", "video", "jupyter"])
def test_torch_is_in_no_image(name: str) -> None:
    wanted = (ROOT / f"requirements.{name}.txt").read_text()
    assert not re.search(r"^(torch|ultralytics)", wanted, re.MULTILINE)


@pytest.mark.parametrize("name", ["base", "capture", "video", "jupyter", "export", "easyocr"])
def test_requirements_of_images_are_pinned(name: str) -> None:
    text = (ROOT / f"requirements.{name}.txt").read_text()
    wanted = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert wanted
    assert not [line for line in wanted if "==" not in line]


def test_the_build_context_lets_in_only_what_is_named() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    assert not [line for line in lines if line.startswith("!") and re.search(r"\.env|video$|\.git$", line)]
