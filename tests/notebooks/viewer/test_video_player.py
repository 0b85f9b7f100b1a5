"""The player of ViewVideo in a real JupyterLab and a real Chromium: the right frame, the right boxes on it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, Response, expect

from devtools.paths import ROOT
from tests.support.footage.barcode_clips import BITS, STRANGE, add_run, barcode, line
from tests.support.footage.video import write_video
from tests.support.jupyterlab import Lab, open_notebook, run_all_cells

WIDTH, HEIGHT = 576, 192
FPS = 10
BOXES = line(1.0, 10, ["car", 0.9, 100, 40, 300, 150, 1]) + line(1.2, 12, ["car", 0.8, 140, 40, 340, 150, 1])
BY_KERNEL = f"""from pathlib import Path
from notebooks.lab.media.clip import Clip
from notebooks.lab.viewer.player import Player
player = Player(Clip(Path("../video") / {STRANGE!r}), by_kernel=True)
player"""
UNPLAYED = "20200101-000000-cam1.mp4"

READ_NUMBER = f"""(picture) => {{
  const canvas = document.createElement("canvas");
  canvas.width = {WIDTH}; canvas.height = {HEIGHT};
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, {WIDTH}, {HEIGHT});
  let number = 0;
  for (let bit = 0; bit < {BITS}; bit++)
    number = 2 * number + (pen.getImageData((bit + 0.5) * {WIDTH} / {BITS}, {HEIGHT} / 2, 1, 1).data[0] > 127);
  return number;
}}"""
# what the overlay shows around a place of the clip: "blue", the first track's colour; "nothing"; or "other"
READ_BOX = f"""(canvas, [x, y]) => {{
  const scaleX = canvas.width / {WIDTH}, scaleY = canvas.height / {HEIGHT};
  const {{ data }} = canvas.getContext("2d").getImageData(Math.round(x * scaleX) - 3, Math.round(y * scaleY) - 3, 6, 6);
  let seen = "nothing";
  for (let at = 0; at < data.length; at += 4) {{
    const [red, green, blue, alpha] = data.slice(at, at + 4);
    if (alpha > 200 && red < 10 && Math.abs(green - 114) < 10 && Math.abs(blue - 178) < 10) return "blue";
    if (alpha) seen = "other";
  }}
  return seen;
}}"""


@pytest.fixture(scope="module")
def lab_folder(lab: Lab) -> Path:
    """The notebook, and two clips: a strangely named one that plays, and one in H.265, which this Chromium does not."""
    folder = lab.folder / "player"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "video").mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / "ViewVideo.ipynb", as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%env VIDEO_DIR=../video"))
    nbformat.write(notebook, folder / "notebooks" / "ViewVideo.ipynb")
    cell = nbformat.v4.new_code_cell(BY_KERNEL)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    nbformat.write(notebook, folder / "notebooks" / "ByKernel.ipynb")
    draw = barcode(FPS, WIDTH, HEIGHT)
    options = {"bf": "2", "preset": "veryfast"}
    playing = write_video(folder / "video" / STRANGE, draw, seconds=6, fps=FPS, gop=20, options=options)
    options = {"x265-params": "log-level=none", "preset": "ultrafast"}
    unplayed = write_video(folder / "video" / UNPLAYED, draw, seconds=2, fps=FPS, codec="libx265", options=options)
    for path in (playing, unplayed):
        add_run(path, BOXES, f"01a210bd-853f-796e-ae28-1e87ffd4672{path is playing:d}")
    return folder


@pytest.fixture
def address(lab: Lab, lab_folder: Path, request: pytest.FixtureRequest) -> str:
    """Of the notebook."""
    return lab.url_of(f"{lab_folder.name}/notebooks/ViewVideo.ipynb", request.node.name[:40])


class Player:
    """What a person sees and does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".vcam-player")
        self.video = self.root.locator("video")
        self.boxes = self.root.locator(".vcam-boxes")

    def press(self, key: str, frame: int) -> None:
        """Press a key; wait until `frame` is on screen."""
        self.root.press(key)
        expect(self.root).to_have_attribute("data-frame", str(frame))

    def shown_number(self, selector: str = "video") -> int:
        return int(self.root.locator(selector).evaluate(READ_NUMBER))

    def overlay(self, x: float, y: float) -> str:
        return str(self.boxes.evaluate(READ_BOX, [x, y]))


def run_all(page: Page, address: str) -> Player:
    open_notebook(page, address)
    run_all_cells(page)
    player = Player(page)
    ask = page.locator(".jp-Dialog").get_by_role("button", name="Select", exact=True)
    player.root.or_(ask).first.wait_for()
    if ask.is_visible():
        ask.click()
    player.root.wait_for()
    return player


