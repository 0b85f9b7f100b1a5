"""Writes what the steps declare into docs/analysis.md, between its markers.

::

    python -m devtools.step_docs            # writes the page
    python -m devtools.step_docs --check    # exit code 1 where the page differs
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence

from devtools.paths import ROOT
from video_worker.steps import STEPS
from video_worker.steps.base import Step

PAGE = ROOT / "docs" / "analysis.md"


def rendered(page: str, steps: Sequence[type[Step]] = STEPS) -> str:
    """Return the text of the page with what `steps` declare in its blocks."""
    for name, render in BLOCKS.items():
        pattern = re.compile(rf"(<!-- of the steps: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        found = pattern.search(page)
        if not found:
            raise ValueError(f"docs/analysis.md has no block <!-- of the steps: {name} -->")
        page = f"{page[: found.start()]}{found[1]}\n{render(steps)}\n{found[2]}{page[found.end() :]}"
    return page


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("  ", " ") for line in lines)


def _keys(steps: Sequence[type[Step]]) -> str:
    rows = [
        (f"`{key.name}`", key.meaning, f"`{key.example}`", f"`{step.__module__.rpartition('.')[2]}`")
        for step in steps
        for key in step.adds.keys
    ]
    return _table(["key", "meaning", "example", "step"], rows)


def _log_columns(steps: Sequence[type[Step]]) -> str:
    rows = [(f"`{one.name}`", one.meaning, one.unit) for step in steps for one in step.adds.columns]
    return _table(["column", "meaning", "unit"], rows)


def _box_columns(steps: Sequence[type[Step]]) -> str:
    rows = [(f"`{one.name}`", one.meaning, one.unit) for step in steps for one in step.adds.box_columns]
    return _table(["column", "meaning", "unit"], rows)


def _recipes(steps: Sequence[type[Step]]) -> str:
    recipes = [recipe for step in steps for recipe in step.adds.recipes]
    return "\n".join(f"### {recipe.title}\n\n```python\n{recipe.code}\n```\n" for recipe in recipes)


BLOCKS: dict[str, Callable[[Sequence[type[Step]]], str]] = {
    "keys": _keys,
    "columns": _log_columns,
    "columns of boxes": _box_columns,
    "recipes": _recipes,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m devtools.step_docs", description="What steps declare, in the docs."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where the page differs")
    given = parser.parse_args(arguments)
    before = PAGE.read_text(encoding="utf-8")
    after = rendered(before)
    if given.check:
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
