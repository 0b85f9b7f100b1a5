"""Follows a camera that was nudged, by its reference picture, so that its zones are read where they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from shared_utils.config.zones.model import LightTask, PageTask, PluginTask, ReadTask, Task, Zones
from shared_utils.log import CAMERA_FIELD
from video_worker import messages
from video_worker.steps.base import Sample, Step
from video_worker.steps.context import StepContext
from video_worker.steps.declarations import Adds, RecordKey
from video_worker.steps.values.reference_pictures import Reference
from video_worker.steps.zones.frame_values import PLACEMENT
from video_worker.steps.zones.tasks import needed_pages, tasks_of
from video_worker.values.aligner import Aligner
from video_worker.values.alignment import Polygon

logger = logging.getLogger(__name__)

READ_TASKS: tuple[type[Task], ...] = (ReadTask, LightTask, PageTask, PluginTask)
"""Tasks that look at what a zone shows, so that they have to know where it is."""
LOG_AFTER_S = 10.0
"""How long a camera has to be lost until it is logged: somebody may stand right in front of it."""
DIGITS = 4


class Align(Step):
    """Puts the placement of the zones into ``Sample.values``.

    Args:
        reference: the picture that the zones were drawn on.
        aligner: finds it in frames.
    """

    adds = Adds(
        keys=(
            RecordKey(
                "placement",
                "how the camera was moved since its reference picture was taken, at the end of the clip: `shift`, in "
                "widths of the picture, `turn_deg`, `zoom`, all null while it is lost; `lost_s`: for how long it was "
                "moved too far to be followed. Absent where nothing is read, or there is no reference picture",
                '{"shift": 0.0213, "turn_deg": 1.2, "zoom": 1.01, "lost_s": 0.0}',
            ),
        )
    )

    def __init__(self, reference: Reference, aligner: Aligner) -> None:
        self._source = reference.context.source
        self._camera = reference.context.camera or ""
        self._reference = reference
        self._aligner = aligner
        self._fits = True
        self._last_s: float | None = None
        self._lost_since: float | None = None
        self._lost_s = 0.0
        self._logged = False

    @classmethod
    def create(cls, context: StepContext) -> Sequence[Step]:
        """Applies where something is read, and the zones have a usable reference picture."""
        zones = context.zones
        if zones is None or zones.reference is None:
            return []
        if not any(tasks_of(context, kind) for kind in READ_TASKS) and not needed_pages(context):
            return []
        reference = Reference(context, zones.reference)
        aligner = aligner_of(reference, zones)
        return [] if aligner is None else [cls(reference, aligner)]

    def take(self, sample: Sample) -> None:
        """Find the zones in the frame."""
        if not self._may_look(sample):
            return
        placement = self._aligner.update(sample.time_s, sample.picture)
        sample.values[PLACEMENT] = placement
        self._note(sample.time_s, placement.is_lost)

    def _may_look(self, sample: Sample) -> bool:
        """Return whether the frame can be compared with the reference; else that is reported."""
        fits = self._aligner.fits(sample.picture)
        if not fits:
            height, width = sample.picture.shape[:2]
            self._reference.complain(f"frames of {width}×{height} have other proportions")
        self._fits = fits
        return fits

    def _note(self, time_s: float, is_lost: bool) -> None:
        if is_lost and self._lost_since is not None and self._last_s is not None:
            self._lost_s += time_s - self._last_s
        self._last_s = time_s
        if not is_lost:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = time_s
        if self._source.has_end:
            return
        if self._lost_since is not None and time_s - self._lost_since >= LOG_AFTER_S and not self._logged:
            self._logged = True
            logger.warning(messages.CAMERA_MOVED, self._reference.command, extra={CAMERA_FIELD: self._camera})
        elif not is_lost and self._logged:
            self._logged = False
            logger.info(messages.CAMERA_FOUND_AGAIN, extra={CAMERA_FIELD: self._camera})

    def state(self) -> Mapping[str, Any]:
        """Return where the zones were last."""
        return {**self._aligner.state(), "logged": self._logged}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Look there first."""
        self._aligner.resume(state)
        self._logged = state["logged"] is True

    def result(self) -> Mapping[str, object]:
        """Return `placement`."""
        if not self._fits or self._last_s is None:
            return {}
        motion = self._aligner.motion
        found: dict[str, float | None] = {"shift": None, "turn_deg": None, "zoom": None}
        if motion is not None:
            values = {"shift": motion.shift, "turn_deg": motion.turn_deg, "zoom": motion.zoom}
            found = {key: round(value, DIGITS) for key, value in values.items()}
        return {"placement": {**found, "lost_s": round(self._lost_s, 3)}}

    @classmethod
    def remark(cls, record: Mapping[str, Any]) -> str:
        """Ask about a camera that was moved."""
        lost_s = record.get("placement", {}).get("lost_s", 0.0)
        return f"the zones were not found for {lost_s:g} s: was the camera moved?" if lost_s else ""


def aligner_of(reference: Reference, zones: Zones) -> Aligner | None:
    """Return what finds the picture in others that a camera's zones were drawn on; None where it is of no use."""
    picture = reference.read()
    if picture is None:
        return None
    try:
        return Aligner(picture, changing(zones))
    except ValueError as error:
        reference.complain(str(error))
        return None


def changing(zones: Zones) -> list[Polygon]:
    """Return the parts of the picture whose content changes, because it is read, or has pages."""
    found: list[Polygon] = [page.points for page in zones.pages]
    for zone in zones.zones:
        if zone.points is not None and any(isinstance(task, READ_TASKS) for task in zone.tasks):
            found.append(zone.points)
    return found
