"""The zones that a clip is analysed with: those of its camera on the volume, or those of one file for all clips."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from shared_utils.config.classes import find_label
from shared_utils.config.zones.files import LoadedZones, ZonesFiles
from shared_utils.config.zones.model import CrossTask, ObjectsTask, Zones
from shared_utils.contracts.zones import ZONES_FOLDER
from shared_utils.log import CAMERA_FIELD
from video_worker import messages
from video_worker.models.registry import LoadedModel

CLIPS = ("clips", "both")
"""Values of a task's ``when`` that make it a part of a clip's analysis."""

log = logging.getLogger(__name__)


class ClipZones:
    """Finds the zones of clips. Faults are logged once; they never fail a run.

    Args:
        video_dir: the shared volume; None for no zones there.
        given: zones for all clips, whatever their cameras.
        given_dir: folder of their file.

    Attributes:
        folder: where the pictures are that the zones refer to; None for nowhere.
    """

    def __init__(
        self, video_dir: Path | None = None, given: LoadedZones | None = None, given_dir: Path | None = None
    ) -> None:
        self.folder = given_dir
        if given is None and video_dir is not None:
            self.folder = video_dir / ZONES_FOLDER
        self._files = None if video_dir is None or given is not None else ZonesFiles(video_dir, _report)
        self._given = given
        self._checked: set[tuple[str, str]] = set()

    def get(self, camera: str | None, model: LoadedModel) -> LoadedZones | None:
        """Return the zones of a camera; None where it has none.

        Args:
            camera: that the clip's name names; None for none.
            model: that the clip is analysed with.
        """
        found = self._given
        if self._files is not None and camera is not None:
            found = self._files.get(camera)
        if found is not None and (found.sha256, model.sha256) not in self._checked:
            self._checked.add((found.sha256, model.sha256))
            for problem in unknown_labels(found.zones, model.detector.labels):
                log.warning(messages.ZONE_LABEL_UNKNOWN, problem, model.name, extra={CAMERA_FIELD: found.zones.camera})
            left_out = list(live_only(found.zones)) if found is self._given else []
            if left_out:
                log.warning(messages.ZONE_TASKS_LEFT_OUT, ", ".join(left_out))
        return found


def live_only(zones: Zones) -> Iterator[str]:
    """Yield the tasks that no clip is analysed with: zone, place of the task, kind."""
    for zone in zones.zones:
        for number, task in enumerate(zone.tasks):
            if task.when not in CLIPS:
                yield f"{zone.name} tasks[{number}] ({task.__struct_config__.tag})"


def unknown_labels(zones: Zones, labels: Sequence[str], when: Sequence[str] = CLIPS) -> Iterator[str]:
    """Yield which labels of the tasks a model with `labels` does not know: zone, key, label, and a likely one.

    Args:
        zones: of a camera.
        labels: of the model.
        when: which tasks, by their `when`.
    """
    for zone in zones.zones:
        for number, task in enumerate(zone.tasks):
            if not isinstance(task, ObjectsTask | CrossTask) or task.when not in when:
                continue
            for label in task.labels:
                if find_label(label, labels) is None:
                    near = get_close_matches(label.casefold(), labels, n=1)
                    hint = f" (did you mean {near[0]!r}?)" if near else ""
                    yield f"zone {zone.name!r}: tasks[{number}].labels names {label!r}{hint}"


def _report(camera: str, problem: str | None) -> None:
    extra = {CAMERA_FIELD: camera}
    if problem is None:
        log.info(messages.ZONES_RIGHT_AGAIN, camera, extra=extra)
    else:
        log.error(messages.ZONES_WRONG, problem, extra=extra)
