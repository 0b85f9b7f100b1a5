"""Which cameras are wanted live, and what for: by capture's list of cameras, and by their zones on the volume."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_utils.config.cameras import LIVE_OBJECTS
from shared_utils.config.classes import check_classes
from shared_utils.config.zones.files import ZonesFiles
from shared_utils.config.zones.model import (
    CrossTask,
    LightTask,
    MatchTask,
    ObjectsTask,
    PageTask,
    PluginTask,
    ReadTask,
    Task,
    Zones,
)
from shared_utils.contracts.clips import CAMERA_PATTERN
from shared_utils.contracts.json_lines import parse_object
from shared_utils.contracts.zones import ZONES_FOLDER, ZONES_SUFFIX
from shared_utils.errors import SourceError, SourceRefused
from shared_utils.log import camera_logger
from video_worker import messages
from video_worker.http_stream import HttpStream

POLL_S = 1.5
"""Interval of the rounds. Capture itself takes over an edit of ``cameras.toml`` within 2 s."""
ANSWER_S = 5.0
MAX_INFO_BYTES = 4 * 2**20
MAX_CAMERAS = 1000
MAX_WIDTH_PX = 65_535
LIVE = ("live", "both")
"""Values of a task's ``when`` that ask for live frames."""
WITH_OBJECTS = (ObjectsTask, CrossTask, MatchTask)
"""Kinds of tasks that need the detector's boxes."""
IN_DETAIL = (ReadTask, PageTask, PluginTask)
"""Kinds of tasks that need all pixels of the camera."""
WITH_INTERVAL = (ReadTask, LightTask, PageTask, PluginTask)
"""Kinds of tasks that look at their zone at an interval."""
LEAST_FPS = 1.0
"""Frames per second of a camera whose zones are looked at less often: what was read is reported at the next frame."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraFacts:
    """What capture says of a camera.

    Attributes:
        objects: when objects are looked for; see :class:`shared_utils.config.cameras.Camera`.
        classes: labels to report; None for the live worker's own.
        width: of its picture, pixels; None while it is not known.
    """

    objects: str = "motion"
    classes: tuple[str, ...] | None = None
    width: int | None = None


@dataclass(frozen=True)
class Plan:
    """What is wanted of a camera.

    Attributes:
        camera: its name.
        facts: what capture says of it.
        zones: its zones; None for none.
        pictures: tells one state of their reference pictures from the next: time and size of each file.
    """

    camera: str
    facts: CameraFacts
    zones: Zones | None = None
    pictures: tuple[tuple[int, int] | None, ...] = ()

    @property
    def live_tasks(self) -> Sequence[Task]:
        """The tasks of its zones that ask for live frames, and are not switched off by hand."""
        if self.zones is None:
            return []
        off = {group.name for group in self.zones.groups if not group.on}
        zones = [zone for zone in self.zones.zones if zone.group not in off]
        return [task for zone in zones for task in zone.tasks if task.when in LIVE]

    @property
    def is_wanted(self) -> bool:
        """Whether its frames are wanted at all."""
        return self.facts.objects != "off" or bool(self.live_tasks)

    @property
    def when_motion(self) -> bool:
        """Whether frames are wanted only while capture sees motion: a lamp or a display changes without any."""
        return self.facts.objects == "motion" and not self.live_tasks

    @property
    def objects_need_motion(self) -> bool:
        """Whether objects are sought only in frames in which capture sees motion; all are wanted for other tasks."""
        return self.facts.objects == "motion" and not any(isinstance(task, WITH_OBJECTS) for task in self.live_tasks)

    @property
    def needs_detail(self) -> bool:
        """Whether its frames are wanted in the camera's full width."""
        return any(isinstance(task, IN_DETAIL) for task in self.live_tasks)

    def fps(self, most: float) -> float:
        """Return how many frames per second are wanted: as many as its zones are looked at, where no object is sought.

        Args:
            most: what objects need, and the most there are.
        """
        if self.needs_detector:
            return most
        intervals = [task.every_s for task in self.live_tasks if isinstance(task, WITH_INTERVAL)]
        return min(most, max([LEAST_FPS, *(1 / every_s for every_s in intervals)]))

    @property
    def needs_detector(self) -> bool:
        """Whether objects are to be found in its frames."""
        return self.facts.objects != "off" or any(isinstance(task, WITH_OBJECTS) for task in self.live_tasks)


