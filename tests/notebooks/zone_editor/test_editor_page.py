"""ZoneEditor in a real JupyterLab and a real browser: clicks, drags and keys, and what is in the file then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Page, expect

from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.zones import write_zones, zones_path
from tests.support.jupyterlab import IDLE, Lab, open_notebook

CELL = """
from pathlib import Path
from notebooks.lab.jobs.places import Places
from notebooks.lab.zone_editor import edit_zones
from dataclasses import replace
edit_zones("street", replace(Places.from_env(), video=Path("video").resolve()), at_s=1.0)
"""
EDITOR = ".vcam-zones"
ANSWERED = f"document.querySelector('{EDITOR}').dataset.answered === 'true'"
PAGES = [{"name": "alarm", "points": [[0.7, 0.1], [0.9, 0.1], [0.9, 0.3], [0.7, 0.3]], "reference": "alarm.png"}]
SQUARE = [(0.2, 0.2), (0.6, 0.25), (0.6, 0.8), (0.25, 0.7)]


@dataclass
class Drawing:
    """A notebook with an editor, open in a page."""

    page: Page
    path: Path
    errors: list[str] = field(default_factory=list)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the screen at which a point of the picture (0..1, 16 to 9, all of it seen) is."""
        box = self.page.locator(f"{EDITOR} canvas").bounding_box()
        assert box
        width = min(box["width"], box["height"] * 16 / 9)
        return box["x"] + (box["width"] - width) / 2 + x * width, box["y"] + y * width * 9 / 16

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.place(*point))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=4)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.page.wait_for_function(ANSWERED)

    def button(self, name: str) -> None:
        self.page.locator(EDITOR).get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_function(ANSWERED)

    def name(self, text: str) -> None:
        """Type the name of the zone that was drawn just now: its field has the focus, with its text selected."""
        self.page.keyboard.type(text)
        self.page.locator(EDITOR).focus()
        self.page.wait_for_function(ANSWERED)

    def polygon(self, name: str = "gate") -> None:
        self.button("Polygon")
        self.click(*SQUARE)
        self.press("Enter")
        self.name(name)

    def save(self) -> dict[str, Any]:
        """Save, and return what the file holds then; the validator of all programs finds it right."""
        self.button("Save")
        load_zones(self.path)
        content: dict[str, Any] = json.loads(self.path.read_text())
        return content

    @property
    def status(self) -> str:
        return self.page.locator(f"{EDITOR} .vcam-status").inner_text()


def near(points: Any, expected: list[tuple[float, float]]) -> bool:
    """Return whether corners are where they were drawn, to a pixel of the screen."""
    return len(points) == len(expected) and all(
        abs(one - other) < 0.004
        for point, place in zip(points, expected, strict=True)
        for one, other in zip(point, place, strict=True)
    )


@pytest.fixture
def drawing(lab: Lab, page: Page, made_volume: Path, tmp_path: Path) -> Iterator[Drawing]:
    folder = lab.folder / tmp_path.name
    shutil.copytree(made_volume, folder / "video")
    path = zones_path(folder / "video", "street")
    path.unlink(missing_ok=True)
    write_zones(path, {"pages": PAGES})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, folder / "zones.ipynb")
    opened = Drawing(page, path)
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.set_viewport_size({"width": 1400, "height": 1000})
    open_notebook(page, lab.url_of(f"{folder.name}/zones.ipynb", folder.name))
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"{EDITOR}[data-painted]")
    yield opened
    assert not opened.errors


def test_shapes_are_drawn_named_given_tasks_and_saved(drawing: Drawing) -> None:
    drawing.polygon()
    drawing.button("Line")
    drawing.click((0.1, 0.9), (0.4, 0.5))
    drawing.name("door")
    drawing.page.get_by_label("Add a task").select_option(label="cross: who crosses the line")
    drawing.page.wait_for_function(ANSWERED)
    drawing.button("Rectangle")
    drawing.drag((0.9, 0.9), (0.7, 0.6))
    drawing.name("trees")
    drawing.page.get_by_label("Motion here starts no clip").check()
    drawing.button("Four corners")
    # against the clock: read clockwise nevertheless
    drawing.click((0.1, 0.1), (0.1, 0.2), (0.3, 0.2), (0.3, 0.1))
    drawing.name("display")
    content = drawing.save()
    assert (content["revision"], content["pages"]) == (2, PAGES)
    gate, door, trees, display = content["zones"]
    assert near(gate["points"], SQUARE)
    assert (door["name"], [task["do"] for task in door["tasks"]]) == ("door", ["cross"])
    assert near(door["line"], [(0.1, 0.9), (0.4, 0.5)])
    assert trees["ignore_motion"] is True
    assert near(trees["points"], [(0.7, 0.6), (0.9, 0.6), (0.9, 0.9), (0.7, 0.9)])
    assert near(display["points"], [(0.1, 0.1), (0.3, 0.1), (0.3, 0.2), (0.1, 0.2)])
    assert "revision 2" in drawing.status


