"""The worker's benchmark: a table for people and JSON for comparing, of one run on one machine.

::

    python -m devtools.benchmarks.worker [--model FILE.onnx] [--clip FILE] [--torch-python PYTHON] [--out FILE.json]

Times are the best of a few rounds; ratios compare figures of the same run, so that a slow machine spoils none.
The clip, where none is given, is drawn at 1080p: 30 s, 20 frames per second, H.264 of 4 Mb/s without B-frames.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import psutil

from devtools.benchmarks.report import Report, describe_machine
from devtools.paths import ROOT, SCENE_MODEL, program_env, shared_folder
from devtools.redis_server import RedisServer, running_redis
from shared_utils.contracts.job_options import Options
from shared_utils.media.frames import ClipReader
from shared_utils.queue.jobs import clip_queue, submit
from shared_utils.queue.rq_adapter.jobs import Job
from video_worker.engines.base import EngineChoice
from video_worker.models.detector import OnnxDetector
from video_worker.models.geometry import Letterbox
from video_worker.models.prepare import letterbox
from video_worker.models.registry import ModelRegistry
from video_worker.pipeline.analysis import Analyst, Task
from video_worker.pipeline.cores import share_of_cores
from video_worker.pipeline.run_names import RunNames

ROUNDS = 3
TORCH_ROUNDS = 2
JOB = "the whole job"
JOBS = 6
"""Clips that the workers of the scaling test share."""
WAIT_S = 600

TORCH_PROGRAM = """
import json, sys, time
from ultralytics import YOLO
weights, clip, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
import torch
torch.set_num_threads(threads)
model = YOLO(weights)
frames = 0
began = time.perf_counter()
for _ in model.predict(clip, stream=True, imgsz=640, conf=0.5, device="cpu", verbose=False):
    frames += 1
print(json.dumps({"seconds": time.perf_counter() - began, "frames": frames}))
"""


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the least seconds that `work` took."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that `work` took, by the clock and of all cores."""
    began, began_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - began_cpu


