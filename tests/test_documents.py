"""The tests that the documents name as proof are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devtools.paths import ROOT

DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
FILE = re.compile(r"`(tests/[\w./-]+\.py)`")
TEST = re.compile(r"`(test_\w+)`")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    there = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in FILE.findall(text) if not (ROOT / name).is_file()] == []
    assert [name for name in TEST.findall(text) if f"def {name}(" not in there] == []
