"""The tests and constants that the documents name are there."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import pytest

from devtools.paths import ROOT

DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
FILE = re.compile(r"`(tests/[\w./-]+\.py)`")
TEST = re.compile(r"`(test_\w+)`")
CONSTANT = re.compile(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`")
SOURCES = ("*.py", "*.yml", ".env.example", "Dockerfile*", "scripts/*", ".ci/run")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    there = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in FILE.findall(text) if not (ROOT / name).is_file()] == []
    assert [name for name in TEST.findall(text) if f"def {name}(" not in there] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_and_constant_that_is_named_exists(path: Path) -> None:
    named = set(CONSTANT.findall(path.read_text(encoding="utf-8")))
    assert named <= _words(), sorted(named - _words())


@functools.cache
def _words() -> frozenset[str]:
    """Return all words of the programs, of the compose files and of what builds and runs them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *SOURCES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = [(ROOT / name).read_text(encoding="utf-8", errors="replace") for name in listed if name]
    return frozenset(re.findall(r"\w+", "\n".join(texts)))
