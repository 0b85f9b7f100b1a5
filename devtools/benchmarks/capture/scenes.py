"""CPU and memory of one camera, against the floor: demuxing and decoding the same frames once."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import av

from devtools.benchmarks.capture.process import WARM_UP_S, Options, capture
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import MOVING, STILL, SUB, ensure
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer

MEMORY_EVERY_S = 1.0
FLOOR_FRAMES = 300


def floor(path: Path) -> float:
    """Return ms of CPU per frame for demuxing and decoding once, in one thread."""
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
    "sub": Scene("recording, motion detected in a 640×360 sub-stream", "moving", 0.2, recording=True, sub=True),
    "keyframes": Scene("nothing moving, MOTION_DECODE=keyframes", "still", 0.15, recording=False, keyframes=True),
}


def bench_scenes(report: Report, options: Options, redis: RedisServer, names: list[str]) -> None:
    """CPU and memory of one camera."""
    paths = {one.name.split("-")[0]: ensure(one, options.streams) for one in (MOVING, STILL)}
    paths["sub"] = ensure(SUB, options.streams)
    floors: dict[str, list[float]] = {"moving": [], "still": []}
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    cameras = ReplayServer(paths)
    try:
        for _ in range(options.rounds):
            for name in names:
                mount = SCENES[name].floor
                floors[mount].append(floor(paths[mount]))
                spent[name].append(run_scene(SCENES[name], cameras, options, redis))
                floors[mount].append(floor(paths[mount]))
                near, cost = statistics.mean(floors[mount][-2:]), spent[name][-1]["ms per frame"]
                print(f"  one run, {name}: {cost:.2f} ms/frame, the floor beside it {near:.2f}", flush=True)
    finally:
        cameras.close()
    report.detail["floors, ms per frame"] = floors
    report.detail["scenes"] = spent
    for name, found in floors.items():
        if found:
            report.add(f"floor: demuxing and decoding once, one thread ({name})", statistics.median(found), "ms/frame")
    for name in names:
        scene = SCENES[name]
        base = statistics.median(floors[scene.floor])
        cost = statistics.median(one["ms per frame"] for one in spent[name])
        report.add(f"{scene.name}: all processes", cost, "ms/frame")
        own = statistics.median(one["supervisor, ms per frame"] for one in spent[name])
        report.add(f"{scene.name}: of it the supervisor", own, "ms/frame")
        report.add(f"{scene.name}: all / floor", cost / base, "x floor", most=scene.most)
    for who, most in (("camera", 150.0), ("supervisor", None)):
        for kind in ("peak rss", "pss"):
            value = max(one[f"{who} {kind}"] for runs in spent.values() for one in runs)
            limit = most if kind == "peak rss" else None
            report.add(f"memory of the {who}'s process, {kind}", value, "MB", most=limit)


def run_scene(scene: Scene, cameras: ReplayServer, options: Options, redis: RedisServer) -> dict[str, float]:
    """Run capture over a scene once, and return what it cost."""
    settings = {"RTSP_URL": cameras.url(scene.floor), "MOTION_DECODE": "keyframes" if scene.keyframes else "all"}
    if scene.sub:
        table = options.work / "cameras.toml"
        table.write_text(f'[cam1]\nurl = "{cameras.url(scene.floor)}"\ndetect_url = "{cameras.url("sub")}"\n')
        settings = {"CAMERAS_FILE": str(table)}
    with capture(options, redis, settings) as running:
        running.ready(2 if scene.sub else 1)
        time.sleep(WARM_UP_S)
        sent, cpu = cameras.counts()[scene.floor]["sent"], running.cpu()
        recorded, samples = 0.0, []
        until = time.monotonic() + options.seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(MEMORY_EVERY_S, left))
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
        "ms per frame": 1000 * spent.total / frames,
        "supervisor, ms per frame": 1000 * spent.supervisor / frames,
        "clips": clips,
        "skipped frames": skipped,
        **{key: max(one[key] for one in samples) for key in samples[0]},
    }
