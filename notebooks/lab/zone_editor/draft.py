"""A camera's zones while a person changes them: what the file holds, what is drawn, and whether both can be saved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_utils.config.zones.file import load_zones
from shared_utils.config.zones.save import check_content, save_zones
from shared_utils.contracts.sidecars import display_path
from shared_utils.contracts.zones import read_zones, zones_path
from shared_utils.errors import FormatError, SettingError, VcamError, ZonesChanged

MAX_DRAFT_BYTES = 2**20
"""As large as a file of zones may be."""

HEAD = ("schema", "camera", "revision")
"""Keys that a save sets."""

Content = Mapping[str, Any]


class Draft:
    """The zones of one camera, as they are being changed.

    What the editor does not show is kept as it is in the file: pages, groups, the reference picture.

    Args:
        video_dir: the shared volume.
        camera: its name.

    Attributes:
        camera: its name.
        path: its file, which need not be there yet.
        revision: of the file as it was read; 0 without one.
        zones: as they are drawn, each as in the file.

    Raises:
        SettingError: the file is wrong; one line that names the zone, the key, the value and the remedy.
    """

    def __init__(self, video_dir: Path, camera: str) -> None:
        self.camera = camera
        self.path = zones_path(video_dir, camera)
        self.revision = 0
        self.zones: list[Content] = []
        self._content: Content = {}
        self.load()

    @property
    def pages(self) -> Sequence[Content]:
        """The pages of the file, each with `name` and `points`."""
        pages: Sequence[Content] = self._content.get("pages", ())
        return pages

    @property
    def is_changed(self) -> bool:
        """Whether what is drawn differs from what was read or saved last."""
        return self.zones != list(self._content.get("zones", ()))

    def load(self) -> None:
        """Take what the file holds, in the place of what is drawn.

        Raises:
            SettingError: it is wrong; what is drawn stays.
        """
        found: Content = {}
        if self.path.is_file():
            load_zones(self.path)
            try:
                found = read_zones(self.path) or {}
            except (FormatError, OSError) as error:
                raise SettingError(str(error)) from None
        self._content = found
        self.revision = int(found.get("revision", 0))
        self.zones = list(found.get("zones", ()))

    def draw(self, zones: object) -> None:
        """Take what a person has drawn.

        Raises:
            SettingError: it is no list of zones, or too large for a file.
        """
        if not isinstance(zones, list) or not all(isinstance(zone, dict) for zone in zones):
            raise SettingError("zones must be a list of objects")
        if len(json.dumps(zones)) > MAX_DRAFT_BYTES:
            raise SettingError(f"zones take more than {MAX_DRAFT_BYTES} bytes")
        self.zones = zones

    def problem(self) -> str:
        """Return what is wrong with what is drawn, in one line that names zone and key; empty where it can be saved."""
        try:
            check_content(self.camera, self._whole())
        except SettingError as error:
            return str(error)
        return ""

    def save(self, *, over_others: bool = False) -> None:
        """Write what is drawn as the file's next revision.

        Args:
            over_others: even if somebody else has saved another revision meanwhile.

        Raises:
            SettingError: it is wrong; one line that names the zone, the key, the value and the remedy.
            ZonesChanged: somebody else has saved another revision meanwhile.
            VcamError: it cannot be written.
        """
        whole = self._whole()
        try:
            if not over_others:
                self._check_unchanged()
            self.revision = save_zones(self.path, whole, None if over_others else self.revision)
        except OSError as error:
            raise VcamError(f"{self.path} cannot be written: {error.strerror}") from None
        self._content = {**whole, "revision": self.revision}

    def _check_unchanged(self) -> None:
        """Raise ZonesChanged where the file was edited without a new revision, as people do."""
        found = read_zones(self.path) or {}
        if found.get("revision", 0) == self.revision and _without_head(found) != _without_head(self._content):
            raise ZonesChanged(f"{display_path(self.path)} was changed meanwhile, without a new revision")

    def _whole(self) -> dict[str, Any]:
        return {**self._content, "zones": self.zones}


def _without_head(content: Content) -> Content:
    return {key: value for key, value in content.items() if key not in HEAD}
