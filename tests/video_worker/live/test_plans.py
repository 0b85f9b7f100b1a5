"""What is wanted of a camera, by its facts and zones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.zones.file import parse_zones
from tests.video_worker.steps.displays import read_zones
from video_worker.live.plans import CameraFacts, PictureSigns, Plan

OBJECTS = {"name": "gate", "points": [[0, 0], [1, 0], [1, 1]], "tasks": [{"do": "objects", "when": "live"}]}
LAMP = {"name": "lamp", "points": [[0, 0], [1, 0], [1, 1]], "tasks": [{"do": "light", "when": "both", "every_s": 0.2}]}


def plan(objects: str, *zones: Any, groups: Any = ()) -> Plan:
    file = {"schema": 1, "camera": "panel", "groups": groups, "zones": zones}
    return Plan("panel", CameraFacts(objects, width=1920), parse_zones(json.dumps(file).encode()))


def displays_of(*tasks: dict[str, Any], when: str = "live") -> list[Any]:
    return list(read_zones(*tasks, when=when))


@pytest.mark.parametrize(
    ("found", "wanted", "detector", "only_motion", "detail", "fps"),
    [
        (plan("off"), False, False, False, False, 1),
        (plan("motion"), True, True, True, False, 5),
        (plan("off", *displays_of({}, when="clips")), False, False, False, False, 1),
        (plan("off", *displays_of({"every_s": 30})), True, False, False, True, 1),
        (plan("off", *displays_of({"every_s": 30}, {"every_s": 0.5})), True, False, False, True, 2),
        (plan("off", *displays_of({"every_s": 0.1})), True, False, False, True, 5),
        (plan("off", LAMP), True, False, False, False, 5),
        (plan("motion", *displays_of({})), True, True, True, True, 5),
        (plan("on", *displays_of({})), True, True, False, True, 5),
        (plan("off", *displays_of({}), OBJECTS), True, True, False, True, 5),
        (plan("motion", *displays_of({}), OBJECTS), True, True, False, True, 5),
    ],
)
def test_what_is_wanted(found, wanted, detector, only_motion, detail, fps):
    assert found.is_wanted is wanted
    assert found.needs_detector is detector
    assert found.objects_need_motion is only_motion
    assert found.needs_detail is detail
    assert found.fps(5.0) == fps


def test_frames_come_while_nothing_moves_where_zones_want_them():
    assert plan("motion").when_motion
    assert not plan("motion", *displays_of({})).when_motion


def test_tasks_of_a_group_that_is_off_want_nothing():
    zone = {**displays_of({})[0], "group": "p1"}
    assert plan("off", zone, groups=[{"name": "p1"}]).is_wanted
    assert not plan("off", zone, groups=[{"name": "p1", "on": False}]).is_wanted


def test_a_reference_picture_that_is_replaced_is_another_and_one_that_is_away_is_the_last(tmp_path: Path):
    signs, picture = PictureSigns(tmp_path), tmp_path / "panel.menu.png"
    assert signs.get(picture.name) is None
    picture.write_bytes(b"one")
    first = signs.get(picture.name)
    assert first is not None
    picture.unlink()
    assert signs.get(picture.name) == first
    picture.write_bytes(b"the other")
    assert signs.get(picture.name) not in (None, first)
