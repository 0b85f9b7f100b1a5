"""From the first frame that shows a person to the ``seen`` event on the stream, with all programs as users run them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil

from devtools.benchmarks.capture.process import Capture
from devtools.benchmarks.live.latency_plot import draw
from devtools.benchmarks.live.options import Options
from devtools.benchmarks.live.outcomes import Heard, Outcome, clips_per_minute, judge, late_share, summary
from devtools.benchmarks.live.passages import FPS, Programme, ensure_stream, programme
from devtools.benchmarks.program import Program, cpu_s, memory_mb
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import MOVING, ensure
from devtools.ports import free_port
from devtools.redis_server import RedisServer, running_redis
from devtools.rtsp.replay import ReplayServer
from shared_utils.contracts.detections_log import log_path
from shared_utils.contracts.json_lines import read_objects
from shared_utils.queue.event_stream import EventReader
from shared_utils.queue.jobs import clip_queue, submit

CAMERA = "cam1"
MEDIAN_S, WORST_S = 1.5, 2.5
BUSY = 2.0
"""Times as much, while a worker is busy with clips."""
CLIP_NAME = "20260101-000000-bench.mp4"
JOBS = 1000
"""More than a worker finishes meanwhile."""
ALONE_S = 60.0
"""Time in which the clips' worker is measured without the live worker; shorter with few passages."""
TAIL_FRAMES = 4 * FPS
"""After the last passage, in which its event may come."""
TICK_S = 0.5


@dataclass(frozen=True)
class Condition:
    """A way to measure.

    Attributes:
        title: for people.
        is_busy: a worker analyses clips meanwhile.
        factor: what times may be, of those without.
        share: of the passages.
    """

    name: str
    title: str
    is_busy: bool = False
    factor: float = 1.0
    share: float = 1.0


CONDITIONS = (
    Condition("idle", "seen live"),
    Condition("busy", "seen live beside a busy worker", is_busy=True, factor=BUSY, share=0.5),
)


