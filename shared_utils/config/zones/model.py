"""Zones of a camera, ``zones/<camera>.json``: what is watched, counted and read in which part of the picture.

Points are 0..1 of the picture's width and height, so that a change of resolution or of sub-stream does not move them.
Each field has its bounds here; what has to hold between fields is checked in :mod:`shared_utils.config.zones.file`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from shared_utils.config.classes import MAX_CLASSES, MAX_LABEL
from shared_utils.config.validation import Bounds, Model
from shared_utils.contracts.clips import CAMERA_PATTERN
from shared_utils.contracts.zones import SCHEMA

MAX_ZONES = 100
MAX_PAGES = 100
MAX_TASKS = 20
MAX_POINTS = 200
MAX_TEXT = 1000
"""Characters of a pattern."""
LONGEST_S = 86_400.0


Share: TypeAlias = Annotated[float, Bounds(ge=0, le=1)]
Seconds: TypeAlias = Annotated[float, Bounds(ge=0, le=LONGEST_S)]
Point: TypeAlias = tuple[Share, Share]
Name: TypeAlias = Annotated[str, Bounds(pattern=rf"^(?:{CAMERA_PATTERN})\Z")]
FileName: TypeAlias = Annotated[str, Bounds(pattern=r"^[^./\\\s\x00-\x1f][^/\\\x00-\x1f]*\Z", max_length=200)]
Label: TypeAlias = Annotated[
    str, Bounds(pattern=r"^[^\s\x00-\x1f](?:[^\x00-\x1f]*[^\s\x00-\x1f])?\Z", max_length=MAX_LABEL)
]
Labels: TypeAlias = Annotated[tuple[Label, ...], Bounds(max_length=MAX_CLASSES)]
Corners: TypeAlias = tuple[Point, Point, Point, Point]
Line: TypeAlias = tuple[Point, Point]
Polygon: TypeAlias = Annotated[tuple[Point, ...], Bounds(min_length=3, max_length=MAX_POINTS)]


class Task(Model, tag_field="do", kw_only=True, frozen=True):
    """What is done in a zone.

    Attributes:
        when: as part of the analysis of each clip, on live frames, or both.
        page: name of the page that must be displayed; None for any.
    """

    when: Literal["clips", "live", "both"] = "clips"
    page: Name | None = None


class ObjectsTask(Task, tag="objects", frozen=True):
    """Count the objects that enter and leave a zone, and how long they stay.

    Attributes:
        labels: which ones; none for all.
        anchor: which point of a box must be in the zone.
        min_s: shortest stay that counts, against flicker at the edge.
        loiter_s: stay from which an object loiters; None never reports it.
    """

    labels: Labels = ()
    anchor: Literal["bottom", "centre", "any"] = "bottom"
    min_s: Seconds = 0.6
    loiter_s: Seconds | None = None


class CrossTask(Task, tag="cross", frozen=True):
    """Count the objects that cross a line, by direction.

    Attributes:
        labels: which ones; none for all.
        anchor: which point of a box must cross.
    """

    labels: Labels = ()
    anchor: Literal["bottom", "centre", "any"] = "bottom"


class ReadTask(Task, tag="read", frozen=True):
    """Read the text of a zone with four corners.

    Attributes:
        engine: name of the engine that reads.
        mode: one line, or an area in which lines are looked for first.
        pattern: regular expression that a reading must match; None takes all.
        every_s: time between two readings.
    """

    engine: Name = "rapidocr"
    mode: Literal["line", "area"] = "line"
    pattern: Annotated[str, Bounds(min_length=1, max_length=MAX_TEXT)] | None = None
    every_s: Annotated[float, Bounds(ge=0.1, le=LONGEST_S)] = 1.0


class LightTask(Task, tag="light", frozen=True):
    """Tell whether a lamp is on, by the mean brightness of the zone.

    Attributes:
        on_above: brightness from which it is on, 0..255.
    """

    on_above: Annotated[float, Bounds(ge=0, le=255)] = 128.0


class MatchTask(Task, tag="match", kw_only=True, frozen=True):
    """Recognise the items of a gallery that pass through a zone.

    Attributes:
        gallery: its folder's name.
        cooldown_s: time in which the same item is not reported again.
        clear_frames: frames without an item after which the next one counts.
        direction: which passages are reported.
    """

    gallery: Name
    cooldown_s: Seconds = 3.0
    clear_frames: Annotated[int, Bounds(ge=1, le=10_000)] = 8
    direction: Literal["any", "in", "out"] = "any"


AnyTask: TypeAlias = ObjectsTask | CrossTask | ReadTask | LightTask | MatchTask


class Page(Model, frozen=True):
    """A page of a display: a reference picture tells which one is displayed.

    Attributes:
        points: its corners.
        reference: name of the picture's file, beside the file of zones.
        min_score: correlation from which the page counts as displayed.
    """

    name: Name
    points: Corners
    reference: FileName
    min_score: Share = 0.4


class Zone(Model, frozen=True):
    """A part of the picture: a polygon or a line, of which exactly one is given.

    Attributes:
        points: corners of the polygon.
        line: both ends of the line.
        ignore_motion: motion here starts no clip.
        group: tasks of one group are switched together.
    """

    name: Name
    points: Polygon | None = None
    line: Line | None = None
    ignore_motion: bool = False
    group: Name | None = None
    tasks: Annotated[tuple[AnyTask, ...], Bounds(max_length=MAX_TASKS)] = ()


class Zones(Model, frozen=True):
    """The zones of a camera.

    Attributes:
        revision: grows with each change.
    """

    schema: Annotated[int, Bounds(ge=SCHEMA, le=SCHEMA)]
    camera: Name
    revision: Annotated[int, Bounds(ge=0, le=2**31 - 1)] = 0
    pages: Annotated[tuple[Page, ...], Bounds(max_length=MAX_PAGES)] = ()
    zones: Annotated[tuple[Zone, ...], Bounds(max_length=MAX_ZONES)] = ()
