"""Zones of cameras on the volume, read again when a file changes; a wrong file leaves the last good revision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared_utils.config.zones.file import load_zones_file
from shared_utils.config.zones.model import Zones
from shared_utils.contracts.zones import zones_path
from shared_utils.errors import SettingError


@dataclass(frozen=True)
class LoadedZones:
    """The zones of a file.

    Attributes:
        zones: what it holds.
        sha256: of its bytes.
    """

    zones: Zones
    sha256: str


def read_zones_file(path: Path, *, named_after_camera: bool = True) -> LoadedZones:
    """Return the zones of a file.

    Args:
        path: of the file.
        named_after_camera: whether it has to be named after its camera, as it has on the volume.

    Raises:
        SettingError: it cannot be read, or is wrong; one line that names the zone, the key, the value and the remedy.
    """
    zones, data = load_zones_file(path, named_after_camera=named_after_camera)
    return LoadedZones(zones, hashlib.sha256(data).hexdigest())


@dataclass
class _Known:
    """What is known of a camera's file. `sign`: tells one state of it from the next; `problem`: what is wrong."""

    sign: tuple[int, int, int] | None = None
    loaded: LoadedZones | None = None
    problem: str | None = None


@dataclass
class ZonesFiles:
    """The zones of all cameras. One thread uses it.

    Args:
        video_dir: the shared volume.
        report: called with a camera and what is wrong with its file, once for each fault; with None when it is right
            again.
    """

    video_dir: Path
    report: Callable[[str, str | None], None]
    _known: dict[str, _Known] = field(default_factory=dict, init=False)
    _device: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Remember which file system the volume is."""
        self._is_away()

    def get(self, camera: str) -> LoadedZones | None:
        """Return the zones of a camera: of its file, else of its last good revision; None without either.

        While the volume is away, its last revision stays: the file is not deleted, and those who are inside stay so.
        """
        known = self._known.setdefault(camera, _Known())
        path = zones_path(self.video_dir, camera)
        try:
            stat = path.stat()
        except FileNotFoundError:
            if self._is_away():
                return known.loaded
            self._known[camera] = _Known()
            return None
        except OSError as error:
            self._note(camera, known, f"{path} cannot be read: {error.strerror}")
            return known.loaded
        sign = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if sign == known.sign:
            return known.loaded
        try:
            known.loaded = read_zones_file(path)
        except SettingError as error:
            self._note(camera, known, str(error))
        else:
            self._note(camera, known, None)
        known.sign = sign
        return known.loaded

    def _is_away(self) -> bool:
        """Tell whether the volume's folder is missing, or an empty place where it was mounted."""
        try:
            device = self.video_dir.stat().st_dev
        except OSError:
            return True
        self._device = device if self._device is None else self._device
        return device != self._device

    def _note(self, camera: str, known: _Known, problem: str | None) -> None:
        if problem != known.problem:
            known.problem = problem
            self.report(camera, problem)
