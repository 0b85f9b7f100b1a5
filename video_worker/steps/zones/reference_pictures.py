"""How steps come by the reference pictures of a camera and its pages, and report what is wrong with them."""

from __future__ import annotations

import logging
from pathlib import Path

from shared_utils.config.zones.model import Page, Zones
from shared_utils.log import CAMERA_FIELD
from video_worker import messages
from video_worker.steps.context import StepContext
from video_worker.zones.references import ReferenceFile, References

logger = logging.getLogger(__name__)


def make_references() -> References:
    """Return a reader of reference pictures that logs what is wrong with them."""
    return References(_log)


def reference_of_camera(context: StepContext, zones: Zones, name: str) -> ReferenceFile:
    """Return the file of the picture that a camera's zones were drawn on, by its name."""
    remedy = f"zones stay where they were drawn; {reference_command(zones.camera)} saves another one"
    return ReferenceFile(_path(context, name), zones.camera, f"camera {zones.camera!r}", remedy)


def reference_of_page(context: StepContext, zones: Zones, page: Page) -> ReferenceFile:
    """Return the file of a page's picture."""
    remedy = f"the page counts as not displayed; {reference_command(zones.camera, page.name)} saves another one"
    whose = f"camera {zones.camera!r}, page {page.name!r}"
    return ReferenceFile(_path(context, page.reference), zones.camera, whose, remedy)


def reference_command(camera: str, page: str | None = None) -> str:
    """Return the command that saves a reference picture of a camera, or of one of its pages."""
    return f"python -m shared_utils.zones reference {camera}" + (f" --page {page}" if page else "")


def _path(context: StepContext, name: str) -> Path:
    return (context.zones_dir or Path()) / name


def _log(camera: str, problem: str) -> None:
    logger.warning(messages.REFERENCE_UNUSABLE, problem, extra={CAMERA_FIELD: camera})
