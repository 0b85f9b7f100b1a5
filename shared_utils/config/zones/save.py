"""Save a camera's zones: validated first, so that no program ever meets a wrong file of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shared_utils.config.zones.file import parse_zones
from shared_utils.config.zones.model import MAX_REVISION
from shared_utils.contracts.zones import SCHEMA, ZONES_SUFFIX, write_zones, zones_text
from shared_utils.errors import SettingError


def check_content(camera: str, content: Mapping[str, Any]) -> None:
    """Check what a file of zones is to hold; ``schema``, ``camera`` and ``revision`` are those that it will have.

    Raises:
        SettingError: it is wrong; one line that names the zone, the key, the value and the remedy.
    """
    whole = {**content, "schema": SCHEMA, "camera": camera, "revision": MAX_REVISION}
    try:
        parse_zones(zones_text(whole).encode())
    except ValueError as error:
        raise SettingError(str(error)) from None


def save_zones(
    path: Path,
    content: Mapping[str, Any],
    base_revision: int | None = None,
    before_writing: Callable[[], None] = lambda: None,
) -> int:
    """Replace a camera's zones as a whole, if they are right; on disk when this returns.

    Args:
        path: of the file; see :func:`shared_utils.contracts.zones.zones_path`.
        content: its content; ``schema``, ``camera`` and ``revision`` are set here.
        base_revision: revision that the content was made from, 0 for no file; None replaces any.
        before_writing: called when the content is right and was made from the file's revision, while nobody else can
            write it: for the files that the content names.

    Returns:
        The new revision.

    Raises:
        SettingError: the content is wrong; one line that names the zone, the key, the value and the remedy.
        ZonesChanged: the file has another revision than the one that the content was made from.
        FormatError: the file that is there is of another version, or damaged; it is left as it is.
        OSError: it cannot be written.
    """
    check_content(path.name.removesuffix(ZONES_SUFFIX), content)
    return write_zones(path, content, base_revision, before_writing)
