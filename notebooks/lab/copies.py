"""Copies the notebooks for people to work in, and updates the copies that they have not changed.

Our notebooks are under version control and stay as they are; JupyterLab opens copies. ``.originals.json`` beside them
holds what each copy was made of. A copy counts as changed when its cells' texts are others; outputs do not count.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORD = ".originals.json"
SUFFIX = ".ipynb"
NEW = " (new)"
"""Behind the name of one that comes beside a copy which people have changed."""
BEFORE_COPIES = frozenset(
    {
        "0b2a4c19e83e",
        "1058cb5cf7b2",
        "1b22bcd8e164",
        "279302b6409c",
        "33e08d8b2859",
        "356a5366426a",
        "41322dc773bc",
        "5e128dba2bb6",
        "68858c1378cf",
        "69691883f942",
        "7b83dce665f3",
        "98fd893d5f56",
        "a26958131561",
        "b09033e4e9ac",
        "b31b6692b26c",
        "b5a08ac06232",
        "bfdf3ed69311",
        "ccfe308a6f49",
        "f4520e6158dc",
        "f915540e304f",
    }
)
"""Beginnings of the digests of our notebooks from before there were copies: one of these is not changed by people."""


def bring_copies(originals: Path, folder: Path) -> Iterator[str]:
    """Bring the copies in `folder` up to date, and yield a line for each thing that people should know.

    Nothing is raised: JupyterLab starts with what there is.
    """
    try:
        known = _read_record(folder / RECORD)
        for original in sorted(originals.glob(f"*{SUFFIX}")):
            line = _bring(original, folder / original.name, known)
            if line:
                yield line
        _write(folder / RECORD, json.dumps(known, indent=1).encode())
    except OSError as error:
        yield f"notebooks could not be brought up to date: {error}"


def _bring(original: Path, copy: Path, known: dict[str, str]) -> str | None:
    """Bring one up to date; return what people should know."""
    ours = _digest(original)
    before = known.get(original.name)
    if not copy.exists():
        known[original.name] = ours
        _write(copy, original.read_bytes())
        return None
    theirs = _digest(copy)
    if theirs == ours:
        known[original.name] = ours
        return None
    if before == ours:  # changed by people, and nothing new from us
        return None
    if theirs == before or (before is None and theirs[:12] in BEFORE_COPIES):
        known[original.name] = ours
        _write(copy, original.read_bytes())
        return f"{copy.name} is the new version now"
    beside = copy.with_name(f"{copy.stem}{NEW}{SUFFIX}")
    if beside.exists() and _digest(beside) not in (known.get(beside.name), ours):
        return f"{copy.name} and {beside.name} were changed here, so that the new version did not come: rename one"
    known[original.name] = known[beside.name] = ours
    _write(beside, original.read_bytes())
    return f"{copy.name} was changed here and stays as it is; the new version is {beside.name}"


def _digest(path: Path) -> str:
    """Return a digest of the cells' texts; of the whole file where it is no notebook."""
    data = path.read_bytes()
    try:
        cells = [[cell["cell_type"], _text(cell["source"])] for cell in json.loads(data)["cells"]]
    except (ValueError, KeyError, TypeError):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _read_record(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all; the owner's rights are those of a new file, whatever the original's are."""
    fresh = path.with_name(f"{path.name}.partial")
    fresh.write_bytes(data)
    shutil.move(fresh, path)