def test_corners_are_moved_added_and_removed_and_all_of_it_undone(drawing: Drawing) -> None:
    drawing.polygon()
    drawing.drag(SQUARE[0], (0.1, 0.1))
    moved = [(0.1, 0.1), *SQUARE[1:]]
    assert near(drawing.save()["zones"][0]["points"], moved)
    # the dot in the middle of an edge is a new corner
    drawing.drag((0.6, 0.525), (0.7, 0.5))
    assert near(drawing.save()["zones"][0]["points"], [*moved[:2], (0.7, 0.5), *moved[2:]])
    drawing.click((0.7, 0.5))
    drawing.press("Delete")
    assert near(drawing.save()["zones"][0]["points"], moved)
    drawing.page.mouse.dblclick(*drawing.place(0.1, 0.1))
    assert near(drawing.save()["zones"][0]["points"], SQUARE[1:])
    # a polygon keeps three corners
    drawing.click(SQUARE[1])
    drawing.press("Delete")
    assert "three corners" in drawing.status
    drawing.press("Control+z")
    assert near(drawing.save()["zones"][0]["points"], moved)
    drawing.press("Control+z", "Control+z", "Control+z")
    assert near(drawing.save()["zones"][0]["points"], SQUARE)
    drawing.press("Control+y")
    assert near(drawing.save()["zones"][0]["points"], moved)
    # all of it, and not out of the picture
    drawing.drag((0.4, 0.5), (0.05, 0.55))
    points = drawing.save()["zones"][0]["points"]
    assert min(x for x, _ in points) == 0
    assert abs(points[1][0] - 0.5) < 0.004
    drawing.button("Delete zone")
    assert drawing.save()["zones"] == []


def test_what_is_wrong_is_named_and_cannot_be_saved(drawing: Drawing) -> None:
    drawing.polygon("my gate!")
    assert "zone 'my gate!': name is" in drawing.status
    assert drawing.page.locator(EDITOR).get_by_role("button", name="Save", exact=True).is_disabled()
    drawing.page.get_by_label("Name").fill("gate")
    drawing.page.get_by_label("Tasks, as in the file").fill('[{"do": "objects", "loiter": 5}]')
    drawing.page.locator(EDITOR).focus()
    expect(drawing.page.locator(f"{EDITOR} .vcam-status")).to_contain_text("unknown key 'tasks[0].loiter'")
    drawing.page.get_by_label("Tasks, as in the file").fill("[{")
    drawing.page.locator(EDITOR).focus()
    expect(drawing.page.locator(f"{EDITOR} .vcam-status")).to_contain_text("Tasks of gate are not JSON")
    assert load_zones(drawing.path).revision == 1
    drawing.page.get_by_label("Tasks, as in the file").fill('[{"do": "objects", "loiter_s": 5}]')
    drawing.page.locator(EDITOR).focus()
    drawing.page.wait_for_function(ANSWERED)
    assert drawing.save()["zones"][0]["tasks"] == [{"do": "objects", "loiter_s": 5}]


def test_a_double_click_that_closes_a_polygon_takes_no_corner_away(drawing: Drawing) -> None:
    drawing.button("Polygon")
    drawing.click(*SQUARE)
    drawing.page.mouse.dblclick(*drawing.place(*SQUARE[0]))
    drawing.name("gate")
    [zone] = drawing.save()["zones"]
    assert zone["name"] == "gate"
    assert near(zone["points"], SQUARE)


