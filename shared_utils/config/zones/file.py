"""Read and validate ``zones/<camera>.json``.

A wrong file is refused whole, with one line that names the zone, the key, the value and the remedy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints

from shared_utils.config.text_file import decode_text
from shared_utils.config.validation import Fault, Invalid, Model, convert
from shared_utils.config.zones.model import (
    AnyTask,
    CounterRules,
    CrossTask,
    Group,
    LightTask,
    NumberRules,
    Page,
    PageTask,
    PluginTask,
    Point,
    ReadTask,
    Task,
    Zone,
    Zones,
    task_name,
)
from shared_utils.config.zones.own_modules import MODULE, PLUGIN, with_own_modules
from shared_utils.config.zones.reading import read_problem
from shared_utils.contracts.zones import SCHEMA
from shared_utils.errors import SettingError

MAX_FILE_BYTES = 2**20
"""100 zones of 200 points take 500 KB."""
MAX_DISPLAYED_CHARS = 60
"""Length to which a message repeats a wrong value."""
NAME_REMEDY = "1 to 32 letters, digits, '-' and '_', beginning with a letter or digit"
PATTERN_REMEDIES = {"reference": "the name of a file beside this one", "labels": "labels of the model, such as person"}
PLACES: dict[str, type[Model]] = {"zones": Zone, "pages": Page, "groups": Group}
"""Keys of lists whose entries have names."""
MIN_AREA = 1e-9
"""Share of the picture: less than a pixel of any camera."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_RULES: dict[str, type[Model]] = {"number": NumberRules, "counter": CounterRules}
"""Keys of tasks that hold keys of their own."""
_TASKS: dict[str, type[Task]] = {one.__struct_config__.tag: one for one in get_args(AnyTask)}
_WORDS = [word for word in _TASKS if word != PLUGIN]
"""What `do` takes, beside names of modules."""


def load_zones(path: Path) -> Zones:
    """Return the zones of a file, which is named after its camera.

    Raises:
        SettingError: the file cannot be read, or is wrong; one line that names the zone, the key, the value and the
            remedy.
    """
    return load_zones_file(path)[0]


def load_zones_file(path: Path, *, named_after_camera: bool = True) -> tuple[Zones, bytes]:
    """Return the zones of a file, and its bytes.

    Args:
        path: of the file.
        named_after_camera: whether it has to be named after its camera.

    Raises:
        SettingError: as :func:`load_zones`.
    """
    try:
        if path.is_fifo():  # it would be waited for
            raise SettingError(f"{path} cannot be read: it is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}") from None
    try:
        zones = parse_zones(data)
    except ValueError as error:
        raise SettingError(f"{path}: {error}") from None
    if named_after_camera and zones.camera != path.stem:
        raise SettingError(
            f"{path}: camera is {zones.camera!r}, but the file is named after camera {path.stem!r}: give both one name"
        )
    return zones, data


def parse_zones(data: bytes) -> Zones:
    """Return the zones that a file's bytes hold.

    Raises:
        ValueError: they are wrong; one line that names the zone, the key, the value and the remedy.
    """
    found = _parse_json(data)
    if isinstance(found, dict) and type(found.get("schema")) is int and found["schema"] != SCHEMA:
        raise ValueError(f"schema is {_display(found['schema'])}, and this version of vcam reads schema {SCHEMA} alone")
    try:
        zones: Zones = convert(with_own_modules(found, _WORDS), Zones)
    except Invalid as error:
        raise ValueError(_describe(error, found)) from None
    for place, problem in _problems(zones):
        raise ValueError(f"{place}: {problem}")
    return zones


def _parse_json(data: bytes) -> Any:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes")
    text = decode_text(data)
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_int=_whole_number)
        half = _SURROGATE.search(json.dumps(found, ensure_ascii=False))
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} (line {error.lineno})") from None
    except RecursionError:
        raise ValueError("is not JSON of zones: it is nested too deeply") from None
    if half is not None:
        raise ValueError(f"holds \\u{ord(half[0]):x}, half of a character: write the character itself")
    return found


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        # https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
        raise ValueError(f"holds a number of {len(text)} digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        duplicate = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {duplicate!r} occurs twice in one object")
    return found


