"""LabelReview in a real JupyterLab and a real browser: keys and drags, and what is in the labels files then."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page

from shared_utils.contracts.boxes import boxes_path, read_boxes
from shared_utils.contracts.labels import Label, list_labels, read_labels
from tests.support.chromium import PATIENCE_MS
from tests.support.jupyterlab import IDLE, Lab, open_notebook

CELL = """
import os
from pathlib import Path
from notebooks.lab.review.review import open_review
Path("kernel.pid").write_text(str(os.getpid()))
review = open_review(Path("video").resolve())
review
"""
REVIEW = ".vcam-review"
PRESS = """key => document.querySelector('.vcam-review').dispatchEvent(
    new KeyboardEvent('keydown', { key: key[0], code: key[1], bubbles: true }))"""


@dataclass
class Reviewer:
    """A notebook with a review, open in a page."""

    page: Page
    folder: Path
    address: str
    heard: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Run the notebook's only cell, and wait for the picture."""
        self.page.locator(".jp-CodeCell .cm-content").first.click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_selector(f"{REVIEW}[data-painted]")
        self.page.locator(".vcam-hint").click()

    def save(self) -> None:
        """Save the notebook, by JupyterLab's own key, which must not be pressed in the review."""
        self.page.locator(".jp-CodeCell .cm-content").first.click()
        self.page.keyboard.press("Control+s")
        self.page.wait_for_function("!document.querySelector('.jp-mod-dirty')")

    @property
    def question(self) -> str:
        return self.page.locator(REVIEW).get_attribute("data-question") or ""

    def settled(self) -> str:
        """Wait until the kernel has answered and the picture is there; return the question."""
        self.page.wait_for_function(
            f"(() => {{ const at = document.querySelector('{REVIEW}').dataset;"
            "return at.saved === 'true' && (at.painted === at.question || !at.question); })()"
        )
        return self.question

    def press(self, *keys: str) -> str:
        """Press keys one after the other; return the question that is put then."""
        for key in keys:
            self.page.keyboard.press(key)
        return self.settled()

    def box(self) -> tuple[float, float, float, float]:
        """The box in question as its run has it, in pixels of the clip."""
        number, frame, filename = self.question.replace("@", ":", 1).split(":", 2)
        file = read_boxes(boxes_path(self.folder / "video", filename, self._run_of(filename)))
        box = next(one.boxes for one in file.frames if one.frame == int(frame))[int(number)]
        return box.x1, box.y1, box.x2, box.y2

    def _run_of(self, filename: str) -> str:
        lines = map(json.loads, (self.folder / "video" / "detections_log.jsonl").read_text().splitlines())
        return str([line["run_id"] for line in lines if line["filename"] == filename and line["ok"]][-1])

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> float:
        """Drag from one pixel of the clip to another; return how many of the screen's a pixel has."""
        canvas = self.page.locator(f"{REVIEW} canvas")
        canvas.scroll_into_view_if_needed()
        place = canvas.bounding_box()
        assert place
        scale = min(place["width"] / 640, place["height"] / 360)
        left = place["x"] + (place["width"] - 640 * scale) / 2
        self.page.mouse.move(left + start[0] * scale, place["y"] + start[1] * scale)
        self.page.mouse.down()
        self.page.mouse.move(left + end[0] * scale, place["y"] + end[1] * scale, steps=4)
        self.page.mouse.up()
        return scale

    def labels(self) -> list[Label]:
        """All labels on disk."""
        return [label for path in list_labels(self.folder / "video") for label in read_labels(path).labels]


@pytest.fixture
def reviewer(lab: Lab, page: Page, made_volume: Path, tmp_path: Path) -> Iterator[Reviewer]:
    folder = lab.folder / tmp_path.name
    shutil.copytree(made_volume, folder / "video")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, folder / "review.ipynb")
    opened = Reviewer(page, folder, lab.url_of(f"{folder.name}/review.ipynb", folder.name))
    page.on("pageerror", lambda error: opened.heard.append(str(error)))
    open_notebook(page, opened.address)
    opened.run()
    yield opened
    assert not opened.heard


