"""The first picture of live video in a real Chromium: from a click on capture's page to the first frame presented."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from devtools.benchmarks.capture.process import WARM_UP_S, Capture, capture
from devtools.benchmarks.live.clients import Client
from devtools.benchmarks.live.options import Options, PartMissing
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import GOP_S, MOVING, ensure
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
MOST_S = 1.0
PLAIN_TRIES = 5
PAUSE_S = 3.0
"""Between two tries: a subscription outlives its last client by 2 s, and each try is to begin one."""
DARK = 50
"""Grey level below which nothing of the drawn stream is."""
PATIENCE_MS = 30_000

_CLICK = """
() => new Promise((resolve, reject) => {
  const video = document.querySelector("article video");
  let frame = null;
  setTimeout(() => reject(new Error("no frame came")), 20000);
  video.requestVideoFrameCallback((_, first) => { frame = first; });
  const presented = () => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 8;
    const paper = canvas.getContext("2d");
    const after = performance.now();
    paper.drawImage(video, 0, 0, 8, 8);
    const pixels = paper.getImageData(0, 0, 8, 8).data.filter((_, index) => index % 4 < 3);
    resolve({seconds: (after - began) / 1000, width: frame.width, brightest: Math.max(...pixels)});
  };
  // a frame is there before the page shows the element; when the page is drawn again after that, it has been seen
  const look = () => requestAnimationFrame(() => {
    if (frame && !video.hidden) requestAnimationFrame(presented);
    else look();
  });
  const began = performance.now();
  document.querySelector("article button.live").click();
  look();
})
"""
_STOP = """
() => {
  const button = document.querySelector("article button.live");
  if (button.getAttribute("aria-pressed") === "true") button.click();
}
"""


def bench_first_picture(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure first pictures, at random moments of the GOP."""
    if not CHROMIUM.exists():
        raise PartMissing(f"there is no {CHROMIUM}: install Debian's chromium")
    cameras = ReplayServer({"moving": ensure(MOVING, options.streams)})
    try:
        with capture(options, redis, {"RTSP_URL": cameras.url("moving")}) as running:
            running.ready()
            time.sleep(WARM_UP_S)
            bytes_s = _first_bytes(running)
            pictures_s = _first_pictures(running, options.tries)
    finally:
        cameras.close()
    report.detail["first picture, s"] = {"browser": pictures_s, "first bytes": bytes_s}
    title = f"first picture of /live in Chromium, GOP of {GOP_S} s, {len(pictures_s)} clicks"
    report.add(f"{title}: median", statistics.median(pictures_s), "s")
    report.add("  worst", max(pictures_s), "s", most=MOST_S)
    report.add("  of it until the first bytes, by a plain client: median", statistics.median(bytes_s), "s")
    report.add("  worst", max(bytes_s), "s")


def _first_bytes(running: Capture) -> list[float]:
    dice = random.Random(1)  # no secrets
    found = []
    for _ in range(PLAIN_TRIES):
        client = Client(f"{running.url}/live/cam1.mp4")
        client.wait_first()
        found.append(client.first_s or 0.0)
        client.close()
        time.sleep(PAUSE_S + dice.uniform(0, GOP_S))
    return found


def _first_pictures(running: Capture, tries: int) -> list[float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(running.url)
            if not page.locator("article button.live").count():
                raise PartMissing("capture's page has no live video")
            _click(page, 1)  # the first one loads the decoder
            return _click(page, tries)
        finally:
            browser.close()


def _click(page: Page, tries: int) -> list[float]:
    dice = random.Random(2)  # no secrets
    found = []
    for _ in range(tries):
        page.evaluate(_STOP)
        time.sleep(PAUSE_S + dice.uniform(0, GOP_S))
        seen = page.evaluate(_CLICK)
        if seen["width"] != MOVING.width or seen["brightest"] < DARK:
            raise RuntimeError(f"what was presented is not the camera's picture: {seen}")
        found.append(float(seen["seconds"]))
    return found