def draw_clip(path: Path) -> Path:
    """Encode 30 s of a moving picture with noise, 1080p at 20 frames per second, 4 Mb/s, no B-frames."""
    width, height, fps, seconds = 1920, 1080, 20, 30
    rng = np.random.default_rng(1)
    background = cv2.resize(rng.integers(40, 200, (34, 60, 3), dtype=np.uint8), (width, height))
    noise = [rng.normal(0, 3, (height, width, 1)).astype(np.int16) for _ in range(4)]
    options = {"bf": "0", "preset": "veryfast", "maxrate": "4M", "bufsize": "8M"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        stream.codec_context.gop_size = fps
        for number in range(fps * seconds):
            picture = background.astype(np.int16) + noise[number % 4]
            x = number * 3 % (width - 200)
            picture[400:800, x : x + 200] = (60, 90, 200)
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decode_once(clip: Path, threads: int) -> None:
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        for _ in container.decode(stream):
            pass


def analyst(model: Path, threads: int, kind: str) -> Analyst:
    store = ModelRegistry([model.parent], EngineChoice(kind, "CPU", threads), model)
    return Analyst(store, threads, lambda: datetime.now().astimezone())


def analyse(worker: Analyst, clip: Path, model: Path, fps: float, folder: Path) -> None:
    task = Task(clip, RunNames(clip.name, f"bench-{fps}", None), Options(model=model.name, fps=fps), None, folder)
    worker.analyse(task, lambda *_: None, lambda: False)


def bench_one_job(report: Report, clip: Path, model: Path, threads: int, kind: str, folder: Path) -> None:
    """The job against its bare parts."""
    with ClipReader(clip, 5, threads) as reader:
        facts = reader.facts
        fit = Letterbox.fit((facts.width, facts.height), 640, 32)
        pictures = [letterbox(frame.picture, fit) for frame in reader]
    detector = OnnxDetector.open(model, EngineChoice(kind, "CPU", threads))

    def infer() -> None:
        under_way: deque[Callable[[], object]] = deque()
        for picture in pictures:
            under_way.append(detector.infer(picture))
            if len(under_way) == detector.depth:
                under_way.popleft()()
        while under_way:
            under_way.popleft()()

    infer()
    worker = analyst(model, threads, kind)
    analyse(worker, clip, model, 5, folder)
    parts = {
        "decoding the clip once": lambda: decode_once(clip, threads),
        f"inference of {len(pictures)} sampled frames": infer,
        JOB: lambda: analyse(worker, clip, model, 5, folder),
    }
    # by turns, so that whatever else the machine does falls on all of them alike
    rounds = [[spent(work) for work in parts.values()] for _ in range(ROUNDS)]
    for name, times in zip(parts, zip(*rounds, strict=True), strict=True):
        report.add(name, min(wall for wall, _ in times), "s")
        report.add("  seconds of all cores", min(cpu for _, cpu in times), "s")
    decoding, inference, job = (report.value(name) for name in parts)
    report.add("the whole job / (decoding + inference)", job / (decoding + inference), "x", most=1.15)
    every = best(lambda: analyse(worker, clip, model, 0, folder), 1)
    report.add(f"the same, every frame ({facts.frames})", every, "s")
    report.add("every frame / the whole job", every / job, "x")


def bench_torch(
    report: Report, python: str, weights: Path, clip: Path, model: Path, threads: int, kind: str, folder: Path
) -> None:
    """What the replaced program did: every frame through ultralytics on PyTorch. By turns with the job."""
    worker = analyst(model, threads, kind)
    analyse(worker, clip, model, 5, folder)
    seconds, jobs = [], [report.value(JOB)]
    for _ in range(TORCH_ROUNDS):
        found = subprocess.run(
            [python, "-c", TORCH_PROGRAM, str(weights), str(clip), str(threads)],
            capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )  # fmt: skip
        seconds.append(json.loads(found.stdout.splitlines()[-1])["seconds"])
        jobs.append(best(lambda: analyse(worker, clip, model, 5, folder), 1))
    report.add("every frame through ultralytics on PyTorch", min(seconds), "s")
    report.add("PyTorch on every frame / the whole job", min(seconds) / min(jobs), "x", least=10)


def start_worker(server: RedisServer, folder: Path, model: Path, kind: str, threads: int) -> subprocess.Popen[str]:
    settings = {"VIDEO_DIR": str(folder), "YOLO_MODEL": str(model), "DETECTOR": kind, "THREADS": str(threads)}
    environment = program_env({**server.env, **settings})
    return subprocess.Popen(
        [sys.executable, "-m", "video_worker"], env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def wait_ready(process: subprocess.Popen[str]) -> None:
    for line in process.stderr or ():
        if "ready: " in line:
            return
    raise RuntimeError("the worker did not start")


def bench_workers(report: Report, clip: Path, model: Path, threads: int, kind: str, folder: Path) -> None:
    """Start-up, memory, and one worker against two."""
    (folder / "clip.mp4").write_bytes(clip.read_bytes())
    with running_redis(folder / "redis") as server:
        throughput = {}
        for count, share in ((1, threads), (2, max(1, threads // 2))):
            began = time.perf_counter()
            workers = [start_worker(server, folder, model, kind, share) for _ in range(count)]
            for worker in workers:
                wait_ready(worker)
            if count == 1:
                report.add("ready for the first job", time.perf_counter() - began, "s", most=3)
            throughput[count], memory = run_jobs(server, workers)
            report.add(f"memory of a worker, peak, {count} at work", memory, "MB", most=450)
            report.add(f"{JOBS} jobs by {count} worker(s) with {share} thread(s)", throughput[count], "s")
        report.add("2 workers / 1 worker, in jobs per second", throughput[1] / throughput[2], "x", least=1.0)


def run_jobs(server: RedisServer, workers: list[subprocess.Popen[str]]) -> tuple[float, float]:
    """Return seconds for the jobs, and the most memory a worker took, MB; ends the workers."""
    queue = clip_queue(server.settings, server.connection())
    warm = [submit("clip.mp4", queue=queue) for _ in workers]
    wait_done(warm)
    began = time.perf_counter()
    jobs = [submit("clip.mp4", queue=queue) for _ in range(JOBS)]
    memory = wait_done(jobs, [psutil.Process(worker.pid) for worker in workers])
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.terminate()
        worker.communicate()
    return seconds, memory


def wait_done(jobs: list[Job], processes: list[psutil.Process] | None = None) -> float:
    most, deadline = 0.0, time.monotonic() + WAIT_S
    while not all(job.is_finished for job in jobs):
        if any(job.is_failed for job in jobs) or time.monotonic() > deadline:
            raise RuntimeError("a job of the benchmark failed")
        most = max([most, *(process.memory_info().rss / 1e6 for process in processes or [])])
        time.sleep(0.05)
    return most


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench worker", description="The worker's benchmark.")
    shared = shared_folder() / "models" / "yolov8n.onnx"
    parser.add_argument("--model", type=Path, default=shared if shared.is_file() else SCENE_MODEL)
    parser.add_argument("--clip", type=Path, help="default: 30 s drawn at 1080p20")
    parser.add_argument("--detector", choices=("openvino", "onnxruntime"), default="openvino")
    parser.add_argument("--threads", type=int, default=share_of_cores(1))
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has ultralytics")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "worker.json")
    given = parser.parse_args(arguments)
    report = Report(machine={**describe_machine(), "model": given.model.name, "detector": given.detector})
    report.announce()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = given.clip or draw_clip(folder / "drawn.mp4")
        bench_one_job(report, clip, given.model, given.threads, given.detector, folder)
        weights = given.model.with_suffix(".pt")
        has_torch = subprocess.run([given.torch_python, "-c", "import ultralytics"], capture_output=True, check=False)
        if has_torch.returncode == 0 and weights.is_file():
            bench_torch(report, given.torch_python, weights, clip, given.model, given.threads, given.detector, folder)
        else:
            print("every frame through PyTorch: left out, as ultralytics or the .pt weights are not here")
        bench_workers(report, clip, given.model, given.threads, given.detector, folder)
    report.save(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
