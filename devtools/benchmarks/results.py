"""The analysis layer's benchmark: a long log of results, and one of events, as data frames.

::

    scripts/bench results [--lines N] [--rounds N] [--log FILE] [--out FILE.json]

Lines are made by the worker's own code, of clips of a year and four cameras, with failures, lines of old and a few torn
ones among them. Each figure is measured in a process of its own, the file being in the page cache; the median counts.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from devtools.benchmarks.report import Report, describe_machine
from devtools.paths import ROOT
from notebooks.lab.data.results import latest, load_log, objects
from notebooks.lab.events import events, readings, zone_counts
from shared_utils.contracts.events import Event, event_to_dict, events_log_path
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.json_lines import to_line
from shared_utils.media.frames import ClipFacts
from video_worker.pipeline import record as records
from video_worker.pipeline.run_names import RunNames, make_run_id

LINES = 1_000_000
SECONDS, MEGABYTES = 10.0, 2000.0
"""What a million lines may take."""

CAMERAS = ("door", "street", "yard", "car-park")
LABELS = ("person", "car", "cat", "dog", "bicycle", "truck", "bus", "bird")
MODELS = (("yolov8n", "a1" * 32), ("yolov8s", "b2" * 32))
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
ODD_EVERY = 50_000
"""Lines of which one is torn, and one foreign."""


def write_log(path: Path, lines: int) -> dict[str, int]:
    """Write a log of `lines` lines; return how many are of which kind."""
    kinds = {"good": 0, "failed": 0, "old": 0, "torn": 0, "foreign": 0}
    with path.open("w", encoding="utf-8") as file:
        for kind, line in _lines(lines):
            kinds[kind] += 1
            file.write(line + "\n")
    return kinds


def _lines(count: int) -> Iterator[tuple[str, str]]:
    dice = random.Random(1)  # no secrets
    step = timedelta(days=365) / count
    for number in range(count):
        start = (BEGIN + number * step).replace(microsecond=0)
        camera = dice.choice(CAMERAS)
        local = start.astimezone()
        name = f"{local:%Y%m%d-%H%M%S}-{camera}.mp4"
        now = local + timedelta(seconds=dice.uniform(31, 40))
        draw = dice.random()
        entry = _entry(dice, name, start, now)
        if number % ODD_EVERY == ODD_EVERY - 2:
            yield "torn", to_line(entry)[: dice.randrange(20, 300)]
        elif number % ODD_EVERY == ODD_EVERY - 1:
            yield "foreign", '{"level": "info", "message": "rotated"}'
        elif draw < 0.02:
            names = RunNames(name, entry["run_id"], entry["job_id"])
            yield "failed", to_line(records.failure(names, "no video that can be read (moov atom not found)", now))
        elif draw < 0.05:
            yield "old", to_line({key: entry[key] for key in ("ok", "filename", "detected", "count", "timestamp")})
        else:
            yield "good", to_line(entry)


def write_events(path: Path, lines: int) -> None:
    """Write a log of `lines` live events: three of four are readings, the others of objects in zones."""
    dice = random.Random(1)  # no secrets
    step = timedelta(days=365) / lines
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            event = _event(dice, number, BEGIN + number * step)
            file.write(to_line(event_to_dict(event)) + "\n")


def _event(dice: random.Random, number: int, at: datetime) -> Event:
    camera, zone = dice.choice(CAMERAS), f"zone-{number % 20}"
    if number % 4:
        value = None if number % 9 == 0 else f"{dice.uniform(0, 90):.1f}"
        more: dict[str, Any] = {"state": "unreadable" if value is None else "ok", "text": "12.4", "engine": "rapidocr"}
        if value is not None:
            more |= {"number": float(value), "readings": 30, "min": 1.0, "max": 90.0}
        return Event("reading", at, camera, zone, value, dice.random(), more=more)
    what = dice.choice(("entered", "left", "crossed"))
    more = {"label": dice.choice(LABELS), "track": number, "box": [0.1, 0.2, 0.3, 0.4]}
    more |= {"direction": "left"} if what == "crossed" else {"dwell_s": 4.2} if what == "left" else {}
    return Event("object", at, camera, zone, what, dice.random(), more=more)


def _entry(dice: random.Random, name: str, start: datetime, now: datetime) -> Any:
    job_id = f"clip-{name[:-4]}" if dice.random() < 0.9 else f"run-{name[:-4]}-{dice.randrange(16**8):08x}"
    names = RunNames(name, make_run_id(start, job_id), job_id)
    options = Options(model="yolov8n.onnx", conf=dice.choice((0.5, 0.5, 0.5, 0.3)))
    facts = ClipFacts(1920, 1080, duration_s=30.0, frames=600, sampled=150, started_at=start.isoformat())
    seen: list[dict[str, Any]] = [
        {
            "label": label,
            "tracks": dice.randrange(1, 4),
            "hits": dice.randrange(1, 150),
            "max_conf": round(dice.uniform(0.1, 0.97), 4),
            "first_s": round(dice.uniform(0, 15), 3),
            "last_s": round(dice.uniform(15, 30), 3),
        }
        for label in dice.sample(LABELS, dice.choice((0, 1, 1, 2, 3)))
    ]
    detected = [entry["label"] for entry in seen if entry["hits"] >= options.min_hits]
    luma = round(dice.uniform(20, 150), 1)
    model, sha256 = MODELS[dice.random() < 0.1]
    results = {
        "detected": detected,
        "count": len(detected),
        "objects": seen,
        "sampled_frames": 150,
        "brightness": {
            "mean": luma,
            "min": luma,
            "max": luma,
            "dark": luma < 16,
            "every_s": 1,
            "values": [luma] * 30,
        },
    }
    timing = records.timing_entry(0.1, dice.uniform(0.3, 0.9), dice.uniform(1, 2), dice.uniform(2, 3))
    clip = records.clip_entry(name, facts, f"{dice.getrandbits(256):064x}")
    entry: Any = {"name": model, "sha256": sha256, "engine": "openvino 2026.4.1", "conf": options.conf}
    entry |= {"imgsz": 640, "fps": 5}
    return records.success(names, options, clip, entry, timing, results, now)


# -- the measured process


def measure(log: Path, part: str) -> dict[str, float]:
    """Do one part and return its seconds, rows, and the most memory that this process ever took, MB."""
    began, began_cpu = time.perf_counter(), time.process_time()
    frame = load_log(log)
    if part != "load_log":
        work: dict[str, Callable[[Any], Any]] = {
            "latest": latest,
            "objects": objects,
            "events": partial(_of_events, events, log.parent),
            "readings": partial(_of_events, readings, log.parent),
            "zone_counts": partial(_of_events, partial(zone_counts, days=31), log.parent),
        }
        began, began_cpu = time.perf_counter(), time.process_time()
        frame = work[part](frame)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "seconds": seconds,
        "cpu": cpu,
        "rows": len(frame),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "skipped": sum(frame.attrs.get("skipped", {}).values()),
    }


def _of_events(read: Callable[..., Any], folder: Path, frame: Any) -> Any:
    return read(folder, log=frame)


def bench(report: Report, log: Path, rounds: int, kinds: dict[str, int], scale: float) -> None:
    million = sum(kinds.values()) / 1e6
    for part in ("load_log", "latest", "objects", "events", "readings", "zone_counts"):
        command = [sys.executable, "-m", "devtools.benchmarks.results", "--measure", part, "--log", str(log)]
        runs = [
            json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(rounds)
        ]
        report.detail[part] = runs
        seconds = statistics.median(run["seconds"] for run in runs)
        title = part if part == "load_log" else f"{part}(load_log())"
        report.add(f"{title}, {million:g} million lines", seconds, "s", most=max(SECONDS * scale, 1))
        report.add(f"{title}, CPU", statistics.median(run["cpu"] for run in runs), "s")
        report.add(f"{title}, most memory", max(run["mb"] for run in runs), "MB", most=max(MEGABYTES * scale, 300))
        if part == "load_log":
            wanted = sum(kinds[kind] for kind in ("good", "failed", "old"))
            passed = kinds["torn"] + kinds["foreign"]
            report.add("rows", runs[0]["rows"], "", least=wanted, target=f"{wanted}")
            report.add("lines skipped", runs[0]["skipped"], "", least=passed, target=f"{passed}")
        else:
            report.add(f"{title}, rows", runs[0]["rows"], "")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench results", description="The analysis layer's benchmark.")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--log", type=Path, help="where the log is made, and left; default: a temporary folder")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "results.json")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(measure(given.log, given.measure)))
        return 0
    report = Report(machine=describe_machine())
    report.announce()
    with tempfile.TemporaryDirectory(prefix="vcam-bench-") as temporary:
        log = given.log or Path(temporary) / "detections_log.jsonl"
        kinds = write_log(log, given.lines)
        write_events(events_log_path(log.parent), given.lines)
        report.detail["lines"] = kinds
        report.add("bytes per line", log.stat().st_size / given.lines, "B")
        bench(report, log, given.rounds, kinds, given.lines / LINES)
    report.save(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
