"""constraints.txt and docs/licences.md fit what requirements.*.txt ask for; scripts/pins makes both."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from devtools.paths import ROOT

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;#]+)(?:\s*;\s*(.*))?$", re.MULTILINE)
REQUIREMENTS = [
    path
    for path in (*sorted(ROOT.glob("requirements.*.txt")), *sorted((ROOT / "scripts").glob("requirements.*.txt")))
    if path.name != "requirements.pins.txt"  # of a throwaway environment
]
ELSEWHERE = re.compile(r"sys_platform == '(darwin|win32)'|os_name == 'nt'")
CUDA = re.compile(r"^(nvidia-(?!ml-py)|cuda-|triton$)")
"""What torch's CUDA build brings along; it is in no image."""


def _pins(path: Path) -> list[tuple[str, str, str]]:
    return [
        (re.sub(r"[-_.]+", "-", name).lower(), version, marker)
        for name, version, marker in PIN.findall(path.read_text())
    ]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_in_the_constraints_in_its_version(path: Path) -> None:
    pinned = {(name, version) for name, version, _ in _pins(ROOT / "constraints.txt")}
    missing = [f"{name}=={version}" for name, version, _ in _pins(path) if (name, version) not in pinned]
    assert not missing, "run scripts/pins lock"


def test_every_line_of_the_requirements_is_a_pin() -> None:
    for path in REQUIREMENTS:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) == len(_pins(path)), path.name


def test_what_is_installed_here_is_what_is_pinned() -> None:
    from importlib.metadata import distributions

    pinned: dict[str, set[str]] = {}
    for name, version, _ in _pins(ROOT / "constraints.txt"):
        pinned.setdefault(name, set()).add(version)
    installed = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version.partition("+")[0] for one in distributions()}
    wanted = {name for path in REQUIREMENTS for name, _, _ in _pins(path)} & set(installed)
    assert len(wanted) > 10, sys.path
    assert {name: installed[name] for name in wanted if installed[name] not in pinned[name]} == {}


def test_the_licence_of_every_pinned_package_is_listed() -> None:
    table = (ROOT / "docs" / "licences.md").read_text().partition("<!-- scripts/pins licences: begin -->")[2]
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (\d\S*) \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    listed = {(name, version) for name, version, _, _ in rows}
    pins = _pins(ROOT / "constraints.txt")
    wanted = {name for name, _, marker in pins if not ELSEWHERE.search(marker) and not CUDA.match(name)}
    by_marker = {name for name, _, marker in pins if "python_full_version" in marker}
    # what only another Python than the listing one needs may be missing
    assert wanted - {name for name, _ in listed} <= by_marker, "run scripts/pins licences"
    assert listed <= {(name, version) for name, version, _ in pins}, "run scripts/pins licences"
    assert not [name for name, _, licence, _ in rows if licence == "not stated"]
