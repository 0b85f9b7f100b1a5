"""``python -m shared_utils.zones reference`` and ``group``: new revisions of a camera's zones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared_utils.config.zones.file import load_zones
from shared_utils.config.zones.save import save_zones
from shared_utils.contracts.zones import write_zones
from shared_utils.errors import ZonesChanged
from shared_utils.media.picture_files import read_picture, write_picture
from shared_utils.zones import changes, reference_command
from shared_utils.zones.__main__ import main
from shared_utils.zones.changes import change_zones
from shared_utils.zones.draw_command import source_picture
from tests.support.footage.video import CLIP_NAME

SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
LAMP = {"name": "lamp", "points": SQUARE, "group": "night", "tasks": [{"do": "light", "when": "live"}]}


@pytest.fixture
def zones_file(tmp_path: Path, clip_master: Path) -> Path:
    """Zones of a camera that has a clip, with a key per kind that commands leave alone."""
    (tmp_path / CLIP_NAME).write_bytes(clip_master.read_bytes())
    path = tmp_path / "zones" / "cam1.json"
    path.parent.mkdir()
    pages = [{"name": "menu", "points": SQUARE, "reference": "cam1.menu.png", "min_score": 0.6}]
    path.write_text(json.dumps({"schema": 1, "camera": "cam1", "revision": 7, "pages": pages, "zones": [LAMP]}))
    return path


def run(path: Path, *arguments: object) -> tuple[int, str]:
    out = io.StringIO()
    code = main([str(one) for one in arguments], {"VIDEO_DIR": str(path.parents[1])}, out)
    return code, out.getvalue().strip()


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_group_is_switched_by_hand(zones_file):
    before = content(zones_file)
    assert run(zones_file, "group", "cam1", "night", "off") == (0, "group night of camera cam1 is off, revision 8")
    zones = load_zones(zones_file)
    assert [(group.name, group.on) for group in zones.groups] == [("night", False)]
    assert run(zones_file, "group", "cam1", "night", "on")[0] == 0
    after = content(zones_file)
    assert after == {**before, "revision": 9, "groups": [{"name": "night", "on": True}]}


def test_a_group_keeps_its_page(zones_file):
    groups = [{"name": "night", "page": "menu"}]
    zones_file.write_text(json.dumps({**content(zones_file), "groups": groups}))
    assert run(zones_file, "group", "cam1", "night", "off")[0] == 0
    assert content(zones_file)["groups"] == [{"name": "night", "page": "menu", "on": False}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("group", "cam1", "nacht", "off"), "camera 'cam1' has no group 'nacht'; its groups: night"),
        (("group", "cam9", "night", "off"), "camera 'cam9' has no zones"),
        (("reference", "cam1", "--page", "alarm"), "camera 'cam1' has no page 'alarm'; its pages: menu"),
        (("reference", "cam1", "--corners", *["0,0"] * 4), "--corners are those of a page: give --page as well"),
        (("reference", "cam1", "--page", "new", "--corners", "0,0", "1,0", "1", "0,1"), "give x,y four times"),
        (("reference", "cam1", "--page", "new", "--corners", "0,0", "2,0", "1,1", "0,1"), "each 0..1"),
        (("reference", "cam1", "--page", "new", "--corners", "0,0", "1,1", "1,0", "0,1"), "points enclose no area"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_said_and_the_file_stays(zones_file, capsys, arguments, message):
    before = zones_file.read_bytes()
    assert run(zones_file, *arguments) == (2, "")
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert zones_file.read_bytes() == before
    assert list(zones_file.parent.iterdir()) == [zones_file]


def test_wrong_zones_are_not_changed(zones_file, capsys):
    zones_file.write_text(json.dumps({**content(zones_file), "zones": [{**LAMP, "points": SQUARE[:2]}]}))
    assert run(zones_file, "group", "cam1", "night", "off")[0] == 2
    assert "points" in capsys.readouterr().err


def test_the_reference_of_a_camera_is_a_frame_of_its_newest_clip(zones_file):
    code, out = run(zones_file, "reference", "cam1", "--at", 5)
    assert (code, out.endswith("revision 8")) == (0, True)
    zones = load_zones(zones_file)
    assert zones.reference == "cam1.reference.png"
    picture = read_picture(zones_file.parent / zones.reference)
    # the red square is in the picture then
    assert picture.shape[:2] == (360, 640)
    assert (picture[..., 2] > 180).sum() > 100


def test_the_reference_of_a_page_has_the_name_that_the_zones_give_it(zones_file, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (90, 160, 3)).astype(np.uint8)
    write_picture(tmp_path / "menu.png", picture)
    assert run(zones_file, "reference", "cam1", "--page", "menu", "--picture", tmp_path / "menu.png")[0] == 0
    assert (read_picture(zones_file.parent / "cam1.menu.png") == picture).all()
    zones = load_zones(zones_file)
    assert (zones.pages[0].reference, zones.pages[0].min_score, zones.revision) == ("cam1.menu.png", 0.6, 8)
    # nothing else is left in the folder
    assert sorted(one.name for one in zones_file.parent.iterdir()) == ["cam1.json", "cam1.menu.png"]


def test_a_page_that_is_new_needs_its_corners(zones_file):
    corners = ("0.2,0.2", "0.8,0.2", "0.8,0.7", "0.2,0.7")
    assert run(zones_file, "reference", "cam1", "--page", "alarm", "--corners", *corners)[0] == 0
    page = load_zones(zones_file).pages[1]
    assert (page.name, page.points[2], page.reference) == ("alarm", (0.8, 0.7), "cam1.page-alarm.png")
    assert (zones_file.parent / page.reference).is_file()


def test_a_picture_that_several_pages_share_is_not_replaced_for_all(zones_file):
    pages = content(zones_file)["pages"]
    zones_file.write_text(json.dumps({**content(zones_file), "pages": [*pages, {**pages[0], "name": "alarm"}]}))
    assert run(zones_file, "reference", "cam1", "--page", "alarm")[0] == 0
    assert [page.reference for page in load_zones(zones_file).pages] == ["cam1.menu.png", "cam1.page-alarm.png"]


@pytest.mark.parametrize("arguments", [("group", "cam1", "night", "off"), ("reference", "cam1", "--page", "menu")])
def test_what_somebody_else_saved_meanwhile_stays(zones_file, capsys, monkeypatch, arguments):
    """The other one saves when the command has read the zones, and is about to save its own."""
    theirs = {**content(zones_file), "zones": [LAMP, {**LAMP, "name": "second"}]}

    def save_later(path: Path, *given: Any) -> int:
        save_zones(path, theirs, 7)
        return save_zones(path, *given)

    monkeypatch.setattr(changes, "save_zones", save_later)
    assert run(zones_file, *arguments) == (1, "")
    [line] = capsys.readouterr().err.splitlines()
    assert (
        "it has revision 8, and the change was made from revision 7; nothing was saved: run the command again" in line
    )
    assert content(zones_file) == {**theirs, "revision": 8}
    assert list(zones_file.parent.iterdir()) == [zones_file]


def test_a_reference_is_that_of_the_zones_that_were_read_first(zones_file, capsys, monkeypatch):
    def decode_slowly(*given: Any) -> Any:
        save_zones(zones_file, content(zones_file), 7)
        return source_picture(*given)

    monkeypatch.setattr(reference_command, "source_picture", decode_slowly)
    assert run(zones_file, "reference", "cam1") == (1, "")
    assert "was changed meanwhile" in capsys.readouterr().err
    assert list(zones_file.parent.iterdir()) == [zones_file]


def test_a_picture_that_cannot_be_read_or_written_is_named(zones_file, tmp_path, capsys):
    assert run(zones_file, "reference", "cam1", "--picture", tmp_path / "none.png")[0] == 1
    assert "none.png: No such file" in capsys.readouterr().err
    (zones_file.parent / "cam1.menu.png").mkdir()
    assert run(zones_file, "reference", "cam1", "--page", "menu")[0] == 1
    assert "cam1.menu.png: Is a directory" in capsys.readouterr().err
    assert load_zones(zones_file).revision == 7


def test_what_somebody_else_saves_meanwhile_is_not_lost(zones_file):
    def change(found: dict[str, Any], _: Any) -> None:
        write_zones(zones_file, {**content(zones_file), "reference": "theirs.png"})
        found.update(reference="ours.png")

    with pytest.raises(ZonesChanged, match="it has revision 8, and the change was made from revision 7"):
        change_zones(zones_file.parents[1], "cam1", change)
    assert content(zones_file)["reference"] == "theirs.png"
