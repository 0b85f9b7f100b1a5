"""Capture's benchmark: a table for people and JSON for comparing, of one run on one machine.

::

    scripts/bench capture [--quick] [--seconds N] [--rounds N] [--minutes N] [--only PART …] [--out FILE.json]

Capture runs as users run it (``python -m vcam_worker``), on cameras that send real packets over RTSP. CPU time is that
of all its processes and threads, per frame sent, after a warm-up. The floor is demuxing and decoding the same frames
once, in one thread; it is measured before and after each run of capture, and ratios are made of the medians of all
rounds, so that a slow or busy machine spoils them least.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import av
import psutil

from devtools.benchmarks.streams import MOVING, SMALL, STILL, SUB, ensure
from devtools.paths import ROOT
from devtools.ports import free_port
from devtools.redis_server import RedisServer

FOOTAGE = ROOT.parent / "shared" / "data"
INHERITED = ("PATH", "HOME", "TZ", "LANG", "TMPDIR")

WARM_UP_SECONDS = 10.0
"""After the connection: the background is learnt, the first clip is open, the ring is full."""
START_SECONDS = 40.0
MEMORY_EVERY = 1.0
FLOOR_FRAMES = 300
CAMERAS = 8
OFFLINE_SECONDS = 20.0
REQUESTS = 1000
CACHE_SECONDS = 2.0
"""What /info says a picture is kept for."""
BY_EYE = 0.5
"""Seconds: how well the listed times are known, and how soon motion has to be seen."""

MOMENTS = {
    "car-detection.mp4": ((4.9, 8.2), (14.6, 20.0), (25.0, 28.0)),
    "bottle-detection.mp4": ((5.8, 6.9), (11.7, 13.5), (15.9, 17.7), (22.4, 24.4), (27.6, 29.0), (35.8, 36.7)),
}
"""When something moves, seconds, as the footage's README.md lists it."""
ALSO_MOVING = {"bottle-detection.mp4": ((31.0, 32.2), (34.4, 35.8))}
"""What moves there besides, seconds: a hand that fetches a bottle, seen when what recall calls a false clip was looked
at; a clip of it is none without motion."""


@dataclass
class Row:
    """A figure: what was asked for, and whether it is met (None where nothing was asked)."""

    name: str
    value: float
    unit: str
    wanted: str = ""
    met: bool | None = None


@dataclass
class Report:
    """All that was measured; `detail` is for whoever looks closer."""

    machine: dict[str, object] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        most: float | None = None,
        least: float | None = None,
        said: str = "",
    ) -> None:
        """Add a figure, and print it."""
        met = None
        if most is not None:
            met, said = value <= most, said or f"at most {most:g}"
        if least is not None:
            met, said = value >= least, said or f"at least {least:g}"
        self.rows.append(Row(name, round(value, 4), unit, said, met))
        verdict = {True: "met", False: "MISSED", None: ""}[met]
        print(f"{name:<66} {value:>9.3f} {unit:<12} {said:<15} {verdict}".rstrip(), flush=True)

    def skip(self, what: str, reason: str) -> None:
        """Say that something was left out."""
        self.detail.setdefault("left out", {})[what] = reason
        print(f"{what}: left out, {reason}", flush=True)


@dataclass(frozen=True)
class Options:
    """How long to measure; folders."""

    seconds: float
    rounds: int
    minutes: float
    streams: Path
    work: Path


# -- the floor


def floor(path: Path) -> float:
    """Return ms of CPU a frame for demuxing and decoding once, in one thread."""
    frames = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        began = time.thread_time()
        for _ in container.decode(stream):
            frames += 1
            if frames == FLOOR_FRAMES:
                break
        return 1000 * (time.thread_time() - began) / frames


# -- cameras and capture