def test_what_was_typed_is_taken_when_the_field_is_left_for_a_zone_or_to_save(drawing: Drawing) -> None:
    drawing.polygon()
    drawing.button("Rectangle")
    drawing.drag((0.9, 0.9), (0.7, 0.6))
    drawing.page.keyboard.type("trees")
    chips = drawing.page.locator(f"{EDITOR} .vcam-chip")
    chips.first.click()
    drawing.page.wait_for_function(ANSWERED)
    assert chips.all_inner_texts() == ["gate", "trees"]
    assert drawing.page.get_by_label("Name").input_value() == "gate"
    tasks = drawing.page.get_by_label("Tasks, as in the file")
    tasks.fill("[{")
    drawing.button("Save")
    assert "Tasks of gate are not JSON" in drawing.status
    assert tasks.input_value() == "[{"
    assert load_zones(drawing.path).revision == 1
    tasks.fill('[{"do": "objects"}]')
    drawing.page.keyboard.press("Control+s")
    expect(drawing.page.locator(f"{EDITOR} .vcam-status")).to_contain_text("Saved as revision 2")
    assert len(load_zones(drawing.path).zones[0].tasks) == 1


def test_a_kernel_that_was_restarted_is_said_at_once(drawing: Drawing) -> None:
    page = drawing.page
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.get_by_text(IDLE).wait_for()
    page.locator(EDITOR).get_by_role("button", name="Rectangle", exact=True).click()
    drawing.drag((0.9, 0.9), (0.7, 0.6))
    expect(page.locator(f"{EDITOR} .vcam-status")).to_contain_text("run this cell again")


def test_what_somebody_else_saved_is_not_overwritten_unasked(drawing: Drawing) -> None:
    drawing.polygon()
    write_zones(drawing.path, {"pages": PAGES, "zones": [{"name": "theirs", "points": [[0, 0], [1, 0], [1, 1]]}]})
    drawing.button("Save")
    assert "changed meanwhile" in drawing.status
    assert [zone.name for zone in load_zones(drawing.path).zones] == ["theirs"]
    drawing.button("Load the file")
    assert drawing.page.locator(f"{EDITOR} .vcam-chip").all_inner_texts() == ["theirs"]
    drawing.polygon("ours")
    write_zones(drawing.path, {"pages": PAGES})
    drawing.button("Save")
    drawing.button("Save over it")
    assert [zone.name for zone in load_zones(drawing.path).zones] == ["theirs", "ours"]


def test_a_page_that_is_loaded_again_shows_what_was_drawn(drawing: Drawing) -> None:
    drawing.polygon()
    drawing.page.locator(".jp-CodeCell .cm-content").first.click()
    drawing.page.keyboard.press("Control+s")
    drawing.page.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    drawing.page.reload()
    drawing.page.wait_for_selector(f"{EDITOR}[data-painted]")
    assert drawing.page.locator(f"{EDITOR} .vcam-chip").all_inner_texts() == ["gate"]
    assert near(drawing.save()["zones"][0]["points"], SQUARE)


def test_the_wheel_zooms_and_what_is_drawn_then_is_in_its_place(drawing: Drawing) -> None:
    drawing.page.mouse.move(*drawing.place(0.5, 0.5))
    drawing.page.mouse.wheel(0, -500)
    drawing.button("Rectangle")
    # e^0.75 times as large around the middle
    drawing.drag((0.3, 0.3), (0.7, 0.7))
    drawing.name("middle")
    [zone] = drawing.save()["zones"]
    half = 0.2 / 2.117
    assert near(zone["points"], [(0.5 + x * half, 0.5 + y * half) for x, y in [(-1, -1), (1, -1), (1, 1), (-1, 1)]])


def test_two_fingers_zoom_and_draw_nothing(drawing: Drawing) -> None:
    fingers = drawing.page.context.new_cdp_session(drawing.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [drawing.place(*point) for point in points]
        touched = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    drawing.button("Rectangle")
    touch("touchStart", (0.45, 0.5))
    touch("touchMove", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    touch("touchMove", (0.3, 0.5), (0.7, 0.5))
    touch("touchEnd")
    assert drawing.page.locator(EDITOR).get_by_role("button", name="Cancel", exact=True).is_hidden()
    drawing.drag((0.3, 0.4), (0.7, 0.6))
    drawing.name("middle")
    [zone] = drawing.save()["zones"]
    assert zone["points"][1][0] - zone["points"][0][0] == pytest.approx(0.2, abs=0.02)


def test_another_frame_of_the_clip_is_shown(drawing: Drawing) -> None:
    moment = drawing.page.get_by_label("moment of the clip")
    moment.fill("3")
    expect(drawing.page.locator(f"{EDITOR} .vcam-stage + .vcam-row")).to_contain_text("at 3.")
    drawing.button("Live frame")
    assert drawing.page.locator(f"{EDITOR} .vcam-status.vcam-bad").count() == 1