def _describe(error: Invalid, found: Any) -> str:
    """Return an error as a line that names the zone or page, the key and its value."""
    value, path = found, list(error.path)
    for number, step in enumerate(path):
        if isinstance(value, dict) and step not in value:
            del path[number:]  # a value of an object with free keys: nobody says which one
            break
        value = value[step]
    place, key = _place(path, found), _key(path)
    if error.fault is Fault.MISSING:
        return f"{place}{_joined(key, str(error.key))} is missing"
    if error.fault is Fault.UNKNOWN:
        keys = _known_keys(error.path, found)
        remedy = _suggestion(error.key, keys) or f"; the keys are {', '.join(keys)}"
        return f"{place}unknown key {_joined(key, str(error.key))!r}{remedy}"
    subject = f"{place}{key}" if key else place.removesuffix(": ") or "the file"
    wrong = f"{subject} is {_display(value)}"
    if error.fault is Fault.CHOICE:
        if error.path[-1] == "do":
            own = "or the name of a module in plugins/, which is not much like one of them"
            return f"{wrong}: use one of {', '.join(_WORDS)}{_suggestion(str(value).casefold(), _WORDS)}, {own}"
        words = _words(str(error.path[-1]))
        return f"{wrong}: use one of {', '.join(words)}{_suggestion(value, words)}"
    if "regex" in error.detail:
        keys = [step for step in error.path if isinstance(step, str)]
        return f"{wrong}: use {PATTERN_REMEDIES.get(keys[-1], NAME_REMEDY)}"
    return f"{wrong}: it takes {error.expectation or 'names with text, numbers, true or false'}"


def _place(path: Sequence[str | int], found: Any) -> str:
    """Return which zone, page or group a path leads into, by its name or else its number."""
    if len(path) < 2 or path[0] not in PLACES:
        return ""
    kind, number = str(path[0]).removesuffix("s"), int(path[1])
    entry = found[path[0]][number]
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{kind} {name!r}: " if isinstance(name, str) else f"{kind} number {number + 1}: "


def _key(path: Sequence[str | int]) -> str:
    """Return the rest of a path as ``tasks[0].every_s``."""
    inner = path[2:] if len(path) > 1 and path[0] in PLACES else path
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in inner).removeprefix(".")


def _joined(key: str, last: str) -> str:
    return f"{key}.{last}" if key else last


def _known_keys(path: Sequence[str | int], found: Any) -> list[str]:
    rules = _RULES.get(str(path[-1])) if path else None
    if rules is not None:
        return list(rules.__struct_fields__)
    if "tasks" in path:
        task = found[path[0]][path[1]]["tasks"][path[3]]
        return ["do", *(key for key in _TASKS.get(task["do"], PluginTask).__struct_fields__ if key != MODULE)]
    owner: type[Model] = PLACES[str(path[0])] if path else Zones
    return list(owner.__struct_fields__)


def _words(key: str) -> list[str]:
    """Return the words that a key of a task takes."""
    hints = next(hints for task in _TASKS.values() if key in (hints := get_type_hints(task)))
    return list(get_args(hints[key]))


