"""Nobody asks: what capture costs with live frames and live video in place, against the floor and another checkout."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from devtools.benchmarks.capture.process import WARM_UP_S, Capture
from devtools.benchmarks.capture.scenes import SCENES, floor, run_scene
from devtools.benchmarks.live.options import Options
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import MOVING, STILL, ensure
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer

CLIP_S = 10
"""Length of clips in a comparison, whose turns are several of them: ending one costs something, on both sides."""
COMPARED = {"still": STILL, "moving": MOVING}
"""Scenes by the name of their camera: nothing moves; something does, and is recorded."""


def bench_idle(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure capture while nobody asks for anything live."""
    paths = {name: ensure(spec, options.streams) for name, spec in COMPARED.items()}
    cameras = ReplayServer(paths)
    try:
        _against_floor(report, options, redis, cameras, paths["still"])
        if options.against:
            for name in COMPARED:
                _against_checkout(report, options, redis, cameras, name)
    finally:
        cameras.close()


def _against_floor(report: Report, options: Options, redis: RedisServer, cameras: ReplayServer, stream: Path) -> None:
    scene = SCENES["still"]
    floors, costs = [floor(stream)], []
    for _ in range(options.rounds):
        costs.append(run_scene(scene, cameras, options, redis)["ms per frame"])
        floors.append(floor(stream))
    report.detail["idle"] = {"floors, ms per frame": floors, "ms per frame": costs}
    report.add("nobody asks, nothing moves: capture", statistics.median(costs), "ms/frame")
    report.add("  / decoding once", statistics.median(costs) / statistics.median(floors), "x floor", most=scene.most)


@dataclass(frozen=True)
class Spread:
    """Ratios of several rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Spread:
        """Return that of pairs, each measured at the same time."""
        ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))


def _against_checkout(report: Report, options: Options, redis: RedisServer, cameras: ReplayServer, name: str) -> None:
    """Run both captures at once, so that whatever else the machine does falls on both alike."""
    sides: dict[str, dict[str, str]] = {"ours": {}, "theirs": {"PYTHONPATH": str(options.against)}}
    costs: dict[str, list[float]] = {side: [] for side in sides}
    seconds = CLIP_S * max(2, round(options.seconds / CLIP_S))  # in shorter turns, noise is more than 2 %
    for number in range(max(2, options.rounds)):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        with ExitStack() as stack:
            running = {}
            for side in order:
                settings = {"RTSP_URL": cameras.url(name), "CLIP_SECONDS": str(CLIP_S), **sides[side]}
                running[side] = Capture(options.work / f"idle-{name}-{number}-{side}", redis, settings)
                stack.callback(running[side].close)
            for one in running.values():
                one.ready()
            time.sleep(WARM_UP_S)
            before = {side: running[side].cpu() for side in order}
            time.sleep(seconds)
            for side in order:
                frames = seconds * COMPARED[name].fps
                costs[side].append(1000 * (running[side].cpu() - before[side]).total / frames)
    spread = Spread.of(costs["ours"], costs["theirs"])
    report.detail[f"idle against {options.against}, {name}"] = costs
    title = f"nobody asks, {name}: capture / that of {options.against}"
    report.add(title, spread.median, "x", most=1.02)
    report.add("  least of all rounds", spread.least, "x")
    report.add("  most of all rounds", spread.most, "x")