def test_keys_judge_and_do_not_reach_jupyterlab(reviewer: Reviewer) -> None:
    first = reviewer.settled()
    assert reviewer.labels() == []
    second = reviewer.press("y")
    assert second != first
    [right] = reviewer.labels()
    assert (right.state, right.source and f"{right.source.box}:{right.frame}") == ("right", first.split("@")[0])
    reviewer.press("n")
    assert sorted(label.state for label in reviewer.labels()) == ["right", "wrong"]
    # to JupyterLab, in command mode: cut, paste, delete the cell, insert others, change its kind
    reviewer.press("x", "v", "b", "m", "i", "o")
    assert reviewer.page.locator(".jp-Notebook .jp-Cell").count() == 1
    assert reviewer.press("u") == second
    assert [label.state for label in reviewer.labels()] == ["right"]
    assert reviewer.press("s") != second
    assert reviewer.press("ArrowLeft", "ArrowLeft") == first
    # of a keyboard that is not Latin: the key where Y is
    reviewer.page.evaluate(PRESS, ["н", "KeyY"])
    assert reviewer.settled() != first
    assert [label.state for label in reviewer.labels()] == ["right"]


def test_a_drag_fixes_a_box_and_draws_another(reviewer: Reviewer) -> None:
    first = reviewer.settled()
    x1, y1, x2, y2 = reviewer.box()
    scale = reviewer.drag((x2, y2), (x2 - 9, y2 - 14))
    assert reviewer.labels() == []  # not before Enter
    second = reviewer.press("Enter")
    assert second != first
    [fixed] = reviewer.labels()
    assert fixed.state == "fixed"
    assert fixed.xyxy == pytest.approx((x1, y1, x2 - 9, y2 - 14), abs=1.5 / scale)
    # a new one, beginning inside of whatever is there; a click makes none
    reviewer.page.keyboard.press("d")
    reviewer.drag((200, 100), (200, 100))
    assert reviewer.page.locator(REVIEW).get_attribute("data-edit") == ""
    reviewer.drag((700, 30), (590, 90))  # from beyond the edge
    reviewer.drag((600, 20), (660, 90))  # to beyond the edge
    reviewer.page.keyboard.press("l")
    reviewer.page.keyboard.type("їжак у 🏠")
    reviewer.press("Enter", "Enter")
    [missed] = [label for label in reviewer.labels() if label.state == "missed"]
    assert missed.label == "їжак у 🏠"
    assert missed.xyxy == pytest.approx((600, 20, 640, 90), abs=1.5 / scale)
    assert missed.source is None
    assert reviewer.question == second
    reviewer.drag((620, 50), (620, 50))
    reviewer.press("Delete")
    assert [label.state for label in reviewer.labels()] == ["fixed"]


def test_reload_kill_restart_and_a_second_page_lose_nothing(reviewer: Reviewer) -> None:
    reviewer.settled()
    at = reviewer.press("y", "n", "y", "y", "n")
    saved = reviewer.labels()
    assert len(saved) == 5
    reviewer.save()
    reviewer.page.reload()
    reviewer.page.wait_for_selector(f"{REVIEW}[data-painted]")
    assert reviewer.settled() == at
    os.kill(int((reviewer.folder / "kernel.pid").read_text()), signal.SIGKILL)
    assert reviewer.labels() == saved
    reviewer.page.get_by_text("The kernel for").or_(reviewer.page.get_by_text("Kernel Restarting")).first.wait_for()
    reviewer.page.get_by_role("button", name="Ok").click()
    reviewer.page.get_by_text(IDLE).wait_for()
    reviewer.run()
    assert reviewer.settled() == at
    reviewer.press("y")
    assert len(reviewer.labels()) == 6
    # a second page on the same kernel follows
    reviewer.save()
    other = reviewer.page.context.new_page()
    other.goto(reviewer.address.replace("/workspaces/", "/workspaces/other-"))
    other.wait_for_selector(f"{REVIEW}[data-painted]", timeout=PATIENCE_MS)
    at = reviewer.press("y")
    other.wait_for_function("at => document.querySelector('.vcam-review').dataset.question === at", arg=at)
