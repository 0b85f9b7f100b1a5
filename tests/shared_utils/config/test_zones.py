"""Zones of a camera: what a file may hold, and how an error in it is named."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.zones.file import MAX_FILE_BYTES, load_zones, parse_zones
from shared_utils.config.zones.model import (
    CrossTask,
    LightTask,
    MatchTask,
    ObjectsTask,
    PluginTask,
    ReadTask,
    task_name,
)
from shared_utils.config.zones.reading import read_problem
from shared_utils.errors import SettingError

SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
EXAMPLE: dict[str, Any] = {
    "schema": 1,
    "camera": "press-3",
    "revision": 7,
    "pages": [{"name": "alarm", "points": SQUARE, "reference": "press-3.alarm.png", "min_score": 0.4}],
    "zones": [
        {"name": "trees", "points": SQUARE, "ignore_motion": True},
        {
            "name": "gate",
            "points": [[0, 0], [1, 0], [0.5, 1]],
            "tasks": [{"do": "objects", "labels": ["person", "car"], "anchor": "bottom", "min_s": 0.6, "loiter_s": 30}],
        },
        {"name": "door", "line": [[0.2, 0.9], [0.5, 0.4]], "tasks": [{"do": "cross", "labels": ["person"]}]},
        {
            "name": "pressure",
            "points": SQUARE,
            "group": "p1",
            "tasks": [
                {
                    "do": "read", "engine": "rapidocr", "mode": "line", "pattern": "\\d+\\.\\d", "every_s": 1,
                    "page": "alarm", "when": "live",
                },
            ],
        },
        {"name": "lamp", "points": SQUARE, "tasks": [{"do": "light", "on_above": 128, "when": "live"}]},
        {
            "name": "till",
            "points": SQUARE,
            "tasks": [
                {"do": "match", "gallery": "products", "cooldown_s": 3, "clear_frames": 8, "direction": "any"},
            ],
        },
    ],
}  # fmt: skip
GATE, DOOR, PRESSURE = 1, 2, 3


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the example as a file, after `change` was made to it."""
    content = copy.deepcopy(EXAMPLE)
    change(content)
    return json.dumps(content).encode()


def test_the_example_of_the_contract_is_read() -> None:
    zones = parse_zones(json.dumps(EXAMPLE).encode())
    assert (zones.camera, zones.revision) == ("press-3", 7)
    assert [zone.name for zone in zones.zones] == ["trees", "gate", "door", "pressure", "lamp", "till"]
    assert zones.zones[0].ignore_motion is True
    assert [task for zone in zones.zones for task in zone.tasks] == [
        ObjectsTask(labels=("person", "car"), anchor="bottom", min_s=0.6, loiter_s=30.0),
        CrossTask(labels=("person",)),
        ReadTask(pattern="\\d+\\.\\d", page="alarm", when="live"),
        LightTask(when="live"),
        MatchTask(gallery="products"),
    ]
    assert zones.zones[DOOR].line == ((0.2, 0.9), (0.5, 0.4))
    assert (zones.pages[0].name, zones.pages[0].reference, zones.pages[0].min_score) == (
        "alarm", "press-3.alarm.png", 0.4,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["needle", "gauge", "count-caps", "7up", "patch2", "Leck"])
def test_any_other_word_is_the_name_of_a_module(name: str) -> None:
    task = {"do": name, "every_s": 2, "when": "live", "page": "alarm", "settings": {"min": 0, "unit": "bar"}}
    zones = parse_zones(changed(lambda all_: all_["zones"][GATE]["tasks"].append(task)))
    own = PluginTask(module=name, every_s=2.0, when="live", page="alarm", settings={"min": 0, "unit": "bar"})
    assert zones.zones[GATE].tasks[-1] == own
    assert task_name(own) == name


def test_what_is_left_out_has_a_default() -> None:
    zones = parse_zones(b'{"schema": 1, "camera": "cam1", "zones": [{"name": "a", "line": [[0, 0], [1, 1]]}]}')
    assert (zones.revision, zones.pages) == (0, ())
    zone = zones.zones[0]
    assert (zone.points, zone.ignore_motion, zone.group, zone.tasks) == (None, False, None, ())


