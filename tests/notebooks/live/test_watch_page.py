"""watch_live in a real JupyterLab and a real Chromium: what a person sees, and that every way to end it ends it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import av
import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from devtools.live_street import live_street
from devtools.paths import ROOT
from devtools.redis_server import RedisServer, running_redis
from shared_utils.contracts.events import Event
from shared_utils.queue.event_stream import EventPublisher
from shared_utils.queue.live_boxes import BoxesPublisher, LiveBox, LiveBoxes
from tests.notebooks.live.capture_server import CaptureServer, capture_server, picture
from tests.notebooks.live.test_frames import wait_until
from tests.support.chromium import PATIENCE_MS
from tests.support.jupyterlab import Lab, open_notebook

SQUARE = LiveBox("person", 1, 0.91, (0.25, 0.25, 0.75, 0.75))
# what the overlay shows around a place of the picture: "blue", the first track's colour; "nothing"; or "other"
READ_OVERLAY = """(canvas, [x, y]) => {
  const { data } = canvas.getContext("2d").getImageData(x * canvas.width - 3, y * canvas.height - 3, 6, 6);
  let seen = "nothing";
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, alpha] = data.slice(at, at + 4);
    if (alpha > 200 && red < 10 && Math.abs(green - 114) < 10 && Math.abs(blue - 178) < 10) return "blue";
    if (alpha) seen = "other";
  }
  return seen;
}"""
ENDLESS = "import time\nwhile True:\n    time.sleep(0.05)"


@pytest.fixture
def server() -> Iterator[CaptureServer]:
    with capture_server("door", "yard", fps=10) as running:
        yield running


def written(lab: Lab, name: str, env: dict[str, str], video: Path, *sources: str) -> str:
    """Write a notebook whose first cell sets the environment; return its URL."""
    settings = json.dumps({**env, "VIDEO_DIR": str(video)})
    cells = [nbformat.v4.new_code_cell(source) for source in (f"import os\nos.environ.update({settings})", *sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    (lab.folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "notebooks" / f"{name}.ipynb")
    return lab.url_of(f"notebooks/{name}.ipynb", name.lower())


def run_cell(page: Page, number: int) -> None:
    page.locator(".jp-Notebook-cell").nth(number).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")


def interrupt(page: Page) -> None:
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Interrupt Kernel", exact=True).click()


def number_of(view: Locator) -> int:
    return int(view.get_attribute("data-picture") or 0)


def expect_to_go_on(view: Locator, pictures: int) -> None:
    """Wait for so many more pictures on the page."""
    wanted = number_of(view) + pictures
    page = view.page
    page.wait_for_function(f"document.querySelector('.vcam-live')?.dataset.picture >= {wanted}")


def test_a_camera_is_watched_until_it_is_stopped(
    page: Page, lab: Lab, server: CaptureServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    env = {**redis_server.env, "CAPTURE_URL": server.url}
    source = 'from notebooks.lab.live import watch_live\nwatch_live("door")'
    open_notebook(page, written(lab, "Live", env, tmp_path, source, ENDLESS))
    run_cell(page, 0)
    run_cell(page, 1)
    view = page.locator(".vcam-live")
    expect_to_go_on(view, 5)
    assert view.locator(".vcam-picture").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [320, 180]
    expect(view.locator(".vcam-clock")).to_have_text(re.compile(r"\d\d:\d\d:\d\d, 2\.0 % moves"))

    # the page draws boxes where they are, and events come with their pictures
    overlay = view.locator(".vcam-boxes")
    with BoxesPublisher(redis_server.settings) as boxes:
        boxes.start()
        boxes.publish("door", LiveBoxes(round(server.times[-1] + 0.3, 3), (SQUARE,)))
        expect(view).to_have_attribute("data-boxes", "1")
        assert "blue" in [overlay.evaluate(READ_OVERLAY, [0.25, y / 100]) for y in range(40, 60)]
        assert overlay.evaluate(READ_OVERLAY, [0.5, 0.5]) == "nothing"
        expect(view).to_have_attribute("data-boxes", "0")
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "one.jpg").write_bytes(picture(1))
    events = EventPublisher(redis_server.settings)
    with ExitStack() as ending:
        ending.callback(events.stop)
        events.start()
        more = {"label": "<b>person</b>", "track": 3}
        events.publish(
            Event(
                "object", datetime.now().astimezone(), "door", None, "seen", 0.91, picture="events/one.jpg", more=more
            )
        )
        events.publish(Event("motion", datetime.now().astimezone(), "yard", None, "started"))
        row = view.locator(".vcam-event")
        expect(row).to_contain_text("object seen <b>person</b> #3 0.91")
        expect(row).to_have_count(1)
        expect(row.locator("img")).to_be_visible()
        assert row.locator("img").evaluate("image => image.naturalWidth") == 320

    # other cells run meanwhile; an interrupt ends both them and the view
    run_cell(page, 2)
    expect_to_go_on(view, 60)
    badge, button = view.locator(".vcam-badge"), view.locator(".vcam-stop")
    interrupt(page)
    expect(badge).to_have_text("stopped")
    expect(page.locator(".jp-Notebook-cell").nth(2)).to_contain_text("KeyboardInterrupt")
    wait_until(lambda: server.open == 0)
    button.click()
    expect(badge).to_have_text("live")
    expect_to_go_on(view, 5)
    # an idle kernel can be interrupted too
    interrupt(page)
    expect(badge).to_have_text("stopped")
    button.click()
    expect_to_go_on(view, 5)
    button.click()
    expect(badge).to_have_text("stopped")
    wait_until(lambda: server.open == 0)

    # running the cell again replaces the view
    button.click()
    expect_to_go_on(view, 5)
    run_cell(page, 1)
    expect_to_go_on(view, 5)
    expect(view).to_have_count(1)
    wait_until(lambda: server.open == 1)

    # the page that is loaded again goes on, and says what is wrong
    page.keyboard.press("Control+s")
    page.reload()
    expect_to_go_on(view, 5)
    server.stop()
    expect(view.locator(".vcam-status")).to_contain_text("Capture is away")
    server.start()
    expect_to_go_on(view, 5)
    expect(view.locator(".vcam-status")).to_be_empty()

    page.locator(".jp-Notebook-cell").nth(1).locator(".jp-InputArea-editor").click()
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_text("Clear Cell Output", exact=True).click()
    expect(view).to_have_count(0)
    wait_until(lambda: server.open == 0)


def test_a_page_says_that_its_kernel_is_gone(
    page: Page, lab: Lab, server: CaptureServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    env = {**redis_server.env, "CAPTURE_URL": server.url}
    source = 'from notebooks.lab.live import watch_live\nwatch_live("door")'
    open_notebook(page, written(lab, "Restart", env, tmp_path, source))
    run_cell(page, 0)
    run_cell(page, 1)
    view = page.locator(".vcam-live")
    expect_to_go_on(view, 5)
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    wait_until(lambda: server.open == 0)
    badge = view.locator(".vcam-badge")
    expect(badge).to_have_text("no answer", timeout=PATIENCE_MS)
    expect(view.locator(".vcam-status")).to_contain_text("run the cell again")
    run_cell(page, 0)
    run_cell(page, 1)
    expect(badge).to_have_text("live", timeout=PATIENCE_MS)
    expect(view).to_have_count(1)
    # capture that is away is no reason: the kernel answers
    server.stop()
    expect(view.locator(".vcam-status")).to_contain_text("Capture is away", timeout=PATIENCE_MS)
    page.wait_for_timeout(15_000)
    expect(badge).to_have_text("live")


DOCUMENT = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")


def example(heading: str, language: str = "") -> str:
    """Return the first example in a section of the document."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@dataclass(frozen=True)
