"""A drawn street with figures that come, cross and leave: a camera picture whose truth is known.

Pure and deterministic: the same seed, size and time give the same pixels and the same boxes. The schedule
starts with some quiet seconds (a background model needs them, and so does a clip's pre-roll), then a visit
of one to three figures, then quiet again, for ever.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from camera_emulator.backdrop import Image, backdrop
from camera_emulator.figure_drawing import (
    HALF_LENGTHS,
    HORIZON,
    NOISE_SIGMA,
    PERSON_HEIGHT,
    Drawn,
    SensorNoise,
    Stand,
    clip_box,
    draw_figure,
    place_figure,
)
from camera_emulator.figures import FIGURES, Look, random_look
from shared_utils.errors import SettingError

LABELS = ("person", "bicycle", "car", "cat", "dog")
"""All labels of the scene, in the order of COCO."""

FIRST_QUIET_S = (4.0, 6.0)
QUIET_S = (5.0, 8.0)
VISIT_S = (5.0, 9.0)
MIN_SIZE = (160, 120)
MAX_SIZE = (3840, 2160)

MIN_VISIBLE = 0.3
"""Share of a figure's box that must be in the picture before it counts as there."""


@dataclass(frozen=True)
class _Kind:
    """How one kind of figure moves through the picture."""

    weight: float  # how often it appears
    tall: float  # its height, in heights of a person who stands at the same place
    ground: tuple[tuple[float, float], ...]  # bands of the picture height its feet may be in
    crossing_s: tuple[float, float]


# Animals walk nearer to the camera than people on the same pavement: behind them they would not be seen.
_KINDS: dict[str, _Kind] = {
    "person": _Kind(0.34, 1.00, ((0.54, 0.575), (0.865, 0.915)), (5.5, 9.0)),
    "bicycle": _Kind(0.17, 1.02, ((0.63, 0.67), (0.75, 0.79)), (4.5, 7.0)),
    "car": _Kind(0.21, 0.67, ((0.655, 0.68), (0.765, 0.80)), (3.8, 6.5)),
    "cat": _Kind(0.12, 0.40, ((0.925, 0.98),), (5.0, 8.0)),
    "dog": _Kind(0.16, 0.46, ((0.925, 0.98),), (4.5, 7.5)),
}


@dataclass(frozen=True)
class Truth:
    """One visible object: its label and its box (x0, y0, x1, y1) in pixels, clipped to the picture."""

    label: str
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Actor:
    """One crossing of one figure; times in seconds, places as shares of the picture height."""

    kind: str
    look: Look
    start_s: float
    crossing_s: float
    ground: float
    tall: float
    rightwards: bool
    phase: float


@dataclass(frozen=True)
class Visit:
    """A period in which something moves: from ``start_s`` to ``end_s``, with the labels visible in it."""

    start_s: float
    end_s: float
    labels: frozenset[str]


def visible_parts(parts: Iterable[Drawn], size: tuple[int, int]) -> list[Truth]:
    """Return the parts of figures that can be seen in a picture of width and height `size`, in their order."""
    clipped = ((part.label, *clip_box(part.xyxy, size)) for part in parts)
    return [Truth(label, box) for label, box, share in clipped if share >= MIN_VISIBLE]


