"""What one reading of a line costs by each engine, on displays of drawn panels.

::

    python -m devtools.benchmarks.zones.engines NAME ROUNDS

Each engine runs in a process of its own, which measures its CPU time and memory.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import psutil

from camera_emulator.panel.scene import PanelScene
from devtools.benchmarks.report import Report
from devtools.benchmarks.zones.options import Options
from devtools.benchmarks.zones.panel_clips import FIRST_SEED, SIZE
from devtools.paths import ROOT
from shared_utils.errors import ReaderMissing
from shared_utils.media.picture import Picture
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings
from video_worker.steps.values.zone_crop import ZoneCropper
from video_worker.values.placement import AS_DRAWN

MOST_MS = {"rapidocr": 100.0, "sevensegment": 10.0}
PANELS, MOMENTS_S = 6, (1.0, 4.0, 7.0)
DIGITS, TEXT = ("pressure", "temperature"), ("order", "message")
REMOTE = ("http",)
"""Engines that compute elsewhere."""


def bench_engines(report: Report, options: Options) -> None:
    """Measure each engine that is installed; the others are named."""
    for name in ReaderRegistry(ReaderSettings()).names:
        if name in REMOTE:
            report.skip(f"engine {name}", "it computes elsewhere")
            continue
        command = [sys.executable, "-m", "devtools.benchmarks.zones.engines", name, str(options.rounds)]
        ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if ended.returncode:
            report.skip(f"engine {name}", (ended.stderr.strip().splitlines() or ["it failed"])[-1])
            continue
        found = json.loads(ended.stdout.splitlines()[-1])
        report.detail.setdefault("engines", {})[name] = found
        report.add(f"{name}: CPU of one line reading, median", found["median ms"], "ms", most=MOST_MS.get(name))
        report.add(f"{name}: of 95 % of them, at most", found["95 % ms"], "ms")
        report.add(f"{name}: memory, beyond the program's", found["mb"], "MB")


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Return what `rounds` readings cost, after a few that are not counted.

    Raises:
        ReaderMissing: the engine is not there.
    """
    cv2.setNumThreads(1)
    process = psutil.Process()
    before = process.memory_full_info().uss
    began = _cpu_s()
    reader = ReaderRegistry(ReaderSettings()).get(name)
    loading_s = _cpu_s() - began
    reader.read(np.full((64, 400, 3), 128, np.uint8), "line")
    # before the panels are drawn: what that leaves free, the engine would take without it being seen
    used_mb = (process.memory_full_info().uss - before) / 1e6
    lines = _lines(DIGITS if name == "sevensegment" else TEXT)
    for line in lines[:3]:
        reader.read(line, "line")
    costs = []
    for number in range(rounds):
        began = _cpu_s()
        reader.read(lines[number % len(lines)], "line")
        costs.append(1000 * (_cpu_s() - began))
    costs.sort()
    return {
        "median ms": statistics.median(costs),
        "95 % ms": costs[min(len(costs) - 1, round(0.95 * len(costs)))],
        "loading s": loading_s,
        "mb": used_mb,
    }


def _cpu_s() -> float:
    """Return the CPU time of this process and of those that it waited for, such as Tesseract's."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _lines(devices: Sequence[str]) -> list[Picture]:
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + PANELS):
        scene = PanelScene(seed, SIZE)
        for t in MOMENTS_S:
            frame = scene.frame(t)
            for name in devices:
                crop = ZoneCropper(scene.places(t)[name]).crop(frame, AS_DRAWN, t)
                if crop is not None:
                    found.append(crop.picture)
    return found


if __name__ == "__main__":
    try:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    except ReaderMissing as missing:
        raise SystemExit(str(missing)) from None
