"""Zones of a camera: ``zones/<camera>.json``, one file with all of them.

This module knows where the file is, its version and its revision; what zones mean, and whether a file is right, is in
:mod:`shared_utils.config.zones`. Coordinates are 0..1 of the picture::

    {"schema": 1, "camera": "press-3", "revision": 7, "zones": [{"name": "gate", "points": [[0.1, 0.1], …]}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared_utils.contracts.json_lines import parse_object
from shared_utils.contracts.sidecars import check_schema, display_path
from shared_utils.durable import locked_folder, replace_file
from shared_utils.errors import FormatError, ZonesChanged

ZONES_FOLDER = "zones"
ZONES_SUFFIX = ".json"
SCHEMA = 1

_POINT = re.compile(r"\[\n *([^\s\[\]{},\"]+),\n *([^\s\[\]{},\"]+)\n *\]")
"""Two numbers, each in a line of its own: within texts of JSON there is no line break."""


def zones_path(video_dir: Path, camera: str) -> Path:
    """Return the path of a camera's zones."""
    return video_dir / ZONES_FOLDER / f"{camera}{ZONES_SUFFIX}"


def read_zones(path: Path) -> dict[str, Any] | None:
    """Return the content of a zones file, as far as its version says that it can be understood; None without a file.

    Raises:
        OSError: it cannot be read.
        FormatError: it is of another version, or not a JSON object.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    found = parse_object(content)
    if found is None:
        raise FormatError(f"{display_path(path)} is not a JSON object: correct it, or move it away")
    check_schema(found, path, SCHEMA)
    return found


def zones_text(content: Mapping[str, Any]) -> str:
    """Return the text of a file of zones, for people to read: each point in one line."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    return _POINT.sub(r"[\1, \2]", text) + "\n"


def revision_of(content: Mapping[str, Any] | None) -> int:
    """Return the revision that a file's content says it is; 0 without a file, or where it says none."""
    revision = (content or {}).get("revision", 0)
    return revision if isinstance(revision, int) and not isinstance(revision, bool) else 0


def write_zones(
    path: Path,
    zones: Mapping[str, Any],
    base_revision: int | None = None,
    before_writing: Callable[[], None] = lambda: None,
) -> int:
    """Replace a camera's zones as a whole; on disk when this returns.

    Args:
        path: of the file; see :func:`zones_path`.
        zones: its content; ``schema``, ``camera`` and ``revision`` are set here.
        base_revision: revision that the content was made from, 0 for no file; None replaces any.
        before_writing: called when the file has that revision, while nobody else can write it: for the files it names.

    Returns:
        The new revision: one more than the file's before.

    Raises:
        OSError: it cannot be written.
        FormatError: the file that is there is of another version, or damaged; it is left as it is.
        ZonesChanged: the file has another revision than the one that the content was made from; it is left as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(path.parent):
        before = revision_of(read_zones(path))
        if base_revision is not None and before != base_revision:
            raise ZonesChanged(
                f"{display_path(path)} was changed meanwhile: it has revision {before}, and the change was made from "
                f"revision {base_revision}"
            )
        before_writing()
        revision = before + 1
        head = {"schema": SCHEMA, "camera": path.name.removesuffix(ZONES_SUFFIX), "revision": revision}
        rest = {key: value for key, value in zones.items() if key not in head}
        replace_file(path, zones_text({**head, **rest}))
    return revision
