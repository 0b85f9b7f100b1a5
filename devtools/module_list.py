"""The list of modules in docs/architecture.md, made from the first sentences of their docstrings.

``python -m devtools.module_list`` writes it anew; a test fails while it is out of date.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from devtools.paths import ROOT

PACKAGES = (
    "shared_utils",
    "vcam_worker",
    "video_worker",
    "notebooks/lab",
    "camera_emulator",
    "devtools",
    "scripts",
)
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- modules: python -m devtools.module_list writes this -->", "<!-- end of modules -->"
SUFFIXES = {"", ".py", ".js", ".css"}


def modules(package: str) -> list[Path]:
    """Return the modules of a package, room by room, each room's own description first."""
    found = [
        path
        for path in (ROOT / package).rglob("*")
        if path.is_file()
        and path.suffix in SUFFIXES
        and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)
    ]
    return sorted(found, key=lambda path: (path.parent.parts, path.name != "__init__.py", path.name))


def summary(path: Path) -> str:
    """Return the first sentence of what a module says of itself; empty where it says nothing."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py" or text.startswith("#!/usr/bin/env python"):
        described = ast.get_docstring(ast.parse(text)) or ""
    else:
        described = _leading_comment(text)
    paragraph = " ".join(described.split("\n\n")[0].split())
    paragraph = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", paragraph).replace("``", "`")
    return paragraph.partition(". ")[0].removesuffix(".")


def _leading_comment(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#!"):
            continue
        comment = re.match(r"\s*(?:#|//|/\*+|\*)\s?(.*?)\s*(?:\*/)?$", line)
        if comment is None or not (comment[1] or lines):
            break
        lines.append(comment[1])
    return "\n".join(lines)


def markdown() -> str:
    """Return the list: a heading per package, a line per room, a line per module."""
    return "\n".join(line for package in PACKAGES for line in _of(package)) + "\n"


def _of(package: str) -> Iterator[str]:
    yield f"### {package}"
    room = None
    for path in modules(package):
        if path.parent != room:
            room = path.parent
            own = summary(path) if path.name == "__init__.py" else ""
            name = room.relative_to(ROOT).as_posix()
            yield ""
            yield f"**`{name}/`**{': ' * bool(own)}{own}"
            yield ""
        if path.name != "__init__.py":
            yield f"* `{path.name}`: {summary(path)}"
    yield ""


def written(text: str) -> str:
    """Return `text`, a document, with the list as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown()}\n{END}{after}"


def main() -> int:
    """Write the list into the document; return the exit code."""
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
