"""Twenty zones of a running camera, read once per second each, while capture records that camera."""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from camera_emulator.panel.zones_file import zones_of
from devtools.benchmarks.capture.process import Capture
from devtools.benchmarks.program import Program, cpu_s, memory_mb
from devtools.benchmarks.report import Report
from devtools.benchmarks.zones.options import Options, PartMissing
from devtools.benchmarks.zones.panel_clips import FIRST_SEED, PanelClip
from devtools.ports import free_port
from devtools.redis_server import running_redis
from devtools.rtsp.replay import ReplayServer
from shared_utils.contracts.events import Event, events_log_path, read_events

CAMERA = "panel"
SIZE = (1920, 1080)
ENGINES = {"rapidocr": (("order", 5), ("message", 5)), "sevensegment": (("pressure", 5), ("temperature", 5))}
"""Which devices are read by which engine, and by how many zones each."""
ZONES = sum(count for devices in ENGINES.values() for _, count in devices)
RECORDING = {"LIVE_OBJECTS": "off", "MOTION_MIN_AREA": "0.001"}
"""Settings of capture: the panel's own changes start clips, and nobody looks for objects."""
LEAST_RATE = 0.95
"""Readings per second of each zone, where one is asked for."""
WARM_UP_S = 15.0
"""Connecting, loading of the engines, and the first events, of which there may be a burst."""


def bench_beside(report: Report, options: Options) -> None:
    """Run capture and the live worker as users do, and count readings.

    Raises:
        PartMissing: no reading came.
    """
    clip = PanelClip(FIRST_SEED, size=SIZE)
    stream = clip.ensure(options.streams)
    folder = options.work / "beside"
    video = folder / "video"
    (video / "zones").mkdir(parents=True)
    (video / "zones" / f"{CAMERA}.json").write_text(json.dumps(_zones(clip)))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = stack.enter_context(running_redis(folder / "redis"))
        cameras = ReplayServer({CAMERA: stream})
        stack.callback(cameras.close)
        port = free_port()
        settings = {"VIDEO_DIR": str(video), "LOG_FORMAT": "json"}
        capture_url = {"CAPTURE_URL": f"http://127.0.0.1:{port}", "YOLO_MODEL": str(options.model)}
        live = Program(folder / "live", ["-m", "video_worker", "live"], redis, {**settings, **capture_url})
        stack.callback(live.close)
        live.wait_for("live_ready")
        camera = {"RTSP_URL": cameras.url(CAMERA), "CAMERA_NAME": CAMERA, "HTTP_PORT": str(port), **RECORDING}
        capture = Capture(folder / "capture", redis, {**settings, **camera})
        stack.callback(capture.close)
        capture.ready()
        live.wait_for("live_camera_served")
        found = _measure(live, capture, options.seconds)
        log, path = live.text, events_log_path(video)
        readings = [one for one in read_events(path) if one.type == "reading"] if path.exists() else []
    report.detail["beside recording"] = {"events": len(readings), "live log": log.splitlines()[-40:]}
    if not readings:
        raise PartMissing("the live worker reported no reading")
    rates = rates_of(readings)
    report.detail["beside recording"]["rates"] = rates
    _add(report, rates, found, sum(one.more.get("reason") in ("engine", "error") for one in readings))


@dataclass(frozen=True)
class _Measured:
    """What the programs did meanwhile.

    Attributes:
        recording: share of the time in which a clip was open.
        skipped: frames that capture did not analyse.
        live_cores, capture_cores: shares of a core.
        live_mb: memory of the live worker, PSS.
    """

    recording: float
    skipped: float
    live_cores: float
    capture_cores: float
    live_mb: float


def _measure(live: Program, capture: Capture, seconds: float) -> _Measured:
    time.sleep(WARM_UP_S)
    began, cpu = time.monotonic(), (cpu_s(live.root), capture.cpu().total)
    recording = []
    while time.monotonic() < began + seconds:
        time.sleep(1)
        recording.append(capture.metric("vcam_camera_recording").get(CAMERA, 0.0))
    passed = time.monotonic() - began
    return _Measured(
        sum(recording) / len(recording),
        capture.metric("vcam_skipped_frames_total").get(CAMERA, 0.0),
        (cpu_s(live.root) - cpu[0]) / passed,
        (capture.cpu().total - cpu[1]) / passed,
        memory_mb(live.root)["pss"],
    )


def _add(report: Report, rates: Mapping[str, float], found: _Measured, failed: int) -> None:
    title = f"{ZONES} zones at one per second"
    report.add(f"{title}: zones that were read", len(rates), "", least=ZONES)
    report.add(f"{title}: readings per second of the slowest", min(rates.values()), "1/s", least=LEAST_RATE)
    report.add("  events that say that an engine failed", failed, "", most=0, target="none")
    report.add("  of all of them together", sum(rates.values()), "1/s")
    report.add("  time in which capture recorded", 100 * found.recording, "%", least=95)
    report.add("  frames that capture skipped", found.skipped, "", most=0, target="none")
    report.add("  live worker", 100 * found.live_cores, "% of a core")
    report.add("  capture", 100 * found.capture_cores, "% of a core")
    report.add("  memory of the live worker", found.live_mb, "MB")


def rates_of(readings: Sequence[Event]) -> dict[str, float]:
    """Return readings per second of each zone, from events, which say how many there were since the one before."""
    by_zone: dict[str, list[Event]] = defaultdict(list)
    for event in readings:
        by_zone[event.zone or ""].append(event)
    found = {}
    for zone, events in by_zone.items():
        seconds = (events[-1].at - events[0].at).total_seconds()
        count = sum(int(event.more.get("readings", 1)) for event in events[1:])
        found[zone] = count / seconds if seconds > 0 else 0.0
    return found


def _zones(clip: PanelClip) -> dict[str, Any]:
    """Return the panel's zones that are read, several times each, and nothing else."""
    file = zones_of(clip.scene, CAMERA)
    given = {zone["name"]: zone for zone in file["zones"]}
    zones = []
    for engine, devices in ENGINES.items():
        for name, count in devices:
            for number in range(count):
                task = {"do": "read", "engine": engine, "mode": "line", "every_s": 1.0, "when": "live"}
                zones.append({"name": f"{name}-{number}", "points": given[name]["points"], "tasks": [task]})
    return {"schema": file["schema"], "camera": CAMERA, "zones": zones}
