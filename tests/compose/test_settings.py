"""Every setting is declared, documented, in .env.example, and handed over by compose. No engine is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devtools.paths import ROOT
from tests.compose.services import BY_COMPOSE, DECLARATIONS, PASSED_ON, SERVICES

COMPOSE_ONLY = "Compose only"
SET_BY_PROGRAMS = {"RDS_PSW"}
"""Settings that nobody writes into .env: REDIS_PASSWORD stands for it there."""


class ComposeLoader(yaml.SafeLoader):
    """Reads compose files with the tags of compose: ``!reset`` and ``!override``."""


ComposeLoader.add_multi_constructor("!", lambda loader, _, node: _construct(loader, node))


def _construct(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


def compose_file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / name).read_text(), ComposeLoader)  # a SafeLoader
    return loaded


def documented() -> Iterator[tuple[str, str, str]]:
    """Yield section, name and default of each setting in the tables of docs/configuration.md."""
    section = ""
    for line in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if not line.startswith("| `"):
            continue
        _, names, default, *_ = (cell.strip() for cell in line.split("|"))
        found = re.findall(r"`([A-Z][A-Z0-9_]*)`", names)
        defaults = default.split(", ") if len(found) > 1 and default.count(", ") == len(found) - 1 else [default]
        for number, name in enumerate(found):
            yield section, name, defaults[number % len(defaults)].strip("`")


def exampled() -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_the_documentation_has_every_setting_that_a_program_declares_and_no_other() -> None:
    assert {name for section, name, _ in documented() if section != COMPOSE_ONLY} == set(DECLARATIONS)


def test_the_example_has_every_setting_that_is_documented_and_no_other() -> None:
    assert exampled() | SET_BY_PROGRAMS == {name for _, name, _ in documented()}


def test_every_declared_setting_is_described() -> None:
    assert [name for name, one in DECLARATIONS.items() if not one.setting.description] == []


@pytest.mark.parametrize(("name", "default"), [(name, default) for _, name, default in documented()])
def test_a_documented_default_is_the_one_of_the_program(name: str, default: str) -> None:
    own = DECLARATIONS[name].default if name in DECLARATIONS else None
    if isinstance(own, bool):
        assert default == ("yes" if own else "no")
    elif isinstance(own, int | float):
        assert float(default) == own
    elif own:
        assert default == own


def test_an_example_that_is_a_number_is_the_default() -> None:
    text = (ROOT / ".env.example").read_text()
    lines = re.findall(r"^#([A-Z][A-Z0-9_]*)=([0-9]+(?:[.][0-9]+)?)$", text, re.MULTILINE)
    examples = {name: float(value) for name, value in lines if name in DECLARATIONS}
    # the port of Redis of another machine, and compose's own
    different = {"RDS_PORT", "STOP_GRACE_SECONDS"}
    assert len(examples) > 10
    assert {name: DECLARATIONS[name].default for name in examples.keys() - different} == {
        name: value for name, value in examples.items() if name not in different
    }


def test_no_program_reads_a_setting_past_its_declaration() -> None:
    packages = ("shared_utils", "vcam_worker", "video_worker", "camera_emulator", "notebooks")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    read = re.compile(r"""(?:environ|values|env)(?:\.get\(|\[)["']([A-Z][A-Z0-9_]*)["'](?!\]\s*=)""")
    found = {(path.relative_to(ROOT).as_posix(), name) for path in sources for name in read.findall(path.read_text())}
    # as it stands: the C library strips neither blanks nor quotes
    allowed = {("shared_utils/config/log.py", "TZ")}
    assert {(path, name) for path, name in found if name in DECLARATIONS} <= allowed


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_compose_hands_over_every_setting_that_a_service_reads(service: str) -> None:
    environment = compose_file("docker-compose.yml")["services"][service]["environment"]
    for name in PASSED_ON[service]:
        assert re.fullmatch(rf"\$\{{{name}(:?-[^}}]*)?}}", environment[name]), name


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_compose_hands_over_no_setting_that_a_service_does_not_read(service: str) -> None:
    given = set(compose_file("docker-compose.yml")["services"][service]["environment"])
    assert given - SERVICES[service] <= {"JUPYTER_TOKEN"}


@pytest.mark.parametrize("service", ["capture", "video-worker", "live", "jupyter"])
def test_the_folder_of_the_volume_is_mounted_where_the_service_expects_it(service: str) -> None:
    found = compose_file("docker-compose.yml")["services"][service]
    sources = {one["target"]: one["source"] for one in found["volumes"] if isinstance(one, dict)}
    assert sources[found["environment"]["VIDEO_DIR"]] == "${VIDEO_DIR:-./video}"


def test_a_worker_on_another_machine_gets_what_it_needs_of_redis() -> None:
    environment = compose_file("docker-compose.worker.yml")["services"]["video-worker"]["environment"]
    assert set(environment) <= set(BY_COMPOSE["video-worker"])
    assert environment["RDS_HOST"].startswith("${RDS_HOST:?")
    assert environment["RDS_PORT"] == "${RDS_PORT:-6380}"
    assert Path(environment["RDS_CA"]).is_absolute()
