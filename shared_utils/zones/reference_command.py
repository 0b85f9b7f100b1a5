"""The command that saves a reference picture of a camera, or of one of its pages, beside its zones."""

from __future__ import annotations

import os
from pathlib import Path

from shared_utils.config.zones.model import Zones
from shared_utils.contracts.clips import printable_path
from shared_utils.contracts.zones import ZONES_FOLDER
from shared_utils.errors import SettingError, VcamError
from shared_utils.media.picture import Picture
from shared_utils.media.picture_files import FORMATS, write_picture
from shared_utils.zones.changes import Content, change_zones, reference_name
from shared_utils.zones.draw_command import source_picture


def reference_command(
    zones: Zones,
    video_dir: Path,
    page: str | None = None,
    corners: list[list[float]] | None = None,
    picture: Path | None = None,
    clip: Path | None = None,
    at_s: float = 0.0,
) -> str:
    """Save a reference picture and name it in a new revision of the zones; return a line that says so.

    Args:
        zones: of the camera.
        video_dir: the shared volume, where they are.
        page: name of the page; None for the picture that the zones were drawn on.
        corners: of the page, 0..1 of the picture, where the zones do not have it yet.
        picture: to save; None for a frame of a clip.
        clip: whose frame is saved; None for the camera's newest one.
        at_s: which frame of the clip, seconds from its first one.

    Raises:
        SettingError: there is nothing to save, or no such page.
        ZonesChanged: somebody else has saved the zones meanwhile; neither they nor the picture were written.
        VcamError: a file cannot be read or written.
    """
    known = [one.name for one in zones.pages]
    if page is not None and page not in known and corners is None:
        has = f"its pages: {', '.join(known)}" if known else "it has none"
        raise SettingError(f"camera {zones.camera!r} has no page {page!r}; {has}. A new one needs --corners")
    if corners is not None and page is None:
        raise SettingError("--corners are those of a page: give --page as well")
    image, source = source_picture(zones.camera, video_dir, picture, clip, at_s)
    name = reference_name(zones, page)
    revision = change_zones(
        video_dir,
        zones.camera,
        lambda content, _: _set(content, name, page, corners),
        lambda: _write(video_dir / ZONES_FOLDER / name, image),
        zones.revision,
    )
    whose = f"camera {zones.camera}" if page is None else f"page {page} of camera {zones.camera}"
    return f"{name}: {printable_path(source)} is the reference of {whose}, revision {revision}"


def _set(content: Content, name: str, page: str | None, corners: list[list[float]] | None) -> None:
    if page is None:
        content["reference"] = name
        return
    pages = content.setdefault("pages", [])
    entry = next((one for one in pages if one["name"] == page), None)
    if entry is None:
        entry = {"name": page}
        pages.append(entry)
    if corners is not None:
        entry["points"] = corners
    entry["reference"] = name


def _write(path: Path, picture: Picture) -> None:
    """Write a picture under its final name at once: nobody reads half of it."""
    suffix = path.suffix if path.suffix.lower() in FORMATS else FORMATS[0]
    partial = path.with_name(f".{path.name}.{os.getpid()}{suffix}")
    try:
        write_picture(partial, picture)
        partial.replace(path)
    except OSError as error:
        raise VcamError(f"{printable_path(path)}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