class Cameras:
    """The RTSP server in a process of its own; it ends with this one."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        command = [sys.executable, "-m", "devtools.benchmarks.streams"]
        command += [f"{name}={path}" for name, path in mounts.items()]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._port = int(self._line().split()[1])

    def url(self, mount: str) -> str:
        return f"rtsp://127.0.0.1:{self._port}/{mount}"

    def counts(self, command: str = "count") -> dict[str, dict[str, int]]:
        """Return frames sent and clients served, by mount; the command ``hold`` stops the sending."""
        if self._process.stdin is None:
            raise RuntimeError("the cameras have no stdin")
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        found: dict[str, dict[str, int]] = json.loads(self._line())
        return found

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the cameras ended")
        return line

    def close(self) -> None:
        with self._process:
            self._process.kill()


@dataclass(frozen=True)
class Cpu:
    """CPU seconds so far: the supervisor with its helpers, and the cameras' processes."""

    supervisor: float
    cameras: float

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.supervisor - other.supervisor, self.cameras - other.cameras)

    @property
    def total(self) -> float:
        return self.supervisor + self.cameras


class Capture:
    """A running ``python -m vcam_worker``, looked at from outside."""

    def __init__(self, folder: Path, redis: RedisServer, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        self.video = folder / "video"
        self._port = free_port()
        self._log = folder / "capture.log"
        environment = {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            **redis.env,
            "VIDEO_DIR": str(self.video),
            "HTTP_PORT": str(self._port),
            "MIN_FREE_GB": "0",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vcam_worker"], cwd=folder, env=environment, stdout=log, stderr=log
            )
        self._supervisor = psutil.Process(self._process.pid)
        self._cameras: list[psutil.Process] = []
        self._helpers: list[psutil.Process] = []

    @property
    def text(self) -> str:
        """The log so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, count: int = 1) -> None:
        deadline = time.monotonic() + START_SECONDS
        while len(re.findall(pattern, self.text)) < count:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"capture does not say {pattern!r}:\n{self.text}")
            time.sleep(0.1)

    def ready(self, connections: int = 1) -> None:
        """Wait until everything is connected, and find the processes."""
        self.wait_for("connected to", connections)
        self.find_processes()

    def find_processes(self) -> None:
        children = self._supervisor.children(recursive=True)
        self._cameras = [one for one in children if any("spawn_main" in word for word in one.cmdline())]
        self._helpers = [one for one in children if one not in self._cameras]

    def cpu(self) -> Cpu:
        return Cpu(sum(map(_cpu, [self._supervisor, *self._helpers])), sum(map(_cpu, self._cameras)))

    def memory(self) -> dict[str, float]:
        """Return MB: resident and proportional now, resident at most; the cameras' largest and the supervisor's."""
        cameras = [_memory(one) for one in self._cameras]
        found = {f"camera {key}": max(one[key] for one in cameras) for key in cameras[0]}
        return found | {f"supervisor {key}": value for key, value in _memory(self._supervisor).items()}

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read()

    def snapshots(self, count: int) -> int:
        """Ask for a picture `count` times over one connection; return how many came."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        came = 0
        with contextlib.closing(connection):
            for _ in range(count):
                connection.request("GET", "/snapshot/cam1.jpg")
                answer = connection.getresponse()
                answer.read()
                came += answer.status == 200
        return came

    def metric(self, name: str) -> dict[str, float]:
        """Return a metric's values, by camera ('' for those without)."""
        found = re.findall(rf'^{name}(?:\{{camera="(\w+)"\}})? (\S+)$', self.get("/metrics").decode(), re.MULTILINE)
        return {camera: float(value) for camera, value in found}

    def close(self) -> None:
        """End it as an operator would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _cpu(process: psutil.Process) -> float:
    # its children's are looked at one by one while they live
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> dict[str, float]:
    full = process.memory_full_info()
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    peak = int(found[1]) * 1024 if found else full.rss
    return {"rss": full.rss / 1e6, "pss": full.pss / 1e6, "peak rss": peak / 1e6}


@contextlib.contextmanager
def capture(options: Options, redis: RedisServer, settings: Mapping[str, str]) -> Iterator[Capture]:
    folder = options.work / "capture"
    shutil.rmtree(folder, ignore_errors=True)
    running = Capture(folder, redis, settings)
    try:
        yield running
    finally:
        running.close()
        shutil.rmtree(folder, ignore_errors=True)


# -- one camera, at work


@dataclass(frozen=True)
class Scene:
    """A way to run capture over one camera, and what it may cost.

    Attributes:
        floor: mount whose decoding is the floor.
        most: of that floor.
        recording: a clip is open all the time; else none ever.
    """

    name: str
    floor: str
    most: float
    recording: bool
    sub: bool = False
    keyframes: bool = False


SCENES = {
    "moving": Scene("something moving, recording", "moving", 1.0, recording=True),
    "still": Scene("nothing moving", "still", 0.9, recording=False),
    "sub": Scene("recording, motion looked for in a 640×360 sub-stream", "moving", 0.2, recording=True, sub=True),
    "keyframes": Scene("nothing moving, MOTION_DECODE=keyframes", "still", 0.15, recording=False, keyframes=True),
}


def bench_scenes(report: Report, options: Options, redis: RedisServer, names: list[str]) -> None:
    """CPU and memory of one camera."""
    paths = {one.name.split("-")[0]: ensure(one, options.streams) for one in (MOVING, STILL)}
    paths["sub"] = ensure(SUB, options.streams)
    floors: dict[str, list[float]] = {"moving": [], "still": []}
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    cameras = Cameras(paths)
    try:
        for _ in range(options.rounds):
            for name in names:
                mount = SCENES[name].floor
                floors[mount].append(floor(paths[mount]))
                spent[name].append(_run_scene(SCENES[name], cameras, options, redis))
                floors[mount].append(floor(paths[mount]))
                near, cost = statistics.mean(floors[mount][-2:]), spent[name][-1]["ms a frame"]
                print(f"  one run, {name}: {cost:.2f} ms/frame, the floor beside it {near:.2f}", flush=True)
    finally:
        cameras.close()
    report.detail["floors, ms a frame"] = floors
    report.detail["scenes"] = spent
    for name, found in floors.items():
        if found:
            report.add(f"floor: demuxing and decoding once, one thread ({name})", statistics.median(found), "ms/frame")
    for name in names:
        scene = SCENES[name]
        base = statistics.median(floors[scene.floor])
        cost = statistics.median(one["ms a frame"] for one in spent[name])
        report.add(f"{scene.name}: all processes", cost, "ms/frame")
        own = statistics.median(one["supervisor, ms a frame"] for one in spent[name])
        report.add(f"{scene.name}: of it the supervisor", own, "ms/frame")
        report.add(f"{scene.name}: all / floor", cost / base, "x floor", most=scene.most)
    for who, most in (("camera", 150.0), ("supervisor", None)):
        for kind in ("peak rss", "pss"):
            value = max(one[f"{who} {kind}"] for runs in spent.values() for one in runs)
            limit = most if kind == "peak rss" else None
            report.add(f"memory of the {who}'s process, {kind}", value, "MB", most=limit)


def _run_scene(scene: Scene, cameras: Cameras, options: Options, redis: RedisServer) -> dict[str, float]:
    settings = {"RTSP_URL": cameras.url(scene.floor), "MOTION_DECODE": "keyframes" if scene.keyframes else "all"}
    if scene.sub:
        table = options.work / "cameras.toml"
        table.write_text(f'[cam1]\nurl = "{cameras.url(scene.floor)}"\ndetect_url = "{cameras.url("sub")}"\n')
        settings = {"CAMERAS_FILE": str(table)}
    with capture(options, redis, settings) as running:
        running.ready(2 if scene.sub else 1)
        time.sleep(WARM_UP_SECONDS)
        sent, cpu = cameras.counts()[scene.floor]["sent"], running.cpu()
        recorded, samples = 0.0, []
        until = time.monotonic() + options.seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(MEMORY_EVERY, left))
            samples.append(running.memory())
        spent = running.cpu() - cpu
        frames = cameras.counts()[scene.floor]["sent"] - sent
        recorded = running.metric("vcam_camera_recording")["cam1"]
        clips = running.metric("vcam_clips_total")["cam1"] + recorded
        skipped = running.metric("vcam_skipped_frames_total")["cam1"]
    if bool(clips) != scene.recording:
        raise RuntimeError(f"{scene.name}: {clips:g} clips, which is not what the scene shows")
    return {
        "frames": frames,
        "ms a frame": 1000 * spent.total / frames,
        "supervisor, ms a frame": 1000 * spent.supervisor / frames,
        "clips": clips,
        "skipped frames": skipped,
        **{key: max(one[key] for one in samples) for key in samples[0]},
    }


# -- an offline camera, many cameras, snapshots


def bench_offline(report: Report, options: Options, redis: RedisServer) -> None:
    """A camera that is switched off."""
    with capture(options, redis, {"RTSP_URL": f"rtsp://127.0.0.1:{free_port()}/none"}) as running:
        running.wait_for("no picture")
        running.find_processes()
        time.sleep(WARM_UP_SECONDS / 2)
        cpu, began = running.cpu(), time.monotonic()
        time.sleep(OFFLINE_SECONDS)
        spent, seconds = running.cpu() - cpu, time.monotonic() - began
    share = 100 * spent.total / seconds
    report.add("offline camera: all processes", share, "% of a core", most=1.0, said="under 1")
    report.add("offline camera: the camera's process alone", 100 * spent.cameras / seconds, "% of a core")


def bench_many(report: Report, options: Options, redis: RedisServer) -> None:
    """Eight cameras, all of them recording all the time."""
    path = ensure(SMALL, options.streams)
    names = [f"cam{number}" for number in range(1, CAMERAS + 1)]
    cameras = Cameras(dict.fromkeys(names, path))
    table = options.work / "cameras.toml"
    table.write_text("".join(f'[{name}]\nurl = "{cameras.url(name)}"\n' for name in names))
    try:
        with capture(options, redis, {"CAMERAS_FILE": str(table)}) as running:
            running.ready(CAMERAS)
            time.sleep(WARM_UP_SECONDS)
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
    report.add(f"{title}: frames that capture did not get", sum(lost.values()), "frames", most=0, said="none")
    report.add(f"{title}: connections lost", reconnects, "", most=0, said="none")
    report.add(f"{title}: frames not looked at", skipped, "frames")
    report.add(f"{title}: all processes", 100 * spent.total / seconds, "% of a core")
    report.add(f"{title}: all processes", 1000 * spent.total / frames, "ms/frame")
    report.add(f"{title}: / floor", 1000 * spent.total / frames / floor(path), "x floor")
    report.add(f"{title}: memory of the largest camera, peak rss", memory["camera peak rss"], "MB", most=150)


def _drop_clips(folder: Path) -> None:
    """Make room: nobody looks at what was published."""
    for clip in folder.glob("*.mp4"):
        clip.unlink(missing_ok=True)


def bench_snapshots(report: Report, options: Options, redis: RedisServer) -> None:
    """A thousand requests for a picture, as quick as they are answered."""
    cameras = Cameras({"still": ensure(STILL, options.streams)})
    try:
        with capture(options, redis, {"RTSP_URL": cameras.url("still")}) as running:
            running.ready()
            time.sleep(WARM_UP_SECONDS)
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
    report.add(f"{REQUESTS} snapshots: JPEG encodes", encodes, "", most=1 + int(seconds / CACHE_SECONDS))
    report.add(f"{REQUESTS} snapshots: CPU beyond recording", 1000 * spent / REQUESTS, "ms/request")


# -- recall


@dataclass(frozen=True)
class Clip:
    start: float
    trigger: float
    end: float


def bench_recall(report: Report) -> None:
    """Are the listed moments of real footage recorded, each with its pre-roll, and nothing else?"""
    if not FOOTAGE.is_dir():
        report.skip("recall", f"there is no footage in {FOOTAGE.parent.name}/{FOOTAGE.name}")
        return
    for title, settings, pre_roll in (
        ("default clips", {}, 5.0),
        ("clips of 5 s, pre-roll 1 s", {"CLIP_SECONDS": "5", "PRE_ROLL_SECONDS": "1"}, 1.0),
    ):
        listed = hit = clips = idle = 0
        recorded = wanted = 0.0
        for name, moments in MOMENTS.items():
            found = _replay(FOOTAGE / name, settings)
            judged = [_judge(moment, found, pre_roll) for moment in moments]
            known = (*moments, *ALSO_MOVING.get(name, ()))
            without = [one for one in found if not _shows_motion(one, known)]
            report.detail.setdefault("recall", {}).setdefault(title, {})[name] = {
                "clips": [asdict(one) for one in found],
                "missed": [moment for moment, (good, _) in zip(moments, judged, strict=True) if not good],
                "clips without motion": [asdict(one) for one in without],
            }
            listed, hit = listed + len(moments), hit + sum(good for good, _ in judged)
            clips, idle = clips + len(found), idle + len(without)
            recorded += sum(seconds for _, seconds in judged)
            wanted += sum(end - begin for begin, end in moments)
        report.add(f"recall, {title}: moments recorded with their pre-roll", 100 * hit / listed, "%", least=100)
        report.add(f"recall, {title}: of the moments' seconds", 100 * recorded / wanted, "%")
        report.add(f"recall, {title}: clips", clips, "")
        report.add(f"recall, {title}: clips without motion", idle, "", most=0, said="none")


def _replay(path: Path, settings: Mapping[str, str]) -> list[Clip]:
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    found = subprocess.run(
        [sys.executable, "-m", "vcam_worker", "replay", str(path)],
        cwd=ROOT, env={**environment, **settings}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = map(json.loads, found.stdout.splitlines())
    return [Clip(line["start_s"], line["trigger_s"], line["end_s"]) for line in lines]


def _judge(moment: tuple[float, float], clips: list[Clip], pre_roll: float) -> tuple[bool, float]:
    """Tell whether `moment` is in a clip from its pre-roll on; and how many of its seconds are in any clip."""
    begin, end = moment
    needed = max(0.0, begin - pre_roll + BY_EYE)
    good = any(one.start <= needed and one.end > begin for one in clips)
    covered, at = 0.0, begin
    for one in sorted(clips, key=lambda clip: clip.start):
        since, until = max(at, one.start), min(end, one.end)
        if until > since:
            covered, at = covered + until - since, until
    return good and covered >= end - begin - BY_EYE, covered


def _shows_motion(clip: Clip, moments: tuple[tuple[float, float], ...]) -> bool:
    """Tell whether a moment triggered `clip`, or, where it goes on from the clip before, whether it holds any."""
    goes_on = clip.trigger == clip.start
    until = clip.end if goes_on else clip.trigger
    return any(begin - BY_EYE <= until and clip.trigger <= end + BY_EYE for begin, end in moments)


# -- the command

PARTS = (*SCENES, "offline", "many", "snapshots", "recall")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench capture",
        description="Capture's benchmark: CPU against the floor of decoding once, memory, packets lost, recall.",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything: about 3 minutes")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each run (default 60; quick 12)")
    parser.add_argument("--rounds", type=int, metavar="N", help="whose median counts (default 3; quick 1)")
    parser.add_argument("--minutes", type=float, metavar="N", help="with eight cameras (default 10; quick 1)")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "capture.json", metavar="FILE.json")
    return parser.parse_args(arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # so that whatever was started is ended too
    given = parse(arguments)
    parts = given.only or list(PARTS)
    report = Report(
        machine={
            "time": datetime.now().astimezone().isoformat(timespec="seconds"),
            "cores": len(os.sched_getaffinity(0)),
            "load": round(os.getloadavg()[0], 2),
            "cpu": platform.processor() or platform.machine(),
        }
    )
    print(" ".join(f"{key}={value}" for key, value in report.machine.items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="vcam-bench-") as temporary:
        options = Options(
            seconds=given.seconds or (12 if given.quick else 60),
            rounds=given.rounds or (1 if given.quick else 3),
            minutes=given.minutes or (1 if given.quick else 10),
            streams=ROOT / "bench-results" / "streams",
            work=Path(temporary),
        )
        redis = RedisServer(options.work / "redis")
        redis.start()
        try:
            scenes = [name for name in SCENES if name in parts]
            if scenes:
                bench_scenes(report, options, redis, scenes)
            if "offline" in parts:
                bench_offline(report, options, redis)
            if "snapshots" in parts:
                bench_snapshots(report, options, redis)
            if "recall" in parts:
                bench_recall(report)
            if "many" in parts:
                bench_many(report, options, redis)
        finally:
            redis.stop()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(asdict(report), indent=1) + "\n")
    print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
