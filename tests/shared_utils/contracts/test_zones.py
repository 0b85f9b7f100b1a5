"""The file of a camera's zones: replaced as a whole, with its revision."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.zones.file import load_zones
from shared_utils.config.zones.model import MAX_POINTS, MAX_ZONES
from shared_utils.config.zones.save import save_zones
from shared_utils.contracts.zones import read_zones, write_zones, zones_path
from shared_utils.errors import FormatError, SettingError, ZonesChanged

GATE = {"name": "gate", "points": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], "tasks": [{"do": "objects"}]}


def test_each_write_is_a_new_revision(tmp_path: Path) -> None:
    path = zones_path(tmp_path, "press-3")
    assert read_zones(path) is None
    assert write_zones(path, {"zones": [GATE]}) == 1
    assert write_zones(path, {"zones": [GATE], "revision": 99, "schema": 5}) == 2
    assert read_zones(path) == {"schema": 1, "camera": "press-3", "revision": 2, "zones": [GATE]}
    assert [one.name for one in path.parent.iterdir()] == ["press-3.json"]


def test_what_is_written_is_valid(tmp_path: Path) -> None:
    path = zones_path(tmp_path, "press-3")
    write_zones(path, {"zones": [GATE]})
    assert load_zones(path).revision == 1


def test_each_point_is_written_in_one_line(tmp_path: Path) -> None:
    path = zones_path(tmp_path, "press-3")
    write_zones(path, {"zones": [GATE]})
    assert "\n    [0.9, 0.1],\n" in path.read_text()


def test_as_many_zones_as_there_may_be_are_read_again_or_refused(tmp_path: Path) -> None:
    turns = [2 * math.pi * number / MAX_POINTS for number in range(MAX_POINTS)]
    points = [[0.5 + math.cos(turn) / 3, 0.5 + math.sin(turn) / 3] for turn in turns]
    zones: list[dict[str, Any]] = [{"name": f"zone-{number}", "points": points} for number in range(MAX_ZONES)]
    path = zones_path(tmp_path, "door")
    save_zones(path, {"zones": zones})
    assert len(load_zones(path).zones) == MAX_ZONES
    long = {"do": "gauge", "settings": {"text": "x" * 2000}}
    with pytest.raises(SettingError, match="is larger than"):
        save_zones(path, {"zones": [{**zone, "tasks": [long]} for zone in zones]})
    assert load_zones(path).revision == 1


@pytest.mark.parametrize(("content", "reason"), [('{"schema": 2}', "is of schema 2"), ("{", "not a JSON object")])
def test_another_version_and_a_damaged_file_are_errors_and_stay(tmp_path: Path, content: str, reason: str) -> None:
    path = zones_path(tmp_path, "door")
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(FormatError, match=reason):
        read_zones(path)
    with pytest.raises(FormatError, match=reason):
        write_zones(path, {"zones": []})
    assert path.read_text() == content


def test_what_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = zones_path(tmp_path, "door")
    assert write_zones(path, {"zones": []}, 0) == 1
    assert write_zones(path, {"zones": [GATE]}, 1) == 2
    with pytest.raises(ZonesChanged, match="it has revision 2, and the change was made from revision 1"):
        write_zones(path, {"zones": []}, 1)
    assert load_zones(path).zones[0].name == "gate"


def test_what_is_wrong_is_not_saved(tmp_path: Path) -> None:
    path = zones_path(tmp_path, "door")
    assert save_zones(path, {"zones": [GATE], "groups": [{"name": "p1"}]}, 0) == 1
    with pytest.raises(SettingError, match="zone 'gate': points hold the same point twice"):
        save_zones(path, {"zones": [{**GATE, "points": [[0, 0], [0, 0], [1, 1]]}]})
    assert load_zones(path).groups[0].name == "p1"
