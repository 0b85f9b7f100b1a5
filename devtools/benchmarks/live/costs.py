"""What clients cost capture: its CPU with them minus without them, by turns in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from devtools.benchmarks.capture.process import WARM_UP_S, Capture, capture
from devtools.benchmarks.capture.scenes import floor
from devtools.benchmarks.live.clients import clients
from devtools.benchmarks.live.options import Options
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import MOVING, STILL, SUB, ensure
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer

VIEWERS = 10
VIEWERS_SHARE = 10.0
"""Of a core, percent: what ten viewers of a 4 Mb/s stream may cost."""
SETTLE_S = 4.5
"""After clients have come or gone: a subscription outlives its last client by 2 s, and decoders change at keyframes,
which come every 2 s."""


@dataclass(frozen=True)
class Way:
    """A way to run capture while somebody reads its frames.

    Attributes:
        name: for people.
        most: of one full decode, what frames at 2 per second may cost.
        camera: of the main stream.
        sub: a sub-stream is watched.
        keyframes: only keyframes are decoded for motion.
    """

    name: str
    most: float
    camera: str = "still"
    sub: bool = False
    keyframes: bool = False


WAYS = (
    Way("main stream watched", 0.35),
    # while a clip is open, motion decides nothing, and nothing is decoded for it
    Way("main stream watched, a clip open", 1.1, camera="moving"),
    Way("sub-stream watched", 1.1, camera="moving", sub=True),
    Way("MOTION_DECODE=keyframes", 1.1, keyframes=True),
)


def bench_viewers(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure ten viewers of live video."""
    cameras = ReplayServer({"still": ensure(STILL, options.streams)})
    try:
        with capture(options, redis, {"RTSP_URL": cameras.url("still")}) as running:
            running.ready()
            time.sleep(WARM_UP_S)
            turns = _by_turns(running, f"{running.url}/live/cam1.mp4", VIEWERS, options)
    finally:
        cameras.close()
    report.detail["viewers"] = turns
    report.add(f"{VIEWERS} viewers of 4 Mb/s: bytes they got", turns.megabits, "Mb/s", least=0.9 * 4 * VIEWERS)
    report.add(f"{VIEWERS} viewers of 4 Mb/s: extra CPU", 100 * turns.extra, "% of a core", most=VIEWERS_SHARE)
    report.add("  least and most of the rounds", 100 * min(turns.extras), "% of a core")
    report.add("", 100 * max(turns.extras), "% of a core")


def bench_frames(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure one reader of two frames per second, in each way to watch a camera."""
    paths = {"still": ensure(STILL, options.streams), "moving": ensure(MOVING, options.streams)}
    cameras = ReplayServer({**paths, "sub": ensure(SUB, options.streams)})
    try:
        for way in WAYS:
            before = floor(paths[way.camera])
            with capture(options, redis, _settings(way, cameras, options)) as running:
                running.ready(2 if way.sub else 1)
                time.sleep(WARM_UP_S)
                turns = _by_turns(running, f"{running.url}/frames/cam1?fps=2", 1, options)
            base = statistics.mean([before, floor(paths[way.camera])])
            report.detail[f"frames, {way.name}"] = {"floor, ms per frame": base, "turns": turns}
            decode = base / 1000 * STILL.fps  # of a core
            report.add(f"frames at 2/s, {way.name}: / one full decode", turns.extra / decode, "x floor", most=way.most)
            report.add("  extra CPU", 100 * turns.extra, "% of a core")
    finally:
        cameras.close()


def _settings(way: Way, cameras: ReplayServer, options: Options) -> dict[str, str]:
    if not way.sub:
        return {"RTSP_URL": cameras.url(way.camera), "MOTION_DECODE": "keyframes" if way.keyframes else "all"}
    table = options.work / "cameras.toml"
    table.write_text(f'[cam1]\nurl = "{cameras.url(way.camera)}"\ndetect_url = "{cameras.url("sub")}"\n')
    return {"CAMERAS_FILE": str(table)}


@dataclass(frozen=True)
class Turns:
    """Shares of a core that capture took, without clients and with them, by turns; it begins and ends without.

    Attributes:
        without: one more than `with_clients`.
        megabits: what all clients got together, per second.
    """

    without: Sequence[float]
    with_clients: Sequence[float]
    megabits: float

    @property
    def extras(self) -> list[float]:
        """Of each turn with clients, what it cost beyond the mean of the two beside it."""
        pairs = zip(self.without, self.without[1:], strict=False)
        return [cost - (before + after) / 2 for cost, (before, after) in zip(self.with_clients, pairs, strict=True)]

    @property
    def extra(self) -> float:
        """The median of them."""
        return statistics.median(self.extras)


def _by_turns(running: Capture, url: str, count: int, options: Options) -> Turns:
    without, with_clients, rates = [_share(running, options.seconds)], [], []
    for _ in range(max(2, options.rounds)):
        with clients(url, count) as found:
            time.sleep(SETTLE_S)
            began, before = time.monotonic(), sum(one.received for one in found)
            with_clients.append(_share(running, options.seconds))
            rates.append((sum(one.received for one in found) - before) * 8 / 1e6 / (time.monotonic() - began))
            if not all(one.is_open for one in found):
                raise RuntimeError("a client was cut off")
        time.sleep(SETTLE_S)
        without.append(_share(running, options.seconds))
    return Turns(without, with_clients, statistics.median(rates))


def _share(running: Capture, seconds: float) -> float:
    """Return which share of a core all processes of capture take."""
    cpu, began = running.cpu(), time.monotonic()
    time.sleep(seconds)
    return (running.cpu() - cpu).total / (time.monotonic() - began)
