"""The soak: two demo cameras for 20 minutes; memory, file handles, threads and Redis must be flat at the end."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import psutil

from devtools.audit import Auditor
from devtools.compose import Project, docker, remove_folder, require_docker, temporary_folder
from devtools.paths import ROOT
from shared_utils.cli import run_program
from shared_utils.errors import EXIT_FAILED, EXIT_OK, SettingError

SAMPLE_EVERY_S = 10.0
WARM_UP_SHARE = 0.3
"""Share of the time in which buffers fill, libraries load and the first jobs come; it is shown, not judged."""
CLIP_S = 10
MIB = 1 << 20
PAGE_TIMEOUT_S = 5.0
PAGES = ("/", "/metrics", "/healthz", "/snapshot/street.jpg")
"""Fetched with every sample, as a browser tab would."""
SETTLE_TIMEOUT_S = 600.0
"""Longest until the worker has caught up: on a machine with other work it may lag by minutes."""

_REDIS_STATE = """
local persistent = 0
local keys = redis.call('KEYS', '*')
for _, key in ipairs(keys) do if redis.call('TTL', key) < 0 then persistent = persistent + 1 end end
local waiting = redis.call('LLEN', 'rq:queue:video_queue')
return {#keys, persistent - waiting, waiting}
"""
"""Jobs that wait have no expiry, and come and go with the machine's load."""


@dataclass(frozen=True)
class Measure:
    """A quantity that is to be flat.

    Attributes:
        title: with its unit.
        growth: most that it may grow over the judged time: an amount, or this share of its median if that is more.
    """

    title: str
    growth: float
    share: float = 0.0


MEASURES = {
    "anon": Measure("memory of the container's cgroup, anonymous (MiB)", 6.0, 0.04),
    "pss": Measure("memory of its processes, PSS (MiB)", 6.0, 0.04),
    "files": Measure("open files", 2.0),
    "threads": Measure("threads", 1.5),
    "processes": Measure("processes", 0.5),
    "persistent_keys": Measure("Redis keys without an expiry, but for jobs that wait", 2.0),
    "bytes_a_clip": Measure("Redis memory per analysed clip (bytes)", 0.0),
}
MAX_BYTES_A_CLIP = 10_000.0
"""Redis keeps a finished job for a week, on purpose; so its memory is judged by what each clip adds: mostly the
4 KiB that Redis sets aside for a stream, which RQ makes for a job's result."""


@dataclass(frozen=True)
class Verdict:
    """How one quantity of one service has gone.

    Attributes:
        start, end: medians of the first and the last tenth of the judged samples.
        growth: over the judged time, by the median of all slopes between two samples (Theil and Sen).
        bound: most it may be.
    """

    service: str
    measure: str
    start: float
    end: float
    growth: float
    bound: float

    @property
    def is_flat(self) -> bool:
        """Whether it stays within its bound."""
        return self.growth <= self.bound


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median slope between any two samples: a third of them may be outliers without changing it much."""
    pairs = combinations(zip(times, values, strict=True), 2)
    return statistics.median((b - a) / (s - t) for (t, a), (s, b) in pairs)


def judge(service: str, name: str, times: Sequence[float], values: Sequence[float]) -> Verdict:
    """Return the verdict on a series; times in seconds since the start."""
    first = next(index for index, when in enumerate(times) if when >= WARM_UP_SHARE * times[-1])
    times, values = times[first:], values[first:]
    measure = MEASURES[name]
    growth = slope(times, values) * (times[-1] - times[0])
    bound = max(measure.growth, measure.share * statistics.median(values))
    tenth = max(1, len(values) // 10)
    return Verdict(service, name, statistics.median(values[:tenth]), statistics.median(values[-tenth:]), growth, bound)


class Sampler:
    """Reads what each container of a project takes.

    Args:
        project: the running project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._containers = {
            project.inspect(one)["Config"]["Labels"]["com.docker.compose.service"]: one for one in project.containers()
        }

    def sample(self) -> dict[str, dict[str, float]]:
        """Return the present values by service."""
        return {service: self._service(container) for service, container in self._containers.items()} | {
            "queue": self._redis()
        }

    def _service(self, container: str) -> dict[str, float]:
        main = self._project.main_pid(container)
        values = {"anon": _anonymous(main) / MIB, "pss": 0.0, "files": 0.0, "threads": 0.0, "processes": 0.0}
        for process in (psutil.Process(main), *psutil.Process(main).children(recursive=True)):
            # a health check's, which has just ended
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if process.pid != main and time.time() - process.create_time() < SAMPLE_EVERY_S:
                    continue
                pss, files, threads = process.memory_full_info().pss, process.num_fds(), process.num_threads()
                values["pss"] += pss / MIB
                values["files"] += files
                values["threads"] += threads
                values["processes"] += 1
        return values

    def _redis(self) -> dict[str, float]:
        keys, persistent, waiting = map(int, self._project.redis("--raw", "EVAL", _REDIS_STATE, "0").split())
        info = self._project.redis("INFO", "memory")
        used = next(int(line.split(":")[1]) for line in info.splitlines() if line.startswith("used_memory:"))
        return {"keys": keys, "persistent_keys": persistent, "waiting": waiting, "used": used / MIB}


def _anonymous(pid: int) -> int:
    """Return the bytes of anonymous memory of a process's control group, of version 1 or 2."""
    groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return _entry(Path(f"/sys/fs/cgroup/memory{path}/memory.stat"), "total_rss")
    return _entry(Path(f"/sys/fs/cgroup{groups[0][2]}/memory.stat"), "anon")


def _entry(file: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.split()[0] == name)


def _look(project: Project) -> None:
    """Look at capture's pages, as somebody with an open browser does."""
    host_port = project.compose("port", "capture", "8080").strip()
    for path in PAGES:
        with suppress(OSError), urllib.request.urlopen(f"http://{host_port}{path}", timeout=PAGE_TIMEOUT_S) as answer:
            answer.read()


def watch(project: Project, minutes: float) -> list[dict[str, Any]]:
    """Sample the project for this time; print one line per minute."""
    sampler = Sampler(project)
    began = time.monotonic()
    samples: list[dict[str, Any]] = []
    while (elapsed := time.monotonic() - began) < minutes * 60:
        _look(project)
        clips = sum(1 for line in Auditor(project.video).records() if line["ok"])
        samples.append({"t": time.monotonic() - began, "clips": clips, **sampler.sample()})
        if len(samples) % 6 == 1:
            shown = ", ".join(
                f"{name} {values['anon']:.0f} MiB {values['files']:.0f} files {values['threads']:.0f} threads"
                for name, values in samples[-1].items()
                if isinstance(values, dict) and "anon" in values
            )
            project.say(f"{elapsed / 60:4.1f} min, {clips} clips: {shown}")
        time.sleep(max(0.0, len(samples) * SAMPLE_EVERY_S - (time.monotonic() - began)))
    return samples


def verdicts(samples: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Judge every series of the samples."""
    times = [float(sample["t"]) for sample in samples]
    found = []
    for service, values in samples[0].items():
        if not isinstance(values, dict):
            continue
        for name in values:
            if name in MEASURES:
                found.append(judge(service, name, times, [sample[service][name] for sample in samples]))
    return [*found, _a_clip(samples)]


def _a_clip(samples: Sequence[dict[str, Any]]) -> Verdict:
    """Judge Redis' memory against the clips analysed."""
    judged = [sample for sample in samples if sample["t"] >= WARM_UP_SHARE * samples[-1]["t"]]
    clips = [float(sample["clips"]) for sample in judged]
    if clips[-1] == clips[0]:
        raise SettingError("--minutes is too short: no clip was analysed in the time that is judged")
    used = [float(sample["queue"]["used"]) * MIB for sample in judged]
    # samples between two clips say nothing about what one adds
    points = dict(zip(clips, used, strict=True))
    each = slope(list(points), list(points.values()))
    return Verdict("queue", "bytes_a_clip", used[0], used[-1], each, MAX_BYTES_A_CLIP)


def table(found: Sequence[Verdict]) -> str:
    """Return the verdicts as Markdown."""
    rows: list[tuple[str, ...]] = [("service", "measure", "after warm-up", "at the end", "growth", "bound", "")]
    for one in found:
        numbers = (f"{value:,.1f}" for value in (one.start, one.end, one.growth, one.bound))
        rows.append((one.service, MEASURES[one.measure].title, *numbers, "flat" if one.is_flat else "GROWS"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cameras(project: Project) -> None:
    """Have capture record the demo's camera, and a second one that draws another street."""
    cameras = project.folder / "cameras.toml"
    cameras.write_text(
        "".join(
            f'[{name}]\nurl = "{project.secrets.camera_url(host)}"\n'
            for name, host in (("street", "camera"), ("lane", "camera-lane"))
        )
    )
    project.give(cameras)
    serve = "python -m camera_emulator --source scene --seed 1 --url rtsp://0.0.0.0:8554/stream"
    lane = {
        "extends": {"file": str(project.compose_file), "service": "camera"},
        "image": project.image("capture"),
        "command": serve.split(),
    }
    project.configure({"CAMERAS_FILE": str(cameras)}, {"camera-lane": lane})


def run(minutes: float, out: Path) -> int:
    """Run the soak; return the exit code."""
    folder = temporary_folder()
    project = Project(folder, {"CLIP_SECONDS": str(CLIP_S), "PRE_ROLL_SECONDS": "3", "MIN_FREE_GB": "0"})
    try:
        _cameras(project)
        project.say("build")
        project.build()
        project.up()
        project.say("all healthy; sampling")
        samples = watch(project, minutes)
        auditor = Auditor(project.video)
        names = auditor.clips()
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while not auditor.analysed(names) and time.monotonic() < deadline:
            time.sleep(1)
        findings = auditor.audit(names, project.logs("capture").splitlines()).findings
        restarts = sum(project.inspect(one)["RestartCount"] for one in project.containers())
        findings += [f"{restarts} restarts"] if restarts else []
        findings += project.sick()
    finally:
        project.say("down")
        project.clean()
        remove_folder(folder)
    return report(samples, findings, len(names), out)


def report(samples: Sequence[dict[str, Any]], findings: Sequence[str], clips: int, out: Path) -> int:
    """Print the table; write picture and figures into `out`."""
    from devtools.soak_picture import draw

    found = verdicts(samples)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"soak-{datetime.now():%Y%m%d-%H%M}"
    text = table(found)
    stem.with_suffix(".md").write_text(text + "\n")
    figures = {
        "ended": datetime.now().astimezone().isoformat(),
        "clips": clips,
        "findings": list(findings),
        "verdicts": [asdict(one) | {"is_flat": one.is_flat} for one in found],
        "samples": list(samples),
    }
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1))
    draw(samples, WARM_UP_SHARE, stem.with_suffix(".png"))
    print(f"\n{text}\n\n{clips} clips in {samples[-1]['t'] / 60:.1f} min, {len(samples)} samples; {stem}.*")
    for finding in findings:
        print(f"wrong: {finding}")
    return EXIT_OK if not findings and all(one.is_flat for one in found) else EXIT_FAILED


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Run the compose file with two demo cameras and see that memory, file handles, threads and Redis "
        "keys are flat at the end. Exit 0 only if all of them are. Needs Docker, and root to measure the processes.",
    )
    parser.add_argument("--minutes", type=float, default=20.0, metavar="N", help="how long to sample (default 20)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results", metavar="DIR", help="for figures, picture")
    arguments = parser.parse_args()
    require_docker()
    if os.getuid() != 0 or docker("info", "--format", "{{.OperatingSystem}}").startswith("Docker Desktop"):
        raise SettingError(
            "scripts/soak needs root on the machine of the Docker engine: it reads /proc of its processes"
        )
    if arguments.minutes < 1:
        raise SettingError(f"--minutes {arguments.minutes:g} is too short: give at least 1")
    return run(arguments.minutes, arguments.out)


if __name__ == "__main__":
    sys.exit(run_program("scripts/soak", main))