class Street:
    capture: str
    env: dict[str, str]
    video: Path


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """The drawn street as the camera ``door``, with capture and the live worker."""
    folder = tmp_path_factory.mktemp("street")
    (folder / "video").mkdir()
    with (
        running_redis(folder / "redis", durable=False) as redis,
        live_street(folder, folder / "video", redis.env, "door") as capture,
    ):
        yield Street(capture, {**redis.env, "CAPTURE_URL": capture}, folder / "video")


@pytest.mark.slow
def test_the_drawn_street_with_capture_and_the_live_worker(
    page: Page, lab: Lab, street: Street, tmp_path: Path
) -> None:
    source = example("In a notebook", "python")
    open_notebook(page, written(lab, "Street", street.env, street.video, source))
    run_cell(page, 0)
    run_cell(page, 1)
    view = page.locator(".vcam-live")
    expect_to_go_on(view, 5)
    assert view.locator(".vcam-picture").evaluate("image => image.naturalWidth") == 1280
    expect(view).to_have_attribute("data-boxes", re.compile("[1-9]"))
    seen = view.locator(".vcam-event[data-type=object]").first
    expect(seen).to_contain_text(re.compile(r"object seen (person|car|dog|bicycle|cat)"))
    expect(seen.locator("img")).to_be_visible()
    expect(view.locator(".vcam-status")).to_be_empty()
    page.screenshot(path=tmp_path / "street.png")


@pytest.mark.slow
def test_the_examples_of_the_document_work(street: Street, tmp_path: Path) -> None:
    def here(text: str) -> str:
        assert "http://127.0.0.1:8080/" in text
        return text.replace("http://127.0.0.1:8080", street.capture)

    shown = subprocess.run(
        here(example("Frames")), shell=True, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert re.fullmatch(r"(X-Timestamp: \d+\.\d{3}\s+){3,}", shown.stdout)

    program = [sys.executable, "-c", here(example("Frames", "python"))]
    printed = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert re.fullmatch(r"(\d+\.\d{3} [01]\.\d{4} \d{4,} bytes\n){5}", printed.stdout)

    [download] = [line for line in here(example("Live video")).splitlines() if line.startswith("curl ")]
    done = subprocess.run(download, shell=True, cwd=tmp_path, check=False)
    assert done.returncode == 28  # curl's own: it was ended by --max-time
    with av.open(tmp_path / "door.mp4") as video:
        times = [frame.time for frame in video.decode(video=0)]
    assert times[0] == pytest.approx(0, abs=0.1)
    assert times[-1] > 5
