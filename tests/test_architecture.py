"""docs/architecture.md names every module as it is, and documents name only files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devtools.module_list import DOCUMENT, PACKAGES, modules, summary, written
from devtools.paths import CODE_FOLDERS, ROOT

DOCUMENTS = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULE = re.compile(r"`([a-z_0-9/]+\.(?:py|js))`")


def _title(path: Path) -> str:
    return path.name


def test_every_module_is_in_the_list_with_its_own_summary() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    wanted = written(text).splitlines()
    there = text.splitlines()
    missing, stale = sorted(set(wanted) - set(there)), sorted(set(there) - set(wanted))
    assert there == wanted, f"run python -m devtools.module_list\nmissing: {missing}\nstale: {stale}"


def test_every_module_says_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for package in PACKAGES for path in modules(package) if not summary(path)]
    assert not silent


@pytest.mark.parametrize("document", DOCUMENTS, ids=_title)
def test_modules_that_a_document_names_exist(document: Path) -> None:
    known = [path.relative_to(ROOT).as_posix() for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*.*")]
    named = set(MODULE.findall(document.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not any(f"/{path}".endswith(f"/{name}") for path in known)] == []


def test_the_glossary_is_short_and_each_term_stands_in_it_once() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text[text.index("## Glossary") : text.index("## From packet to line")]
    terms = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    assert len(set(terms)) == len(terms) <= 25
