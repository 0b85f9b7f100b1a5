"""``python -m shared_utils.zones``: what it says of files, and what it draws."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared_utils.config.zones.file import parse_zones
from shared_utils.media.palette import SERIES, bgr
from shared_utils.media.picture_files import read_picture, write_picture
from shared_utils.zones.__main__ import main
from shared_utils.zones.drawing import draw_zones, zone_marks
from tests.support.footage.video import CLIP_NAME
from video_worker.zones.geometry import LEFT, RIGHT, sides

ZONES: list[dict[str, Any]] = [
    {"name": "trees", "points": [[0.8, 0], [1, 0], [1, 0.3]], "ignore_motion": True},
    {
        "name": "gate",
        "points": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.5], [0.1, 0.5]],
        "tasks": [
            {"do": "objects", "labels": ["person", "car"], "min_s": 1, "loiter_s": 30},
            {"do": "objects", "when": "live", "anchor": "any"},
        ],
    },
    {"name": "door", "line": [[0.6, 0.9], [0.7, 0.4]], "tasks": [{"do": "cross", "when": "both"}]},
]


def write(folder: Path, camera: str = "cam1", zones: Any = ZONES, **more: Any) -> Path:
    path = folder / "zones" / f"{camera}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema": 1, "camera": camera, "revision": 7, "zones": zones, **more}))
    return path


def run(*arguments: object, video_dir: Path) -> tuple[int, list[str], list[str]]:
    out, err = io.StringIO(), io.StringIO()
    code = main([str(one) for one in arguments], {"VIDEO_DIR": str(video_dir)}, out, err)
    return code, out.getvalue().splitlines(), err.getvalue().splitlines()


def test_files_that_are_right_have_a_line_each(tmp_path):
    first, second = write(tmp_path), write(tmp_path, "cam2", [])
    assert run("check", first, second, video_dir=tmp_path) == (
        0,
        [f"{first}: right, revision 7, zones: trees, gate, door", f"{second}: right, revision 7, zones: none"],
        [],
    )


def test_what_is_wrong_is_named_by_zone_and_key_and_the_others_are_checked(tmp_path):
    right = write(tmp_path)
    wrong = write(tmp_path, "cam2", [{**ZONES[1], "tasks": [{"do": "objects", "loiters": 3}]}])
    missing = tmp_path / "zones" / "cam3.json"
    code, out, err = run("check", wrong, missing, right, video_dir=tmp_path)
    assert code == 1
    assert out == [f"{right}: right, revision 7, zones: trees, gate, door"]
    assert err == [
        f"{wrong}: zone 'gate': unknown key 'tasks[0].loiters' (did you mean 'loiter_s'?)",
        f"{missing} cannot be read: No such file or directory",
    ]


def test_a_camera_s_zones_are_listed(tmp_path):
    page = {"name": "menu", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "reference": "menu.png"}
    write(tmp_path, pages=[page])
    assert run("show", "cam1", video_dir=tmp_path) == (
        0,
        [
            "camera cam1, revision 7",
            "zone   shape      task     when   labels       details",
            "trees  3 corners                               motion ignored",
            "gate   4 corners  objects  clips  person, car  anchor bottom, min_s 1, loiter_s 30",
            "gate   4 corners  objects  live   all          anchor any, min_s 0.6",
            "door   line       cross    both   all          anchor bottom",
            "menu   page                                    like menu.png from 0.4",
        ],
        [],
    )


def test_rules_and_groups_are_listed_as_the_file_spells_them(tmp_path):
    page = {"name": "menu", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "reference": "menu.png"}
    rules = {"number": {"unit": "bar", "max": 16}, "counter": {"max_per_min": 3}, "replace": [["O", "0"]]}
    display = {"name": "display", "points": page["points"], "group": "night", "tasks": [{"do": "read", **rules}]}
    groups = [{"name": "night", "page": "menu", "on": False}, {"name": "day"}]
    write(tmp_path, zones=[display], pages=[page], groups=groups)
    _, lines, _ = run("show", "cam1", video_dir=tmp_path)
    assert 'replace [["O", "0"]], number {"unit": "bar", "max": 16.0}, counter {"max_per_min": 3.0}' in lines[2]
    assert lines[-2].split(maxsplit=2) == ["night", "group", "off, while page menu is displayed"]
    assert lines[-1].split() == ["day", "group", "on"]


@pytest.mark.parametrize("command", [("show", "cam9"), ("draw", "cam9", "--out", "x.png")])
def test_a_camera_without_zones_is_named_with_those_that_have_some(tmp_path, capsys, command):
    write(tmp_path)
    assert run(*command, video_dir=tmp_path)[0] == 2
    assert "camera 'cam9' has no zones: there is no file" in (line := capsys.readouterr().err)
    assert "those of cam1" in line


def test_a_wrong_file_is_neither_listed_nor_drawn(tmp_path, capsys):
    write(tmp_path, zones=[{**ZONES[2], "tasks": [{"do": "objects"}]}])
    assert run("show", "cam1", video_dir=tmp_path)[0] == 2
    assert "zone 'door': tasks[0] (objects) needs points" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["check"], ["draw", "cam1"], ["draw", "c", "--picture", "a", "--clip", "b"]])
def test_wrong_use_is_exit_code_2(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments, video_dir=tmp_path)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["picture", "clip", "newest clip"])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_zones_are_drawn_on_a_picture_a_clip_or_the_newest_clip(tmp_path, clip_master, source, ending):
    write(tmp_path)
    (tmp_path / CLIP_NAME).write_bytes(clip_master.read_bytes())
    grey = tmp_path / "grey.png"
    write_picture(grey, np.full((360, 640, 3), 100, np.uint8))
    given = {"picture": ["--picture", grey], "clip": ["--clip", clip_master, "--at", 5], "newest clip": []}[source]
    code, out, err = run("draw", "cam1", *given, "--out", tmp_path / f"out.{ending}", video_dir=tmp_path)
    assert (code, err) == (0, [])
    on = {"picture": grey, "clip": clip_master, "newest clip": tmp_path / CLIP_NAME}[source]
    assert out == [f"{tmp_path / f'out.{ending}'}: 3 zones of camera cam1 on {on}"]
    drawn = read_picture(tmp_path / f"out.{ending}")
    assert drawn.shape == (360, 640, 3)
    # the lower edge of the gate, and nothing in its middle
    assert np.abs(drawn[180, 160].astype(int) - bgr(SERIES[1])).max() < 40
    assert np.abs(drawn[110, 160].astype(int) - bgr(SERIES[1])).max() > 40


def test_what_cannot_be_drawn_is_one_line(tmp_path, capsys):
    write(tmp_path)
    text = tmp_path / "text.png"
    text.write_text("no picture")
    out = tmp_path / "out.png"
    for arguments, code, reason in (
        (["--picture", text], 1, f"{text}: it is no picture that can be read"),
        (["--picture", tmp_path / "none.png"], 1, "none.png: No such file or directory"),
        (["--clip", text], 1, f"{text}: no video that can be read"),
        (["--clip", tmp_path / "none.mp4"], 1, "none.mp4: the file is not there"),
        ([], 2, f"there is no clip of camera 'cam1' in {tmp_path}: give --picture or --clip"),
    ):
        assert run("draw", "cam1", *arguments, "--out", out, video_dir=tmp_path)[0] == code
        error = capsys.readouterr().err
        assert reason in error
        assert len(error.splitlines()) == 1
    grey = tmp_path / "grey.png"
    write_picture(grey, np.full((36, 64, 3), 100, np.uint8))
    assert run("draw", "cam1", "--picture", grey, "--out", tmp_path / "out.gif", video_dir=tmp_path)[0] == 2
    assert ".png, .jpg or .jpeg was expected" in capsys.readouterr().err
    assert run("draw", "cam1", "--picture", grey, "--out", tmp_path / "no" / "o.png", video_dir=tmp_path)[0] == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "line", [[[0.5, 1], [0.5, 0]], [[0.5, 0], [0.5, 1]], [[0.2, 0.8], [0.9, 0.1]], [[0, 0.5], [1, 0.5]]]
)
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_arrows_point_to_the_sides_that_crossings_are_called_by(line, size):
    zones = parse_zones(
        json.dumps(
            {"schema": 1, "camera": "c", "zones": [{"name": "l", "line": line, "tasks": [{"do": "cross"}]}]}
        ).encode()
    )
    marks = {mark.text: mark for mark in zone_marks(zones, size)}
    pixels = np.array(line) * size
    for text, side in (("left", LEFT), ("right", RIGHT)):
        assert sides([marks[text].points[0]], pixels).tolist() == [side]


def test_a_line_that_nobody_is_to_cross_has_no_directions():
    zones = parse_zones(
        json.dumps({"schema": 1, "camera": "c", "zones": [{"name": "l", "line": [[0, 0], [1, 1]]}]}).encode()
    )
    assert [mark.text for mark in zone_marks(zones, (64, 36))] == ["l"]


def test_a_picture_is_left_as_it_is_when_zones_are_drawn():
    picture = np.full((360, 640, 3), 100, np.uint8)
    zones = parse_zones(json.dumps({"schema": 1, "camera": "c", "zones": ZONES}).encode())
    drawn = draw_zones(picture, zones)
    assert (picture == 100).all()
    assert (drawn != 100).any()


@pytest.mark.parametrize("name", ["a.png", "a.PNG"])
def test_a_png_keeps_every_pixel(tmp_path, name):
    picture = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)
    write_picture(tmp_path / name, picture)
    assert (read_picture(tmp_path / name) == picture).all()


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_file_that_is_no_picture_is_an_error(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no picture"):
        read_picture(path)