def test_the_right_frames_with_the_right_boxes(page: Page, address: str) -> None:
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if "/files/" in answer.url else None)
    player = run_all(page, address)
    page.wait_for_function("document.querySelector('.vcam-player video').readyState >= 2")

    # by its address, in parts: neither embedded nor sent through the kernel
    source = player.video.evaluate("video => video.currentSrc")
    assert source.startswith(f"{address.partition('/lab')[0]}/files/player/video/")
    assert answers
    assert {(answer.ok, answer.headers["accept-ranges"]) for answer in answers} == {(True, "bytes")}
    assert player.video.evaluate("video => [video.videoWidth, video.videoHeight]") == [WIDTH, HEIGHT]

    # step by keyboard; the picture itself tells which one it is
    player.press("Home", 0)
    for frame in range(1, 11):
        player.press("ArrowRight", frame)
        assert player.shown_number() == frame
    # frame 10 was sampled: a solid box in the first track's colour, and nothing else
    assert player.overlay(100, 95) == player.overlay(300, 95) == player.overlay(200, 150) == "blue"
    assert player.overlay(200, 95) == player.overlay(400, 95) == "nothing"
    # frame 11 was not: the box is half way to where it is in frame 12
    player.press("ArrowRight", 11)
    assert player.shown_number() == 11
    assert player.overlay(120, 95) != "nothing"
    assert player.overlay(100, 95) == player.overlay(140, 95) == "nothing"
    expect(player.root.locator(".vcam-clock")).to_contain_text("boxes placed between two sampled frames")
    player.press("ArrowRight", 12)
    assert player.overlay(140, 95) == "blue"
    player.press("ArrowRight", 13)
    assert player.overlay(140, 95) == "nothing"
    player.press("ArrowLeft", 12)
    player.press("Shift+ArrowRight", 22)
    player.press("End", 59)
    assert player.shown_number() == 59
    player.press("n", 10)

    # the threshold hides it, and shows it again
    slider = player.root.locator("input[type=range]")
    slider.fill("0.95")
    assert player.overlay(100, 95) == "nothing"
    slider.fill("0.85")
    assert player.overlay(100, 95) == "blue"
    player.press("ArrowRight", 11)
    assert player.overlay(120, 95) == "nothing"  # not on the way to a box below the threshold
    player.press("ArrowLeft", 10)
    chip = player.root.get_by_role("button", name="car", exact=True)
    chip.click()
    assert player.overlay(100, 95) == "nothing"
    player.root.get_by_role("button", name="car", exact=True).click()
    assert player.overlay(100, 95) == "blue"

    # it plays, with boxes on the way
    player.root.get_by_role("button", name="Play").click()
    page.wait_for_function("Number(document.querySelector('.vcam-player').dataset.frame) >= 20")
    player.root.get_by_role("button", name="Pause").click()
    assert player.shown_number() == int(player.root.get_attribute("data-frame") or -1)

    # the kernel hears of the threshold, and writes what was seen
    page.get_by_role("button", name="Save annotated MP4").click()
    expect(page.get_by_text("saved: video/exports/Hof & Garten #1 ü 100%.annotated.mp4")).to_be_visible()


def test_a_clip_that_browsers_do_not_play_is_stepped_through(page: Page, address: str, lab_folder: Path) -> None:
    player = run_all(page, address)
    page.locator("select[size]").select_option(index=1)
    status = player.root.locator(".vcam-status")
    expect(status).to_contain_text("This browser does not play this clip (hevc)")
    expect(status).to_contain_text("The annotated MP4 plays everywhere")
    player.press("Home", 0)
    for frame in (*range(1, 11), 11):
        player.press("ArrowRight", frame)
        assert player.shown_number(".vcam-still") == frame
    player.press("ArrowLeft", 10)
    assert player.overlay(100, 95) == "blue"
    assert player.overlay(200, 95) == "nothing"
    # played as fast as the frames come
    player.root.get_by_role("button", name="Play").click()
    expect(player.root).to_have_attribute("data-frame", "19")
    expect(player.root.get_by_role("button", name="Play")).to_be_visible()
    # one that is gone is said, and does not hang
    (lab_folder / "video" / UNPLAYED).rename(lab_folder / "gone.mp4")
    page.locator("select[size]").select_option(index=0)
    page.locator("select[size]").select_option(index=1)
    expect(page.get_by_text(f"{UNPLAYED} is not there (any more): choose another clip")).to_be_visible()


def test_a_clip_without_a_url_comes_through_the_kernel(page: Page, address: str) -> None:
    player = run_all(page, address.replace("ViewVideo", "ByKernel"))
    page.wait_for_function("document.querySelector('.vcam-player video').readyState >= 2")
    assert player.video.evaluate("video => video.currentSrc").startswith("blob:")
    player.press("n", 10)
    assert player.shown_number() == 10
    assert player.overlay(100, 95) == "blue"