def test_tasks_belong_to_clips_unless_they_say_otherwise() -> None:
    assert ObjectsTask().when == "clips"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda all_: all_.pop("camera"), "camera is missing"),
        (lambda all_: all_.update(camera="press 3"), "camera is \"press 3\": use 1 to 32 letters, digits, '-' and '_'"),
        (lambda all_: all_.update(schema=2), "schema is 2, and this version of vcam reads schema 1 alone"),
        (lambda all_: all_.update(schema="1"), 'schema is "1": it takes a whole number, not text'),
        (lambda all_: all_.update(schema=True), "schema is true: it takes a whole number, not true or false"),
        (lambda all_: all_.update(revision=-1), "revision is -1: it takes at least 0"),
        (lambda all_: all_.update(revision=10**30), f"revision is {10**30}: it takes at most 2147483647"),
        (lambda all_: all_.update(zone=[]), "unknown key 'zone' (did you mean 'zones'?)"),
        (
            lambda all_: all_.update({"a\nb": 1}),
            "unknown key 'a\\nb'; the keys are schema, camera, revision, reference, pages, groups, zones",
        ),
        (lambda all_: all_.update(zones={}), "zones is {}: it takes a list, not an object"),
        (lambda all_: all_["zones"].append(5), "zone number 7 is 5: it takes an object, not a whole number"),
        (lambda all_: all_["zones"].append({}), "zone number 7: name is missing"),
        (
            lambda all_: all_["zones"][GATE].update(name=5),
            "zone number 2: name is 5: it takes text",
        ),
        (lambda all_: all_["zones"][GATE].update(name="a b"), "zone 'a b': name is \"a b\": use 1 to 32 letters"),
        (lambda all_: all_["zones"][GATE].update(name="trees"), "zone number 2: name 'trees' is used before"),
        (lambda all_: all_["zones"][GATE].pop("points"), "zone 'gate': give either points or line"),
        (lambda all_: all_["zones"][GATE].update(line=[[0, 0], [1, 1]]), "zone 'gate': give either points or line"),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [1.5, 0], [0, 1]]),
            "zone 'gate': points[1][0] is 1.5: it takes at most 1",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [0, -0.1], [0, 1]]),
            "zone 'gate': points[1][1] is -0.1: it takes at least 0",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [1, 0]]),
            "zone 'gate': points is [[0, 0], [1, 0]]: it takes at least 3 entries",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [1, 0, 1], [1, 1]]),
            "zone 'gate': points[1] is [1, 0, 1]: it takes 2 entries",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], ["1", 0], [1, 1]]),
            "zone 'gate': points[1][0] is \"1\": it takes a number, not text",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [0, 0], [1, 1]]),
            "zone 'gate': points hold the same point twice in a row",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [0.5, 0.5], [1, 1]]),
            "zone 'gate': points enclose no area",
        ),
        (
            lambda all_: all_["zones"][GATE].update(points=[[0, 0], [1, 0.9], [1, 0], [0, 1]]),
            "zone 'gate': points make edges that cross",
        ),
        (lambda all_: all_["zones"][GATE].update(ignore_motion=1), "zone 'gate': ignore_motion is 1: it takes true or"),
        (lambda all_: all_["zones"][GATE].update(tasc=1), "zone 'gate': unknown key 'tasc' (did you mean 'tasks'?)"),
        (
            lambda all_: all_["zones"][GATE]["tasks"][0].update(do="object"),
            "zone 'gate': tasks[0].do is \"object\": use one of objects, cross, read, light, page, match "
            "(did you mean 'objects'?), or the name of a module in plugins/",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "Raed"}),
            "zone 'gate': tasks[1].do is \"Raed\": use one of objects, cross, read, light, page, match "
            "(did you mean 'read'?), or the name of a module",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "../needle"}),
            "zone 'gate': tasks[1].do is \"../needle\": use one of",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "needle", "module": "x"}),
            "zone 'gate': unknown key 'tasks[1].module'; the keys are do, when, page, every_s, settings",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "needle", "every": 1}),
            "zone 'gate': unknown key 'tasks[1].every' (did you mean 'every_s'?)",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "needle", "settings": {"min": None}}),
            "zone 'gate': tasks[1].settings is {\"min\": null}: it takes",
        ),
        (
            lambda all_: all_["zones"][DOOR]["tasks"].append({"do": "needle"}),
            "zone 'door': tasks[1] (needle) needs points",
        ),
        (lambda all_: all_["zones"][GATE]["tasks"][0].pop("do"), "zone 'gate': tasks[0].do is missing"),
        (
            lambda all_: all_["zones"][GATE]["tasks"][0].update(loiter=3),
            "zone 'gate': unknown key 'tasks[0].loiter' (did you mean 'loiter_s'?)",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"][0].update(anchor="center"),
            "zone 'gate': tasks[0].anchor is \"center\": use one of bottom, centre, any (did you mean 'centre'?)",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"][0].update(labels=["person", ""]),
            "zone 'gate': tasks[0].labels[1] is \"\": use labels of the model, such as person",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"][0].update(when="always"),
            "zone 'gate': tasks[0].when is \"always\": use one of clips, live, both",
        ),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "cross"}),
            "zone 'gate': tasks[1] (cross) needs line",
        ),
        (
            lambda all_: all_["zones"][DOOR]["tasks"].append({"do": "read"}),
            "zone 'door': tasks[1] (read) needs points",
        ),
        (
            lambda all_: all_["zones"][DOOR].update(line=[[0, 0], [0, 0]]),
            "zone 'door': line has both ends at",
        ),
        (lambda all_: all_["zones"][DOOR].update(ignore_motion=True), "zone 'door': ignore_motion needs points"),
        (
            lambda all_: all_["zones"][PRESSURE].update(points=[[0, 0], [1, 0], [1, 1]]),
            "zone 'pressure': tasks[0] (read) needs four points, the corners of the text, not 3",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(every_s=0),
            "zone 'pressure': tasks[0].every_s is 0: it takes at least 0.1",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(pattern="("),
            "zone 'pressure': tasks[0] (read) pattern is '(', which is no regular expression",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(pattern="(?:a{65535}){65535}"),
            "zone 'pressure': tasks[0] (read) pattern is '(?:a{65535}){65535}', which repeats more than",
        ),
        (
            lambda all_: all_["zones"][PRESSURE].update(points=[[0, 0], [1, 0], [0.2, 0.2], [0, 1]]),
            "zone 'pressure': tasks[0] (read) needs four corners that can be made a rectangle",
        ),
        (
            lambda all_: all_["zones"][PRESSURE].update(points=[[0, 0], [1, 0], [1, 1], [0.5, 0.5]]),
            "zone 'pressure': tasks[0] (read) needs four corners that can be made a rectangle",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(replace=[["", "0"]]),
            "zone 'pressure': tasks[0] (read) replace has an empty text",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(number={"min": 5, "max": 4.5}),
            "zone 'pressure': tasks[0] (read) number.min is 5, and number.max is 4.5",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(
                number={"max": 99}, counter={"max_per_min": 1, "start": 100}
            ),
            "zone 'pressure': tasks[0] (read) counter.start is 100, and number.max is 99",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(counter={"max_per_min": 0}),
            "zone 'pressure': tasks[0].counter.max_per_min is 0: it takes more than 0",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(counter={"max_per_minute": 1}),
            "zone 'pressure': unknown key 'tasks[0].counter.max_per_minute' (did you mean 'max_per_min'?)",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"][0].update(page="alert"),
            "zone 'pressure': tasks[0] (read) page is 'alert', which is none of the pages",
        ),
        (lambda all_: all_["pages"].append(all_["pages"][0]), "page number 2: name 'alarm' is used before"),
        (
            lambda all_: all_["pages"][0].update(points=[[0, 0], [1, 0], [0.2, 0.2], [0, 1]]),
            "page 'alarm': points make a corner that points inwards",
        ),
        (
            lambda all_: all_.update(groups=[{"name": "day"}, {"name": "day"}]),
            "group number 2: name 'day' is used before",
        ),
        (
            lambda all_: all_.update(groups=[{"name": "day", "page": "alert"}]),
            "group 'day': page is 'alert', which is none of the pages",
        ),
        (lambda all_: all_.update(groups=[{"name": "day", "of": 1}]), "group 'day': unknown key 'of'"),
        (
            lambda all_: all_["zones"][GATE]["tasks"].append({"do": "light", "on_above": 50, "off_below": 60}),
            "zone 'gate': tasks[1] (light) off_below is 60, but on_above 50",
        ),
        (
            lambda all_: all_["zones"][PRESSURE]["tasks"].append({"do": "page", "pages": ["alarms"]}),
            "zone 'pressure': tasks[1] (page) pages names 'alarms', which is none of the pages (did you mean 'alarm'?)",
        ),
        (lambda all_: all_["pages"][0].pop("reference"), "page 'alarm': reference is missing"),
        (
            lambda all_: all_["pages"][0].update(reference="../secret.png"),
            "page 'alarm': reference is \"../secret.png\": use the name of a file beside this one",
        ),
        (lambda all_: all_["pages"][0].update(points=SQUARE[:3]), "page 'alarm': points is [[0.1, 0.1], [0.9, 0.1],"),
    ],
)
def test_an_error_names_zone_and_key(change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # the message is compared below
        parse_zones(changed(change))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON: Expecting value (line 1)"),
        (b'{"schema": 1,\n"camera" "x"}', r"is not JSON: Expecting ':' delimiter (line 2)"),
        (b'{"schema": 1, "schema": 1, "camera": "x"}', "key 'schema' occurs twice in one object"),
        (b'{"schema": 1, "camera": "x", "revision": NaN}', "revision is NaN: it takes a whole number, not a number"),
        (b'{"schema": 1, "camera": "x", "revision": ' + b"9" * 5000 + b"}", "holds a number of 5000 digits"),
        (b"[" * 100_000, "is not JSON of zones: it is nested too deeply"),
        (b"[]", "the file is []: it takes an object, not a list"),
        (b"null", "the file is null: it takes an object, not null"),
        (b'{"camera": "\\ud800"}', r"holds \ud800, half of a character"),
        (b"\xff{}", "is not UTF-8 in line 1: save it as UTF-8"),
        (" " .encode("utf-16"), "is saved as UTF-16"),
        (b" " * (MAX_FILE_BYTES + 1), "is larger than 1048576 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_zones_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # the message is compared below
        parse_zones(data)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_control_characters_of_a_wrong_value_are_not_repeated() -> None:
    name = "\x9b31m\u202e"
    data = json.dumps({"schema": 1, "camera": "door", "zones": [{"name": name, "points": []}]}, ensure_ascii=False)
    with pytest.raises(ValueError, match="u009b31m") as caught:
        parse_zones(data.encode())
    assert str(caught.value).isprintable()


def test_a_file_is_named_after_its_camera(tmp_path: Path) -> None:
    path = tmp_path / "press-3.json"
    path.write_text(json.dumps(EXAMPLE))
    assert load_zones(path).camera == "press-3"
    other = path.rename(tmp_path / "door.json")
    with pytest.raises(
        SettingError, match=r"door\.json: camera is 'press-3', but the file is named after camera 'door'"
    ):
        load_zones(other)


def test_a_wrong_file_is_refused_whole_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "press-3.json"
    path.write_bytes(changed(lambda all_: all_["zones"][DOOR]["tasks"][0].update(labels="person")))
    with pytest.raises(SettingError) as caught:
        load_zones(path)
    assert str(caught.value) == f"{path}: zone 'door': tasks[0].labels is \"person\": it takes a list, not text"


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "press-3.json")
    with pytest.raises(SettingError, match=r"press-3\.json cannot be read: it is not a regular file"):
        load_zones(tmp_path / "press-3.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"press-3\.json cannot be read: No such file or directory"):
        load_zones(tmp_path / "press-3.json")


@pytest.mark.parametrize(
    ("pattern", "is_right"),
    [
        (r"\d{6}", True),
        (r"(?:\d{3}[- ]?){4}", True),
        (r"[(\]{99999}]{99}", True),
        (r"\{99999\}", True),
        (r"x{,99999}", True),
        ("x{10000}", True),
        ("x{10001}", False),
        ("(?:x{50}y{51}){100}", False),
        ("((x{30}){30}){30}", False),
        ("x{100}{101}", False),
    ],
)
def test_what_a_pattern_repeats_is_bounded(pattern, is_right):
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    problem = read_problem(ReadTask(pattern=pattern), square)
    assert problem is None if is_right else "repeats more than" in str(problem)
