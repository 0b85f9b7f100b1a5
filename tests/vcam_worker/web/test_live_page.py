"""Capture's page with live video, of a running capture in a real Chromium: it plays, and falls back to pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from devtools.ports import free_port
from tests.support.footage.units import encode
from tests.support.footage.video import moving_box
from tests.support.network.cameras import emulator
from tests.support.network.rtsp_units import UnitScript, serve_units
from tests.support.programs import Program, Programs
from vcam_worker import messages

pytestmark = pytest.mark.slow

PATIENCE_MS = 60_000
PLAYING = "playing"
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
# milliseconds from the click to the first frame on screen
FIRST_FRAME = """(button) => new Promise((resolve) => {
  const began = performance.now();
  button.closest("article").querySelector("video").requestVideoFrameCallback((now) => resolve(now - began));
  button.click();
})"""
NEXT_PICTURE = (
    "([picture, before]) => picture.src.startsWith('blob:') && picture.src !== before && picture.naturalWidth"
)
SHOWN = "(video) => [video.currentTime, video.buffered.end(video.buffered.length - 1), video.buffered.length]"


class LivePage:
    """The page as a person sees it; nothing that it does may be refused by its own security policy."""

    def __init__(self, page: Page, env: Mapping[str, str]) -> None:
        self.page = page
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.ended: list[str] = []
        page.on("console", lambda line: self.errors.append(line.text) if "Content Security" in line.text else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("requestfailed", lambda request: self.ended.append(request.url))
        page.goto(f"http://127.0.0.1:{env['HTTP_PORT']}/")

    def card(self, name: str) -> Locator:
        return self.page.locator("article").filter(has=self.page.locator(f"#camera-{name}"))

    def expect_mode(self, name: str, text: str) -> None:
        expect(self.card(name).locator(".mode")).to_have_text(text, timeout=PATIENCE_MS)

    def expect_moving(self, name: str) -> None:
        """Wait until more of the video is shown than now."""
        video = self.card(name).locator("video")
        expect(video).to_be_visible()
        handle = video.element_handle()
        begin = video.evaluate("video => video.currentTime")
        self.page.wait_for_function("([video, time]) => video.currentTime > time + 1", arg=[handle, begin])

    def pictures(self) -> list[str]:
        return [url for url in self.asked if "/snapshot/" in url]


@contextmanager
def hevc_camera() -> Iterator[str]:
    frames = encode(moving_box(320, 180, side=30), seconds=60, codec="hevc")
    pictures = [(number / 10, frame) for number, frame in enumerate(frames)]
    with serve_units(UnitScript("hevc", (), pictures, pace=1)) as url:
        yield url


def start(programs: Programs, env: dict[str, str], tmp_path: Path, **urls: str) -> Program:
    """Start capture, and wait until all cameras are connected."""
    cameras = tmp_path / "cameras.toml"
    cameras.write_text("".join(f'[{name}]\nurl = "{url}"\n' for name, url in urls.items()))
    program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
    program.wait_for(messages.CONNECTED, count=len(urls))
    return program


def rtsp(programs: Programs, footage: Path, url: str | None = None) -> str:
    url = url or f"rtsp://127.0.0.1:{free_port()}/stream"
    emulator(programs, footage, url)
    return url


def test_one_camera_plays_by_itself_near_the_newest_frame_and_not_while_nobody_looks(
    programs: Programs, env: dict[str, str], footage: Path, tmp_path: Path, page: Page
) -> None:
    start(programs, env, tmp_path, yard=rtsp(programs, footage))
    live = LivePage(page, env)
    video = live.card("yard").locator("video")
    live.expect_mode("yard", PLAYING)
    live.expect_moving("yard")
    current, end, ranges = video.evaluate(SHOWN)
    assert ranges == 1
    assert end - current < 5  # two seconds, on a machine that has nothing else to do

    live.page.evaluate(HIDE, True)
    page.wait_for_function("() => !document.querySelector('video').hasAttribute('src')")
    expect(video).to_be_hidden()
    assert [url for url in live.ended if url.endswith("/live/yard.mp4")]
    live.page.evaluate(HIDE, False)
    live.expect_moving("yard")

    # while it plays, no pictures are asked for
    with page.expect_request(lambda request: request.url.endswith("/")):
        before = len(live.pictures())
    live.expect_moving("yard")
    assert len(live.pictures()) == before
    assert live.errors == []


def test_the_url_by_itself_is_a_video_for_every_page_and_for_the_address_bar(
    programs: Programs, env: dict[str, str], footage: Path, tmp_path: Path, page: Page
) -> None:
    start(programs, env, tmp_path, yard=rtsp(programs, footage))
    page.goto(f"http://127.0.0.1:{env['HTTP_PORT']}/live/yard.mp4", wait_until="commit")
    page.wait_for_function("() => document.querySelector('video')?.currentTime > 1")


def test_by_keyboard_and_with_pictures_after_the_end(
    programs: Programs, env: dict[str, str], footage: Path, tmp_path: Path, page: Page
) -> None:
    url = rtsp(programs, footage)
    start(programs, env, tmp_path, yard=url, gate=url.replace("stream", "gate"), door=url.replace("stream", "door"))
    live = LivePage(page, env)
    button = live.page.get_by_role("button", name="Live video of yard", exact=True)
    expect(button).to_have_attribute("aria-pressed", "false")
    assert not [one for one in live.asked if "/live/" in one and one.endswith(".mp4")]
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    live.expect_moving("yard")
    expect(live.page.get_by_role("button", name="Live video of yard in full screen")).to_be_visible()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(live.card("yard").locator("video")).to_be_hidden()
    with page.expect_response(lambda answer: "/snapshot/yard.jpg" in answer.url):
        pass
    assert button.evaluate(FIRST_FRAME) < PATIENCE_MS
    assert live.errors == []


def test_a_camera_that_goes_away_and_comes_back(
    programs: Programs, env: dict[str, str], footage: Path, tmp_path: Path, page: Page
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    camera = emulator(programs, footage, url)
    program = start(programs, env, tmp_path, yard=url)
    live = LivePage(page, env)
    live.expect_moving("yard")
    camera.end()
    program.wait_for(messages.NO_PICTURE)
    expect(live.card("yard").locator(".mode")).to_contain_text("pictures only: offline", timeout=PATIENCE_MS)
    expect(live.card("yard").locator("video")).to_be_hidden()
    rtsp(programs, footage, url)
    live.expect_mode("yard", PLAYING)
    live.expect_moving("yard")
    assert live.errors == []


def test_codecs_that_the_browser_does_not_play_fall_back_to_pictures(
    programs: Programs, env: dict[str, str], footage: Path, tmp_path: Path, page: Page
) -> None:
    pictures = f"http://127.0.0.1:{free_port()}/video"
    emulator(programs, footage, pictures)
    with hevc_camera() as url:
        program = start(programs, env, tmp_path, street=url, door=pictures)
        live = LivePage(page, env)
        live.expect_mode("street", "pictures only: this browser does not play H.265")
        with page.expect_response(lambda answer: "/snapshot/street.jpg" in answer.url) as answer:
            pass
        assert answer.value.status == 200
        # the camera's own JPEGs are shown as they come
        live.expect_mode("door", PLAYING)
        shown = live.card("door").locator("img")
        handle, source = shown.element_handle(), ""
        for _ in range(10):
            page.wait_for_function(NEXT_PICTURE, arg=[handle, source])
            source = shown.evaluate("picture => picture.src")
        assert len([one for one in live.pictures() if "/door.jpg" in one]) < 10
        assert live.errors == []
        program.stop()