def _suggestion(given: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(given), list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _display(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)  # no control sequences on terminals
    return text if len(text) <= MAX_DISPLAYED_CHARS else f"{text[:MAX_DISPLAYED_CHARS]}…"


def _problems(zones: Zones) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between keys: the zone or page, and the problem."""
    pages = [page.name for page in zones.pages]
    yield from _duplicates("page", pages)
    yield from _duplicates("zone", [zone.name for zone in zones.zones])
    for page in zones.pages:
        if problem := _polygon_problem(page.points) or _corners_problem(page.points):
            yield f"page {page.name!r}", f"points {problem}"
    yield from _duplicates("group", [group.name for group in zones.groups])
    for group in zones.groups:
        if group.page is not None and group.page not in pages:
            yield f"group {group.name!r}", f"page is {group.page!r}, {_unknown_page(group.page, pages)}"
    for zone in zones.zones:
        place = f"zone {zone.name!r}"
        if problem := _shape_problem(zone):
            yield place, problem
        for number, task in enumerate(zone.tasks):
            if problem := _task_problem(task, zone, pages):
                yield place, f"tasks[{number}] {problem}"


def _duplicates(kind: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"{kind} number {number + 1}", f"name {name!r} is used before: give each {kind} its own"


def _shape_problem(zone: Zone) -> str | None:
    if (zone.points is None) == (zone.line is None):
        return "give either points or line"
    if zone.line is not None:
        if zone.ignore_motion:
            return "ignore_motion needs points: a line has no area"
        return "line has both ends at one point" if zone.line[0] == zone.line[1] else None
    problem = _polygon_problem(zone.points or ())
    return f"points {problem}" if problem else None


def _task_problem(task: Task, zone: Zone, pages: Sequence[str]) -> str | None:
    do = task_name(task)
    if isinstance(task, CrossTask) != (zone.line is not None):
        return f"({do}) needs {'line' if isinstance(task, CrossTask) else 'points'}"
    if task.page is not None and task.page not in pages:
        return f"({do}) page is {task.page!r}, {_unknown_page(task.page, pages)}"
    problem = _own_problem(task, zone, pages)
    return f"({do}) {problem}" if problem else None


def _own_problem(task: Task, zone: Zone, pages: Sequence[str]) -> str | None:
    """Return what is wrong between the keys of a task of one kind."""
    if isinstance(task, LightTask) and task.off_below is not None and task.off_below > task.on_above:
        return f"off_below is {task.off_below:g}, but on_above {task.on_above:g}: a lamp between them would flicker"
    if isinstance(task, PageTask):
        return _page_task_problem(task, zone, pages)
    if isinstance(task, ReadTask):
        return read_problem(task, zone.points or ())
    return None


def _page_task_problem(task: PageTask, zone: Zone, pages: Sequence[str]) -> str | None:
    if not pages:
        return "needs pages: the file has none"
    if unknown := [name for name in task.pages if name not in pages]:
        return f"pages names {unknown[0]!r}, {_unknown_page(unknown[0], pages)}"
    if zone.points is not None and len(zone.points) != 4:
        return f"needs four points, the corners of the display, not {len(zone.points)}"
    problem = _corners_problem(zone.points or ())
    return f"points {problem}" if problem else None


def _unknown_page(name: str, pages: Sequence[str]) -> str:
    return f"which is none of the pages{_suggestion(name, pages)}"


def _corners_problem(points: Sequence[Point]) -> str | None:
    """Return what is wrong with four corners: no rectangle, seen from anywhere, has a corner that points inwards."""
    turns = [_side(points[number - 2], points[number - 1], points[number]) for number in range(len(points))]
    is_convex = all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)
    return None if is_convex else "make a corner that points inwards: a display has none"


def _polygon_problem(points: Sequence[Point]) -> str | None:
    """Return what is wrong with a polygon: it must have an area, and edges that do not cross."""
    edges = list(zip(points, [*points[1:], *points[:1]], strict=True))
    if any(start == end for start, end in edges):
        return "hold the same point twice in a row"
    if abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in edges)) < MIN_AREA:
        return "enclose no area"
    for number, (a, b) in enumerate(edges):
        for c, d in edges[number + 1 :]:
            if _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0:
                return "make edges that cross: give the points in their order around the zone"
    return None


def _side(start: Point, end: Point, point: Point) -> float:
    """Return on which side of a line a point lies: below 0, above 0, or 0 on it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
