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
MAX_GROUPS = 100
MAX_TASKS = 20
MAX_POINTS = 200
MAX_TEXT = 1000
"""Characters of a pattern."""
MAX_REPLACED = 50
"""Pairs of `replace`."""
MAX_MAJORITY = 99
MAX_SETTINGS = 50
"""Settings of a module of people's own."""
MAX_REVISION = 2**31 - 1
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
Level: TypeAlias = Annotated[float, Bounds(ge=0, le=255)]
ShortText: TypeAlias = Annotated[str, Bounds(max_length=MAX_LABEL)]
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


class NumberRules(Model, frozen=True):
    """What makes a reading a number that can be right.

    Attributes:
        unit: such as ``bar``; it is cut off where the display shows it.
        min, max: range of the number; None for no bound.
        max_step_per_s: greatest change per second; None for any.
    """

    unit: Annotated[str, Bounds(max_length=32)] = ""
    min: float | None = None
    max: float | None = None
    max_step_per_s: Annotated[float, Bounds(gt=0)] | None = None


class CounterRules(Model, frozen=True):
    """A counter that only rises, such as that of a water meter.

    Attributes:
        max_per_min: by how much it rises per minute at most.
        start: its value when the task began; None for what is read first.
    """

    max_per_min: Annotated[float, Bounds(gt=0)]
    start: Annotated[float, Bounds(ge=0)] | None = None


class ReadTask(Task, tag="read", frozen=True):
    """Read the text of a zone with four corners.

    What is read is cleaned in the order of the attributes from `replace` on; what does not pass is unreadable.

    Attributes:
        engine: name of the engine that reads.
        mode: one line, or an area in which lines are looked for first.
        every_s: time between two readings.
        min_confidence: confidence below which a reading is unreadable.
        replace: pairs of texts, the second in the place of the first, such as ``["O", "0"]``.
        pattern: regular expression that a reading must match as a whole; None takes all.
        number: the reading is a number within these rules; None for text.
        counter: the number only rises; None for any other.
        majority: how many of the last readings decide, by their majority; 1 for each one by itself.
    """

    engine: Name = "rapidocr"
    mode: Literal["line", "area"] = "line"
    every_s: Annotated[float, Bounds(ge=0.1, le=LONGEST_S)] = 1.0
    min_confidence: Share = 0.5
    replace: Annotated[tuple[tuple[ShortText, ShortText], ...], Bounds(max_length=MAX_REPLACED)] = ()
    pattern: Annotated[str, Bounds(min_length=1, max_length=MAX_TEXT)] | None = None
    number: NumberRules | None = None
    counter: CounterRules | None = None
    majority: Annotated[int, Bounds(ge=1, le=MAX_MAJORITY)] = 1


class LightTask(Task, tag="light", frozen=True):
    """Tell whether a lamp is on, by the mean brightness or the colour of the zone.

    Attributes:
        on_above: level from which it is on, 0..255.
        off_below: level below which it is off again; None for a little less than `on_above`.
        colour: which light counts: ``any`` is brightness, a colour is what the zone has more of it than of others.
        every_s: time between two looks.
    """

    on_above: Level = 128.0
    off_below: Level | None = None
    colour: Literal["any", "red", "yellow", "green", "blue"] = "any"
    every_s: Annotated[float, Bounds(ge=0.1, le=LONGEST_S)] = 0.5


class PageTask(Task, tag="page", frozen=True):
    """Tell which of several pages a zone with four corners shows, by their reference pictures.

    Attributes:
        pages: names of the pages; none for all.
        every_s: time between two looks.
    """

    pages: Annotated[tuple[Name, ...], Bounds(max_length=MAX_PAGES)] = ()
    every_s: Annotated[float, Bounds(ge=0.1, le=LONGEST_S)] = 0.5


class PluginTask(Task, tag="plugin", kw_only=True, frozen=True):
    """Ask a module of people's own for the value of a zone. In the file, `do` is the module's name.

    Attributes:
        module: its name, that of a file in the folder of plugins.
        every_s: time between two calls.
        settings: whatever it takes.
    """

    module: Name
    every_s: Annotated[float, Bounds(ge=0.1, le=LONGEST_S)] = 1.0
    settings: Annotated[dict[str, str | int | float | bool], Bounds(max_length=MAX_SETTINGS)] | None = None


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


AnyTask: TypeAlias = ObjectsTask | CrossTask | ReadTask | LightTask | PageTask | PluginTask | MatchTask


def task_name(task: Task) -> str:
    """Return what `do` says in the file: a word of ours, or the name of a module."""
    return task.module if isinstance(task, PluginTask) else str(task.__struct_config__.tag)


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


class Group(Model, frozen=True):
    """Zones that are switched together: by a page, by hand, or both. One that no file declares is always on.

    Attributes:
        page: name of the page that must be displayed; None for any.
        on: whether its tasks are carried out at all.
    """

    name: Name
    page: Name | None = None
    on: bool = True


class Zone(Model, frozen=True):
    """A part of the picture: a polygon or a line, of which exactly one is given.

    Attributes:
        points: corners of the polygon.
        line: both ends of the line.
        ignore_motion: motion here starts no clip.
        group: name of its group.
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
        reference: name of the picture's file that the zones were drawn on, beside this one: where the camera was
            nudged since, zones that are read follow it; None where nobody looks.
    """

    schema: Annotated[int, Bounds(ge=SCHEMA, le=SCHEMA)]
    camera: Name
    revision: Annotated[int, Bounds(ge=0, le=MAX_REVISION)] = 0
    reference: FileName | None = None
    pages: Annotated[tuple[Page, ...], Bounds(max_length=MAX_PAGES)] = ()
    groups: Annotated[tuple[Group, ...], Bounds(max_length=MAX_GROUPS)] = ()
    zones: Annotated[tuple[Zone, ...], Bounds(max_length=MAX_ZONES)] = ()