def bench_latency(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure both conditions; draw their distributions where that is asked for."""
    del redis  # each condition has one of its own, whose queue and stream are empty
    plan = programme(options.passages)
    stream = ensure_stream(plan, options.streams)
    found: dict[str, list[Outcome]] = {}
    for condition in CONDITIONS:
        measured = _measure(condition, plan, stream, options)
        found[condition.title] = measured.outcomes
        _report(report, condition, measured)
    if options.plot:
        limits = {one.title: (MEDIAN_S * one.factor, WORST_S * one.factor) for one in CONDITIONS}
        draw(found, limits, options.plot)
        print(f"drawn: {options.plot}", flush=True)


@dataclass(frozen=True)
class Measured:
    """What one condition gave.

    Attributes:
        outcomes: of each passage.
        late: share of the frames that the camera itself sent late.
        live_cores, capture_cores: shares of a core.
        live_mb: memory of the live worker, PSS, after a third of the passages, and at the end.
        with_live, without_live: clips per minute; None where no worker was busy.
        log: the live worker's.
    """

    outcomes: list[Outcome]
    late: float
    live_cores: float
    capture_cores: float
    live_mb: tuple[float, float]
    with_live: float | None
    without_live: float | None
    log: str


def _report(report: Report, condition: Condition, measured: Measured) -> None:
    outcomes, title = measured.outcomes, condition.title
    report.detail[f"latency, {condition.name}"] = {**asdict(measured), "log": measured.log.splitlines()[-200:]}
    found = summary(outcomes)
    report.add(f"{title}: passages", len(outcomes), "")
    report.add("  of them seen", found.seen, "", least=len(outcomes))
    report.add("  of them seen more than once", found.doubled, "", most=0, target="none")
    if found.seen:
        report.add("  first frame to event: median", found.median_s, "s", most=MEDIAN_S * condition.factor)
        report.add("  90 % within", found.p90_s, "s")
        report.add("  worst", found.worst_s, "s", most=WORST_S * condition.factor)
        report.add("  of the median: until capture reports motion", found.motion_s, "s")
        report.add("  until the frame that decides is taken", found.decided_s, "s")
        report.add("  from that frame to the event", found.reported_s, "s")
    report.add("  frames that the camera itself sent late: the machine was too busy", 100 * measured.late, "%")
    report.add("  live worker", 100 * measured.live_cores, "% of a core")
    report.add("  capture", 100 * measured.capture_cores, "% of a core")
    report.add("  memory of the live worker, from", measured.live_mb[0], "MB")
    report.add("  to", measured.live_mb[1], "MB")
    if measured.with_live is not None and measured.without_live is not None:
        report.add("clips per minute of the busy worker, beside live", measured.with_live, "")
        report.add("  without the live worker", measured.without_live, "")
        report.add("  with / without", measured.with_live / measured.without_live, "x")


def _measure(condition: Condition, plan: Programme, stream: Path, options: Options) -> Measured:
    folder = options.work / f"latency-{condition.name}"
    video = folder / "video"
    video.mkdir(parents=True)
    passages = plan.passages[: max(1, round(condition.share * len(plan.passages)))]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = stack.enter_context(running_redis(folder / "redis"))
        cameras = ReplayServer({CAMERA: stream})
        stack.callback(cameras.close)
        heard = stack.enter_context(_listening(redis))
        common = {"VIDEO_DIR": str(video), "YOLO_MODEL": str(options.model), "LOG_FORMAT": "json"}
        if condition.is_busy:
            _start_busy_worker(stack, folder, video, redis, common, options)
        port = free_port()
        # the live worker first, as its model takes longer to load than the stream's first passage is away
        live_settings = {**common, "CAPTURE_URL": f"http://127.0.0.1:{port}"}
        live = Program(folder / "live", ["-m", "video_worker", "live"], redis, live_settings)
        stack.callback(live.close)
        live.wait_for("live_ready")
        settings = {"RTSP_URL": cameras.url(CAMERA), "CAMERA_NAME": CAMERA, "VIDEO_DIR": str(video)}
        capture = Capture(folder / "capture", redis, {**settings, "HTTP_PORT": str(port)})
        stack.callback(capture.close)
        capture.ready()
        live.wait_for("live_camera_served")
        if len(cameras.sent_at(CAMERA)) >= plan.passages[0].appears:
            raise RuntimeError("the machine is too busy: the first passage came before the live worker was ready")
        began, cpu = time.time(), (cpu_s(live.root), capture.cpu().total)
        _wait_frames(cameras, passages[len(passages) // 3].ends, [live, capture])
        start_mb = memory_mb(live.root)["pss"]
        _wait_frames(cameras, passages[-1].ends + TAIL_FRAMES, [live, capture])
        ended, seconds = time.time(), time.time() - began
        end_mb = memory_mb(live.root)["pss"]
        shares = (cpu_s(live.root) - cpu[0]) / seconds, (capture.cpu().total - cpu[1]) / seconds
        sent_at, log = cameras.sent_at(CAMERA), live.text
        with_live = without_live = None
        own = [one for one in heard if one.arrived < ended]
        if condition.is_busy:
            live.close()
            alone = time.time()
            time.sleep(min(ALONE_S, seconds))
            with_live = clips_per_minute(_finished(video), began, ended)
            without_live = clips_per_minute(_finished(video), alone, time.time())
    outcomes = judge(passages, sent_at[: passages[-1].ends + TAIL_FRAMES], own)
    late = late_share(sent_at)
    return Measured(outcomes, late, *shares, (start_mb, end_mb), with_live, without_live, log)


def _wait_frames(cameras: ReplayServer, count: int, programs: list[Program]) -> None:
    """Wait until so many frames are sent.

    Raises:
        RuntimeError: capture connected again, which begins the stream anew, or a program has ended.
    """
    while len(cameras.sent_at(CAMERA)) < count:
        if cameras.counts()[CAMERA]["clients"] > 1:
            raise RuntimeError("capture lost the camera")
        if any(not one.root.is_running() or one.root.status() == psutil.STATUS_ZOMBIE for one in programs):
            raise RuntimeError("a program has ended:\n" + "\n".join(one.text[-3000:] for one in programs))
        time.sleep(TICK_S)


@contextmanager
def _listening(redis: RedisServer) -> Iterator[list[Heard]]:
    """Collect all events, with the moment at which each came, while the block runs."""
    heard: list[Heard] = []
    stopped = threading.Event()

    def listen() -> None:
        with EventReader(redis.settings, after="0") as reader:
            while not stopped.is_set():
                events = reader.read(TICK_S)
                heard.extend(Heard(time.time(), event) for event in events)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        stopped.set()
        thread.join(10)


def _start_busy_worker(
    stack: ExitStack, folder: Path, video: Path, redis: RedisServer, settings: dict[str, str], options: Options
) -> None:
    """Start a worker with more clips than it can analyse meanwhile, and wait until it is at work."""
    shutil.copyfile(ensure(MOVING, options.streams), video / CLIP_NAME)
    queue = clip_queue(redis.settings, redis.connection())
    for _ in range(JOBS):
        submit(CLIP_NAME, queue=queue)
    worker = Program(folder / "worker", ["-m", "video_worker"], redis, settings)
    stack.callback(worker.close)
    deadline = time.monotonic() + 120
    while not _finished(video):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the worker analysed no clip:\n{worker.text}")
        time.sleep(TICK_S)


def _finished(video: Path) -> list[float]:
    """Return when each clip was analysed, seconds since the epoch."""
    path = log_path(video)
    if not path.exists():
        return []
    return [datetime.fromisoformat(str(line["timestamp"])).timestamp() for line in read_objects(path) if line.get("ok")]
