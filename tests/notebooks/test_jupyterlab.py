"""JupyterLab as the image starts it, in a real Chromium: ViewProcessResults with the token, and nothing without."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import httpx
import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from devtools.paths import ROOT
from tests.support.chromium import PATIENCE_MS
from tests.support.jupyterlab import TOKEN, Lab, open_notebook, run_all_cells

NOTEBOOK = "ViewProcessResults"


@pytest.fixture
def address(lab: Lab) -> str:
    """Of the notebook; a copy, so that what the page saves stays there, without outputs, so that all is made there."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (lab.folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, lab.folder / "notebooks" / f"{NOTEBOOK}.ipynb")
    return lab.url_of(f"notebooks/{NOTEBOOK}.ipynb", "results")


def test_without_the_token_it_gets_nowhere(lab: Lab) -> None:
    kernels = _kernels(lab)
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
    assert _kernels(lab) == kernels


def _kernels(lab: Lab) -> set[str]:
    answer = httpx.get(f"{lab.url}/api/kernels", params={"token": TOKEN})
    return {kernel["id"] for kernel in answer.raise_for_status().json()}


def test_a_browser_without_the_token_is_asked_for_it(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.url}/lab/tree/notebooks/{NOTEBOOK}.ipynb")
    expect(page).to_have_url(re.compile(r"/login\?"))
    page.get_by_label("Password or token:").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_text("Invalid credentials")).to_be_visible()
    # one field, one button, and where the token is
    expect(page.locator("input:visible")).to_have_count(1)
    expect(page.locator("button:visible")).to_have_count(1)
    expect(page.get_by_text("JUPYTER_TOKEN")).to_be_visible()


def test_the_login_leads_to_the_results(lab: Lab, page: Page, address: str) -> None:
    page.goto(lab.url)
    page.get_by_label("Password or token:").fill(TOKEN)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page).to_have_url(re.compile(rf"^{re.escape(lab.url)}/lab/tree/notebooks/{NOTEBOOK}\.ipynb"))
    page.get_by_role("heading", name="What the cameras saw").wait_for()


def test_on_a_phone_the_notebook_has_the_width_of_the_screen(lab: Lab, browser: Browser, address: str) -> None:
    width = 390
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        is_mobile=True,
        has_touch=True,
        user_agent="Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130 Mobile Safari/537.36",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(lab.url)
    field = page.get_by_label("Password or token:")
    box = field.bounding_box()
    assert box
    assert box["width"] > width / 2
    field.fill(TOKEN)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("heading", name="What the cameras saw").wait_for()
    assert "/doc/" in page.url
    box = page.locator(".jp-NotebookPanel").bounding_box()
    assert box
    assert box["width"] > 0.75 * width
    page.goto(_with_a_wide_picture(lab))
    picture = page.locator(".jp-RenderedImage img")
    picture.wait_for()
    box = picture.bounding_box()
    assert box
    assert box["width"] == 640  # its texts can be read
    assert picture.evaluate("image => image.parentElement.scrollWidth > image.parentElement.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()


def _with_a_wide_picture(lab: Lab) -> str:
    """Save a notebook of which a picture is all there is to see; return its address."""
    file = io.BytesIO()
    Image.new("RGB", (990, 400), "white").save(file, "png")
    output = nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(file.getvalue()).decode()})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    nbformat.write(notebook, lab.folder / "notebooks" / "Picture.ipynb")
    return lab.url_of("notebooks/Picture.ipynb", "phone")


@pytest.mark.parametrize("path", ["/", "/api", "/lab", "/login", "/static/favicon.ico", "/api/kernels"])
def test_names_of_elsewhere_reach_nothing(lab: Lab, path: str) -> None:
    for host in ("localhost:8888", "192.168.1.5:8888", "jupyter:8888"):
        assert "HTTP_NAMES" not in httpx.get(lab.url + path, headers={"Host": host}).text
    for host in ("evil.example", "evil.example:8888", "localhost.evil.example"):
        answer = httpx.get(lab.url + path, params={"token": TOKEN}, headers={"Host": host})
        assert answer.status_code == 403
        assert "HTTP_NAMES" in answer.text
        assert "set-cookie" not in answer.headers


def test_the_results_are_shown_and_a_clip_of_the_timeline_plays(page: Page, address: str, tmp_path: Path) -> None:
    open_notebook(page, address)
    run_all_cells(page)
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
    page.get_by_title("previous day with clips").click()
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