class Scene:
    """The picture and its truth at any time.

    ``seed`` chooses the street and who comes when; ``size`` is (width, height) in pixels, both even;
    ``fps`` sets how often the sensor noise changes. ``noise`` 0 gives clean pictures.
    """

    def __init__(
        self, seed: int = 0, size: tuple[int, int] = (1280, 720), fps: float = 15.0, noise: float = NOISE_SIGMA
    ) -> None:
        check_size(size)
        self.seed, self.size, self.fps = seed, size, fps
        width, height = size
        self._backdrop = backdrop(np.random.default_rng([seed, 1]), width, height)
        self._noise = SensorNoise(np.random.default_rng([seed, 2]), size, noise)
        self._visits: list[tuple[Visit, tuple[_Actor, ...]]] = []

    def frame(self, t: float) -> Image:
        """Return the frame at ``t`` seconds: BGR, uint8, (height, width, 3), a new array each time."""
        image = self._backdrop.copy()
        for actor in self._actors(t):
            draw_figure(image, self._place(actor, t), actor.ground * self.size[1])
        self._noise.add(image, np.random.default_rng([self.seed, 4, round(t * self.fps)]))
        return image

    def truth(self, t: float) -> list[Truth]:
        """Return the objects visible at ``t`` seconds, farthest first, without those barely in the picture."""
        return visible_parts((part for actor in self._actors(t) for part in self._place(actor, t)), self.size)

    def visit(self, index: int) -> Visit:
        """Return the visit with this number, from 0."""
        while len(self._visits) <= index:
            self._visits.append(self._next_visit())
        return self._visits[index][0]

    def _next_visit(self) -> tuple[Visit, tuple[_Actor, ...]]:
        number = len(self._visits)
        rng = np.random.default_rng([self.seed, 3, number])
        before = self._visits[-1][0].end_s if self._visits else 0.0
        start = before + float(rng.uniform(*(QUIET_S if self._visits else FIRST_QUIET_S)))
        actors = _cast(rng, start, opening=number == 0)
        end = max(actor.start_s + actor.crossing_s for actor in actors)
        # A cyclist is a person too: the labels are those of the parts, as in the truth.
        labels = frozenset(part.label for actor in actors for part in FIGURES[actor.kind](0.0, actor.look))
        return Visit(start, end, labels), actors

    def _actors(self, t: float) -> list[_Actor]:
        """Return the figures that are crossing at ``t``, farthest first."""
        while not self._visits or self._visits[-1][0].end_s < t:
            self._visits.append(self._next_visit())
        index = bisect.bisect_left(self._visits, t, key=lambda entry: entry[0].end_s)
        actors = self._visits[index][1]
        present = [actor for actor in actors if actor.start_s <= t <= actor.start_s + actor.crossing_s]
        return sorted(present, key=lambda actor: actor.ground)

    def _place(self, actor: _Actor, t: float) -> list[Drawn]:
        width, height = self.size
        scale = actor.tall * height
        share = (t - actor.start_s) / actor.crossing_s
        reach = HALF_LENGTHS[actor.kind] * scale
        travelled = share * (width + 2 * reach)
        x = travelled - reach if actor.rightwards else width + reach - travelled
        stand = Stand(x, actor.ground * height, scale, actor.rightwards, actor.phase + travelled / scale)
        return place_figure(actor.kind, actor.look, stand)


def check_size(size: tuple[int, int]) -> None:
    """Raise SettingError, without the name of the setting, unless such frames can be drawn and encoded."""
    width, height = size
    if not (MIN_SIZE[0] <= width <= MAX_SIZE[0] and MIN_SIZE[1] <= height <= MAX_SIZE[1]) or width % 2 or height % 2:
        raise SettingError(
            f"must be even numbers from {MIN_SIZE[0]}x{MIN_SIZE[1]} to {MAX_SIZE[0]}x{MAX_SIZE[1]},"
            f" not {width}x{height}"
        )


def _cast(rng: np.random.Generator, start: float, opening: bool) -> tuple[_Actor, ...]:
    """Return the figures of a visit that begins at ``start``. The first visit always has a person and one more."""
    names = list(_KINDS)
    weights = np.array([_KINDS[name].weight for name in names])
    count = 2 if opening else int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
    kinds = [str(kind) for kind in rng.choice(names, count, p=weights / weights.sum())]
    if opening:
        kinds = ["person", str(rng.choice(["bicycle", "car", "dog"]))]
    length = float(rng.uniform(*VISIT_S))
    crossings = [min(length, float(rng.uniform(*_KINDS[kind].crossing_s))) for kind in kinds]
    if count == 1:
        crossings[0] = max(crossings[0], VISIT_S[0])
        length = crossings[0]
    actors = []
    for index, (kind, crossing) in enumerate(zip(kinds, crossings, strict=True)):
        spare = length - crossing
        # One enters at once and one leaves last, so that something moves during the whole visit.
        delay = {0: 0.0, count - 1: spare}.get(index, float(rng.uniform(0.0, spare)) if spare > 0 else 0.0)
        actors.append(_actor(rng, kind, index, start + delay, crossing))
    return tuple(actors)


def _actor(rng: np.random.Generator, kind: str, index: int, start: float, crossing: float) -> _Actor:
    manner = _KINDS[kind]
    # Two of a kind in one visit take different bands: side by side they would hide each other.
    lane = (int(rng.integers(len(manner.ground))) + index) % len(manner.ground)
    ground = float(rng.uniform(*manner.ground[lane]))
    rightwards = bool(rng.random() < 0.5)
    if kind in ("car", "bicycle"):
        rightwards = lane == 1  # they keep to the right of the road, so the near lane goes rightwards
    tall = manner.tall * PERSON_HEIGHT * (ground - HORIZON) * float(rng.uniform(0.93, 1.07))
    look = random_look(kind, rng)
    return _Actor(kind, look, start, crossing, ground, tall, rightwards, float(rng.uniform(0.0, 3.0)))
