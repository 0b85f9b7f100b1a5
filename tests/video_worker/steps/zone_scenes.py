"""Objects that move as a test says, taken through the steps of zones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from shared_utils.config.zones.file import parse_zones
from shared_utils.config.zones.model import Zones
from shared_utils.contracts.job_options import Options
from video_worker.models.postprocess import Detections
from video_worker.pipeline.runner import StepRunner
from video_worker.steps.base import TRACK, Sample
from video_worker.steps.context import Source, StepContext, StepEvent
from video_worker.steps.zones.cross import Cross
from video_worker.steps.zones.follow import Follow
from video_worker.steps.zones.frame_values import PAGES
from video_worker.steps.zones.objects import Objects

FPS = 5
WIDTH, HEIGHT = 160, 90
PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
LABELS = ("person", "car", "dog")
BOX_WIDTH, BOX_HEIGHT = 0.1, 0.3
STEPS = (Follow, Objects, Cross)
GATE = {"name": "gate", "points": [[0.4, 0.2], [0.8, 0.2], [0.8, 1.0], [0.4, 1.0]]}
DOOR = {"name": "door", "line": [[0.5, 1.0], [0.5, 0.0]]}

Place = tuple[float, float]
"""Middle of the lower edge of a box, in 0..1."""


@dataclass(frozen=True)
class Mover:
    """An object: where it is at a time, None where it is out of sight; its track, labels and scores, and size."""

    at: Callable[[float], Place | None]
    track: int = 1
    labels: Mapping[str, float] = field(default_factory=lambda: {"person": 0.9})
    size: float = 1.0


def along(*points: tuple[float, float, float]) -> Callable[[float], Place | None]:
    """Return a way through points, each as time, x and y; out of sight before the first and after the last."""
    times, xs, ys = (list(values) for values in zip(*points, strict=True))

    def at(time_s: float) -> Place | None:
        if not times[0] - 1e-9 <= time_s <= times[-1] + 1e-9:
            return None
        return float(np.interp(time_s, times, xs)), float(np.interp(time_s, times, ys))

    return at


def hidden(at: Callable[[float], Place | None], start_s: float, end_s: float) -> Callable[[float], Place | None]:
    """Return the same way, out of sight from `start_s` to `end_s`."""
    return lambda time_s: None if start_s < time_s < end_s else at(time_s)


def trembling(at: Callable[[float], Place | None], seed: int, share: float = 0.02) -> Callable[[float], Place | None]:
    """Return the same way as a detector sees it: edges tremble by a share of the box."""
    rng = np.random.default_rng(seed)

    def place(time_s: float) -> Place | None:
        found = at(time_s)
        if found is None:
            return None
        return (
            found[0] + float(rng.normal(0, share)) * BOX_WIDTH / 2**0.5,
            found[1] + float(rng.normal(0, share)) * BOX_HEIGHT,
        )

    return place


def sample(time_s: float, movers: Iterable[Mover], *, cut: bool = False, ended: Sequence[int] = ()) -> Sample:
    """Return the frame of a time."""
    rows = []
    for mover in movers:
        place = mover.at(time_s)
        if place is None:
            continue
        x, y = place
        half, height = mover.size * BOX_WIDTH / 2, mover.size * BOX_HEIGHT
        corners = ((x - half) * WIDTH, (y - height) * HEIGHT, (x + half) * WIDTH, y * HEIGHT)
        rows += [(score, corners, LABELS.index(label), mover.track) for label, score in mover.labels.items()]
    rows.sort(key=lambda row: -row[0])
    found = Detections(
        np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[0] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.int64),
    )
    tracks = {TRACK: np.array([row[3] for row in rows], np.int64)}
    return Sample(round(time_s * FPS), time_s, PICTURE, found, tracks, cut, ended)


def zones_of(zones: Sequence[Mapping[str, Any]], **more: Any) -> Zones:
    """Return zones as a file would hold them."""
    return parse_zones(json.dumps({"schema": 1, "camera": "yard", **more, "zones": zones}).encode())


def objects(**options: Any) -> dict[str, Any]:
    """Return the gate with a task ``objects``."""
    return {**GATE, "tasks": [{"do": "objects", "when": "both", **options}]}


def cross(**options: Any) -> dict[str, Any]:
    """Return the door with a task ``cross``."""
    return {**DOOR, "tasks": [{"do": "cross", "when": "both", **options}]}


class Watch:
    """A run over frames that a test makes.

    Attributes:
        events: what was emitted so far.
    """

    def __init__(
        self,
        *zones: Mapping[str, Any],
        file: Mapping[str, Any] | None = None,
        live: bool = False,
        started_at: datetime | None = None,
        **options: Any,
    ):
        self.events: list[StepEvent] = []
        source = Source(started_at, None if live else 600.0)
        given = zones_of(zones, **(file or {}))
        self.runner = StepRunner(
            StepContext(source, Options(**options), LABELS, zones=given, emit=self.events.append), STEPS
        )

    def feed(
        self,
        *movers: Mover,
        start_s: float = 0.0,
        end_s: float,
        fps: float = FPS,
        cuts: Sequence[float] = (),
        page: Callable[[float], str | None] = lambda _: None,
    ):
        """Take the frames from `start_s` to `end_s`; `page` says which page is displayed at a time."""
        for number in range(round((end_s - start_s) * fps) + 1):
            time_s = round(start_s + number / fps, 6)
            frame = sample(time_s, movers, cut=any(abs(time_s - cut) < 1e-6 for cut in cuts))
            displayed = page(time_s)
            frame.values[PAGES] = frozenset() if displayed is None else frozenset({displayed})
            self.runner.feed(frame)
        return self

    def zone(self, name: str) -> dict[str, Any]:
        """End the source, and return what the record has of a zone."""
        found: Any = self.runner.results()["zones"]
        return dict(found[name])

    def said(self) -> list[tuple[str, float]]:
        """Return what happened, and when, to a tenth of a second."""
        return [(str(event.value), round(event.time_s, 1)) for event in self.events]
