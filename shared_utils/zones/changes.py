"""Commands that change a camera's zones: switch a group by hand, save a reference picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shared_utils.config.zones.file import parse_zones
from shared_utils.config.zones.model import Zones
from shared_utils.config.zones.save import save_zones
from shared_utils.contracts.zones import read_zones, revision_of, zones_path, zones_text
from shared_utils.errors import SettingError, VcamError, ZonesChanged

Content = dict[str, Any]


def switch_group(video_dir: Path, camera: str, name: str, *, on: bool) -> str:
    """Switch a group of zones on or off, as a new revision; return a line that says so.

    Raises:
        SettingError: there is no such group, or the zones are wrong.
        VcamError: they cannot be written.
    """

    def change(content: Content, zones: Zones) -> None:
        known = sorted({zone.group for zone in zones.zones if zone.group} | {group.name for group in zones.groups})
        if name not in known:
            raise SettingError(f"camera {camera!r} has no group {name!r}; its groups: {', '.join(known) or 'none'}")
        groups = content.setdefault("groups", [])
        entry = next((one for one in groups if one["name"] == name), None)
        if entry is None:
            entry = {"name": name}
            groups.append(entry)
        entry["on"] = on

    revision = change_zones(video_dir, camera, change)
    return f"group {name} of camera {camera} is {'on' if on else 'off'}, revision {revision}"


def change_zones(
    video_dir: Path,
    camera: str,
    change: Callable[[Content, Zones], None],
    before_writing: Callable[[], None] = lambda: None,
    base_revision: int | None = None,
) -> int:
    """Write a changed revision of a camera's zones; return its number.

    Args:
        video_dir: the shared volume.
        camera: whose zones.
        change: changes the file's content, which it is given beside what it means.
        before_writing: called when the changed zones are right, and nobody else has saved any meanwhile.
        base_revision: that the change was made from; None for the one that `change` is given.

    Raises:
        SettingError: there are no zones, they are wrong, or would be after the change.
        ZonesChanged: somebody else has saved them meanwhile; nothing was written.
        VcamError: they cannot be read or written.
    """
    path = zones_path(video_dir, camera)
    try:
        content = read_zones(path)
        if content is None:
            raise SettingError(f"camera {camera!r} has no zones: there is no file {path}")
        if base_revision is None:
            base_revision = revision_of(content)
        change(content, _parsed(content, path))
        _parsed(content, path)
        return save_zones(path, content, base_revision, before_writing)
    except ZonesChanged as error:
        raise ZonesChanged(f"{error}; nothing was saved: run the command again") from None
    except OSError as error:
        raise VcamError(f"{path}: {error.strerror or error}") from None


def reference_name(zones: Zones, page: str | None) -> str:
    """Return the name of the file for a reference picture: that of the zones, unless others have the same.

    Args:
        zones: of the camera.
        page: whose picture; None for the camera's own.
    """
    names = {one.name: one.reference for one in zones.pages}
    others: Sequence[str | None] = [name for one, name in names.items() if one != page]
    given = zones.reference if page is None else names.get(page)
    others = others if page is None else [*others, zones.reference]
    if given is not None and given not in others:
        return given
    return f"{zones.camera}.reference.png" if page is None else f"{zones.camera}.page-{page}.png"


def _parsed(content: Content, path: Path) -> Zones:
    try:
        return parse_zones(zones_text(content).encode())
    except ValueError as error:
        raise SettingError(f"{path}: {error}") from None
