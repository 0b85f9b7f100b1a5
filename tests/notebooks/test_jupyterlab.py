"""JupyterLab as the image starts it, in a real Chromium: ViewProcessResults with the token, and nothing without."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright

from scripts._parts import free_port
from tests.support.programs import ROOT, Programs

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TOKEN = "a token & of the test's own"  # awkward on purpose: it has to be encoded
NOTEBOOK = "ViewProcessResults"
PATIENCE_MS = 60_000
START_SECONDS = 60


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its root folder."""

    url: str
    folder: Path

    @property
    def address(self) -> str:
        """Of the notebook, with the token."""
        return str(httpx.URL(f"{self.url}/lab/tree/notebooks/{NOTEBOOK}.ipynb", params={"token": TOKEN}))


def command_of_the_image(**replaced: str) -> list[str]:
    """Return the image's command with some of its options replaced, each of which it must have."""
    text = (ROOT / "Dockerfile.jupyter").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert found
    command = [str(argument) for argument in json.loads(found[1])]
    for name, value in replaced.items():
        [at] = [number for number, argument in enumerate(command) if argument.startswith(f"--{name}=")]
        command[at] = f"--{name}={value}"
    return command


@pytest.fixture(scope="module")
def lab(made_volume: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab by the image's command, over a sample volume; our packages are on PYTHONPATH as they are there."""
    folder, port = tmp_path_factory.mktemp("lab"), free_port()
    # copied, so that what the page saves stays here; without outputs, so that what is seen was made here
    (folder / "notebooks").mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / "notebooks" / f"{NOTEBOOK}.ipynb")
    shutil.copytree(made_volume, folder / "video")
    jupyter, *options = command_of_the_image(ip="127.0.0.1", port=str(port), **{"ServerApp.root_dir": str(folder)})
    assert jupyter == "jupyter"
    if os.geteuid() == 0:  # in the image it is not
        options.append("--allow-root")
    private = {name: str(folder / ".private") for name in ("HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    # kernels' sockets lie there, and Linux takes paths of sockets up to 107 bytes
    private["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="lab-")
    env = {"JUPYTER_TOKEN": TOKEN, "PYTHONPATH": str(ROOT), "VIDEO_DIR": str(folder / "video"), **private}
    programs = Programs()
    try:
        program = programs.python("-m", "jupyter", *options, env=env)
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while not _answers(url):
            assert program.process.poll() is None, program.text
            assert time.monotonic() < deadline, program.text
            time.sleep(0.1)
        yield Lab(url, folder)
        assert TOKEN not in program.text
    finally:
        programs.end()
        shutil.rmtree(private["JUPYTER_RUNTIME_DIR"])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def page() -> Iterator[Page]:
    if not CHROMIUM.exists():
        message = f"no {CHROMIUM}: install Debian's chromium"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def test_without_the_token_it_gets_nowhere(lab: Lab) -> None:
    with httpx.Client(base_url=lab.url) as client:
        for path in ("/lab", f"/lab/tree/notebooks/{NOTEBOOK}.ipynb", "/files/video/detections_log.jsonl"):
            answer = client.get(path)
            assert answer.status_code == 302, path
            assert answer.headers["location"].startswith("/login?"), path
        for path in ("/api/contents", "/api/kernels", "/api/sessions", "/api/terminals"):
            assert client.get(path).status_code == 403, path
            assert client.get(path, params={"token": "wrong"}).status_code == 403, path
            assert client.get(path, headers={"Authorization": "token wrong"}).status_code == 403, path
        assert client.post("/api/kernels", json={"name": "python3"}).status_code == 403
        assert client.get("/api/kernels", params={"token": TOKEN}).json() == []


def test_a_browser_without_the_token_is_asked_for_it(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.url}/lab/tree/notebooks/{NOTEBOOK}.ipynb")
    expect(page).to_have_url(re.compile(r"/login\?"))
    page.get_by_label("Password or token:").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_text("Invalid credentials")).to_be_visible()


def test_the_results_are_shown_and_a_clip_of_the_timeline_plays(lab: Lab, page: Page, tmp_path: Path) -> None:
    page.goto(lab.address)
    # before the kernel is there, JupyterLab would ask which one to take
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    marks = page.locator(".vcam-timeline .vcam-mark")
    marks.first.wait_for()
    assert page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0

    marks.first.click()
    video = page.locator(".vcam-day video")
    page.wait_for_function("document.querySelector('.vcam-day video').currentTime > 0.5")
    assert video.evaluate("video => video.duration") > 5
    assert video.evaluate("video => video.error") is None
    chosen = marks.first.get_attribute("data-filename")
    expect(page.locator(".vcam-player")).to_contain_text(str(chosen))
    page.screenshot(path=tmp_path / "timeline.png")

    _use_the_timeline(page)
    page.screenshot(path=tmp_path / "another-day.png")

    picture = _scrolled_to(page, page.locator(".jp-RenderedImage img").first)
    page.screenshot(path=tmp_path / "pictures.png")
    assert 900 < picture.evaluate("image => image.naturalWidth") < 1100
    # as it is on screen, not as it was sent
    shown = np.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("RGB"), np.int16)
    assert shown.shape[0] > 300
    coloured = np.ptp(shown, axis=2) > 60
    assert 0.03 < coloured.mean() < 0.5  # bars on white


def _use_the_timeline(page: Page) -> None:
    """Go to the day before, from clip to clip by keys, into the hours by the wheel, and out again."""
    timeline = page.locator(".vcam-timeline")
    page.get_by_title("the day before that has clips").click()
    expect(timeline).to_contain_text("Sunday 22 February 2026: 4 clips")
    assert timeline.locator(".vcam-away").count() > 0
    files = dict.fromkeys(mark.get_attribute("data-filename") for mark in timeline.locator(".vcam-mark").all())
    in_time = sorted(map(str, files))
    assert len(in_time) == 4
    timeline.focus()
    for name in in_time[:2]:
        page.keyboard.press("ArrowRight")
        expect(timeline.locator(".vcam-chosen").first).to_have_attribute("data-filename", name)
        expect(page.locator(".vcam-player")).to_contain_text(name)
    mark = timeline.locator(".vcam-chosen").first
    mark.hover()
    before = mark.bounding_box()
    for _ in range(20):
        page.mouse.wheel(0, -100)
    expect(timeline.locator(".vcam-grid")).to_have_count(0)  # a quarter of an hour across, and none of the ticks in it
    timeline.dblclick(position={"x": 300, "y": 10})
    assert timeline.locator(".vcam-chosen").first.bounding_box() == before


def _scrolled_to(page: Page, what: Locator) -> Locator:
    """Scroll the notebook upwards until `what` is there: JupyterLab draws only the cells in view."""
    panel = page.locator(".jp-WindowedPanel-outer")
    box = panel.bounding_box()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)  # aside of what would take the wheel for itself
    for _ in range(60):
        if what.count():
            what.scroll_into_view_if_needed()
            expect(what).to_be_in_viewport(ratio=0.9)
            return what
        page.mouse.wheel(0, -300)
        page.evaluate("() => new Promise(requestAnimationFrame)")
    raise AssertionError("not found")
