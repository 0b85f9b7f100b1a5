"""The zones whose motion a replay ignores: those of the camera in a file's name, or those of one file for all."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from shared_utils.config.zones.files import LoadedZones, ZonesFiles
from shared_utils.contracts.clips import parse_clip_name
from vcam_worker.motion.ignored import Polygons, ignored_polygons


class ReplayZones:
    """Finds where a replay ignores motion.

    Args:
        video_dir: the shared volume, whose zones are those of live capture.
        report: called with what is wrong with a camera's file, once; its clips are replayed without zones.
        given: zones for all files, whatever their cameras; None for those on the volume.
    """

    def __init__(self, video_dir: Path, report: Callable[[str], None], given: LoadedZones | None = None) -> None:
        self._files = ZonesFiles(video_dir, lambda _, problem: report(problem) if problem else None)
        self._given = given

    def get(self, path: Path) -> Polygons:
        """Return where motion is ignored in a file: nowhere if its name is not a clip's, and there is no given one."""
        if self._given is not None:
            return ignored_polygons(self._given.zones)
        name = parse_clip_name(path.name)
        loaded = self._files.get(name.camera) if name else None
        return ignored_polygons(loaded.zones if loaded else None)


def ignored_in(clip: Path) -> Polygons:
    """Return where motion is ignored in a clip on the volume, by the zones beside it; nowhere, with a warning, if they
    are wrong."""
    return ReplayZones(clip.parent, _warn).get(clip)


def _warn(problem: str) -> None:
    warnings.warn(f"{problem}; replayed without zones", stacklevel=2)