def parse_cameras(content: bytes) -> dict[str, CameraFacts]:
    """Return the cameras that the JSON of capture's ``/info`` names.

    Raises:
        SourceRefused: it is none.
    """
    info = parse_object(content) or {}
    cameras = info.get("cameras")
    if not isinstance(cameras, Mapping) or len(cameras) > MAX_CAMERAS:
        raise SourceRefused("what answers at CAPTURE_URL is not capture: its /info names no cameras")
    return {
        name: _facts(entry)
        for name, entry in cameras.items()
        if re.fullmatch(CAMERA_PATTERN, name) and isinstance(entry, Mapping)
    }


def _facts(entry: Mapping[str, Any]) -> CameraFacts:
    objects, classes, width = entry.get("live_objects"), entry.get("classes"), entry.get("width")
    try:
        labels = check_classes(classes) if isinstance(classes, list) else None
    except ValueError:
        labels = None
    known_width = isinstance(width, int) and not isinstance(width, bool) and 0 < width <= MAX_WIDTH_PX
    return CameraFacts(
        objects if objects in LIVE_OBJECTS else CameraFacts.objects, labels, width if known_width else None
    )


def _report(camera: str, problem: str | None) -> None:
    """Log what is wrong with the zones of a camera, or that they are right again."""
    log = camera_logger(__name__, camera)
    if problem is None:
        log.info(messages.LIVE_ZONES_RIGHT_AGAIN, f"{camera}{ZONES_SUFFIX}")
    else:
        log.error(messages.LIVE_ZONES_WRONG, problem)


class PictureSigns:
    """Tells one state of reference pictures from the next. One that is gone, as its volume may be, has its last sign.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, int]] = {}

    def get(self, name: str) -> tuple[int, int] | None:
        """Return time and size of a file; None where it was never seen."""
        with contextlib.suppress(OSError):
            stat = (self._folder / name).stat()
            self._known[name] = stat.st_mtime_ns, stat.st_size
        return self._known.get(name)


class PlanWatch:
    """Follows the cameras in a thread: what capture says of them, and their zones.

    While capture is away, its last list stands.

    Args:
        capture_url: where capture is.
        video_dir: the shared volume.
        changed: called when there is another list, from the thread.
        poll_s: interval of the rounds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        capture_url: str,
        video_dir: Path,
        changed: Callable[[], None],
        poll_s: float = POLL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{capture_url}/info"
        self._zones = ZonesFiles(video_dir, _report)
        self._pictures = PictureSigns(video_dir / ZONES_FOLDER)
        self._changed = changed
        self._poll_s = poll_s
        self._clock = clock
        self._facts: dict[str, CameraFacts] = {}
        self._plans: tuple[Plan, ...] | None = None
        self._failed = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plans", daemon=True)

    @property
    def plans(self) -> Sequence[Plan] | None:
        """The cameras that are wanted; None before capture has answered for the first time."""
        return self._plans

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a request that is under way is not waited for."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._round()
            except Exception:
                # the outermost call of this thread: without it, no change would ever be taken over
                logger.exception(messages.LIVE_PLANS_FAILED)
            self._stopped.wait(self._poll_s)

    def _round(self) -> None:
        try:
            self._facts = self._ask()
        except SourceError as error:
            if not self._failed:
                logger.warning(messages.LIVE_CAPTURE_AWAY, error)
            self._failed = True
            if self._plans is None:
                return
        else:
            if self._failed:
                logger.info(messages.LIVE_CAPTURE_BACK)
            self._failed = False
        plans = tuple(self._plan(name, facts) for name, facts in self._facts.items())
        wanted = tuple(plan for plan in plans if plan.is_wanted)
        if wanted != self._plans:
            self._plans = wanted
            self._changed()

    def _plan(self, camera: str, facts: CameraFacts) -> Plan:
        loaded = self._zones.get(camera)
        if loaded is None:
            return Plan(camera, facts)
        zones = loaded.zones
        names = (zones.reference, *(page.reference for page in zones.pages))
        return Plan(camera, facts, zones, tuple(self._pictures.get(name) for name in names if name is not None))

    def _ask(self) -> dict[str, CameraFacts]:
        with HttpStream(self._url, self._clock) as answer, answer.within(ANSWER_S):
            return parse_cameras(answer.read_all(MAX_INFO_BYTES))
