"""An offline camera, eight cameras at once, a thousand snapshots."""

from __future__ import annotations

import time
from pathlib import Path

from devtools.benchmarks.capture.process import WARM_UP_S, Options, capture
from devtools.benchmarks.capture.scenes import floor
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import SMALL, STILL, ensure
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer

CAMERAS = 8
OFFLINE_S = 20.0
REQUESTS = 1000
CACHE_S = 2.0
"""What /info says a picture is kept for."""


def bench_offline(report: Report, options: Options, redis: RedisServer) -> None:
    """A camera that is switched off."""
    with capture(options, redis, {"RTSP_URL": f"rtsp://127.0.0.1:{free_port()}/none"}) as running:
        running.wait_for("no picture")
        running.find_processes()
        time.sleep(WARM_UP_S / 2)
        cpu, began = running.cpu(), time.monotonic()
        time.sleep(OFFLINE_S)
        spent, seconds = running.cpu() - cpu, time.monotonic() - began
    share = 100 * spent.total / seconds
    report.add("offline camera: all processes", share, "% of a core", most=1.0, target="under 1")
    report.add("offline camera: the camera's process alone", 100 * spent.cameras / seconds, "% of a core")


def bench_many(report: Report, options: Options, redis: RedisServer) -> None:
    """Eight cameras, all of them recording all the time."""
    path = ensure(SMALL, options.streams)
    names = [f"cam{number}" for number in range(1, CAMERAS + 1)]
    cameras = ReplayServer(dict.fromkeys(names, path))
    table = options.work / "cameras.toml"
    table.write_text("".join(f'[{name}]\nurl = "{cameras.url(name)}"\n' for name in names))
    try:
        with capture(options, redis, {"CAMERAS_FILE": str(table)}) as running:
            running.ready(CAMERAS)
            time.sleep(WARM_UP_S)
            cpu, began = running.cpu(), time.monotonic()
            before = sum(one["sent"] for one in cameras.counts().values())
            while (left := began + 60 * options.minutes - time.monotonic()) > 0:
                time.sleep(min(30.0, left))
                _drop_clips(running.video)
            spent, seconds = running.cpu() - cpu, time.monotonic() - began
            frames = sum(one["sent"] for one in cameras.counts().values()) - before
            memory = running.memory()
            counts = cameras.counts("hold")
            time.sleep(3)  # the last status is up to a second old
            received = running.metric("vcam_packets_total")
            skipped = sum(running.metric("vcam_skipped_frames_total").values())
            clips = sum(running.metric("vcam_clips_total").values())
            reconnects = sum(one["clients"] for one in counts.values()) - CAMERAS
    finally:
        cameras.close()
    # FFmpeg's parser holds a frame back until the next one begins: the last of each camera is on its way for ever
    lost = {name: counts[name]["sent"] - 1 - received.get(name, 0) for name in names}
    report.detail["many"] = {"counts": counts, "received": received, "clips": clips, "memory": memory}
    title = f"{CAMERAS} cameras 720p15, {options.minutes:g} min"
    report.add(f"{title}: frames sent", sum(one["sent"] for one in counts.values()), "frames")
    report.add(f"{title}: frames that capture did not get", sum(lost.values()), "frames", most=0, target="none")
    report.add(f"{title}: connections lost", reconnects, "", most=0, target="none")
    report.add(f"{title}: frames not analysed", skipped, "frames")
    report.add(f"{title}: all processes", 100 * spent.total / seconds, "% of a core")
    report.add(f"{title}: all processes", 1000 * spent.total / frames, "ms/frame")
    report.add(f"{title}: / floor", 1000 * spent.total / frames / floor(path), "x floor")
    report.add(f"{title}: memory of the largest camera, peak rss", memory["camera peak rss"], "MB", most=150)


def _drop_clips(folder: Path) -> None:
    """Delete published clips, which nobody needs here."""
    for clip in folder.glob("*.mp4"):
        clip.unlink(missing_ok=True)


def bench_snapshots(report: Report, options: Options, redis: RedisServer) -> None:
    """A thousand requests for a picture, as fast as they are answered."""
    cameras = ReplayServer({"still": ensure(STILL, options.streams)})
    try:
        with capture(options, redis, {"RTSP_URL": cameras.url("still")}) as running:
            running.ready()
            time.sleep(WARM_UP_S)
            cpu, began = running.cpu(), time.monotonic()
            time.sleep(5)
            idle = (running.cpu() - cpu).total / (time.monotonic() - began)
            made = running.metric("vcam_snapshot_encodes_total")[""]
            cpu, began = running.cpu(), time.monotonic()
            came = running.snapshots(REQUESTS)
            seconds = time.monotonic() - began
            spent = (running.cpu() - cpu).total - idle * seconds
            encodes = running.metric("vcam_snapshot_encodes_total")[""] - made
    finally:
        cameras.close()
    report.add(f"{REQUESTS} snapshots: pictures that came", came, "", least=REQUESTS)
    report.add(f"{REQUESTS} snapshots: seconds", seconds, "s")
    report.add(f"{REQUESTS} snapshots: JPEG encodes", encodes, "", most=1 + int(seconds / CACHE_S))
    report.add(f"{REQUESTS} snapshots: CPU beyond recording", 1000 * spent / REQUESTS, "ms/request")
