"""Clients that come and go, thousands of them: capture's memory, files and threads must stay as they are."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from devtools.benchmarks.capture.process import WARM_UP_S, Capture, capture
from devtools.benchmarks.live.clients import Client, Refused, clients
from devtools.benchmarks.live.growth import Growth
from devtools.benchmarks.live.options import Options, PartMissing
from devtools.benchmarks.report import Report
from devtools.benchmarks.streams import SUB, ensure
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer

CAMERAS = 4
AT_ONCE = 8
RETRY_S = 0.3
VIDEO_SHARE = 0.3
"""Of the clients; the others read frames, of sizes and qualities that hardly two have in common: each subscribes."""
SAMPLES = 100
SETTLE_S = 5.0
"""After the last client: a subscription outlives it by 2 s."""


def bench_churn(report: Report, options: Options, redis: RedisServer) -> None:
    """Measure capture's memory over many clients."""
    names = [f"cam{number}" for number in range(1, CAMERAS + 1)]
    cameras = ReplayServer(dict.fromkeys(names, ensure(SUB, options.streams)))
    table = options.work / "cameras.toml"
    table.write_text("".join(f'[{name}]\nurl = "{cameras.url(name)}"\n' for name in names))
    try:
        with capture(options, redis, {"CAMERAS_FILE": str(table), "CAMERA_MEMORY_MB": "0"}) as running:
            running.ready(CAMERAS)
            time.sleep(WARM_UP_S)
            for url in (f"{running.url}/{path}" for name in names for path in (f"live/{name}.mp4", f"frames/{name}")):
                with clients(url):  # threads that the first client starts stay
                    pass
            time.sleep(SETTLE_S)
            before = _handles(running)
            crowd = Crowd(running, names, options.churns)
            crowd.serve()
            time.sleep(SETTLE_S)
            after = _handles(running)
    finally:
        cameras.close()
    samples = crowd.samples
    found = {"served": crowd.served, "refused": crowd.refused, "before": before, "after": after, "samples": samples}
    report.detail["churn"] = found
    report.add("clients that come and go: served", crowd.served, "", least=options.churns)
    report.add("  refused meanwhile, as there were too many sizes at once", crowd.refused, "")
    along = [one["clients"] for one in samples]
    for who in ("camera", "supervisor"):
        growth = Growth.of(along, [one[f"{who} pss"] for one in samples])
        growth.add_to(report, f"memory of the {who}'s process", "MB/1000", 1000)
    for what in ("files", "threads"):
        report.add(f"  {what} of the supervisor, after minus before", after[what] - before[what], "", most=2)


class Crowd:
    """Clients of live frames and live video, some at once; each leaves with the first bytes.

    Args:
        running: capture.
        cameras: their names.
        count: clients that are to be served.

    Attributes:
        served: who got something.
        refused: who was told to try again later: capture serves a few sizes of a camera at once.
        samples: of memory, by the number served.
    """

    def __init__(self, running: Capture, cameras: Sequence[str], count: int) -> None:
        self.served = self.refused = 0
        self.samples: list[dict[str, float]] = []
        self._running = running
        self._cameras = cameras
        self._count = count
        self._dice = random.Random(4)  # no secrets
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def serve(self) -> None:
        """Serve them all.

        Raises:
            RuntimeError: one of them was neither served nor refused.
        """
        self._sample()
        threads = [threading.Thread(target=self._clients, daemon=True) for _ in range(AT_ONCE)]
        for one in threads:
            one.start()
        while any(one.is_alive() for one in threads):
            time.sleep(0.2)
            if self.served >= len(self.samples) * self._count / SAMPLES:
                self._sample()
        self._sample()
        if self._error:
            raise RuntimeError(f"a client failed: {self._error}") from self._error

    def _sample(self) -> None:
        self.samples.append({"clients": self.served, **self._running.memory()})

    def _clients(self) -> None:
        while self.served < self._count and self._error is None:
            with self._lock:
                url = self._next_url()
            try:
                client = Client(url)
                try:
                    client.wait_first()
                finally:
                    client.close()
            except Refused:
                with self._lock:
                    self.refused += 1
                time.sleep(RETRY_S)
            except (OSError, RuntimeError, PartMissing) as error:
                self._error = error
            else:
                with self._lock:
                    self.served += 1

    def _next_url(self) -> str:
        camera = self._dice.choice(self._cameras)
        if self._dice.random() < VIDEO_SHARE:
            return f"{self._running.url}/live/{camera}.mp4"
        width, quality = self._dice.randrange(160, 640, 2), self._dice.randrange(40, 95)
        return f"{self._running.url}/frames/{camera}?fps=5&width={width}&quality={quality}"


def _handles(running: Capture) -> dict[str, int]:
    """Return open files and threads of the supervisor, which serves the clients; cameras open clips meanwhile."""
    return {"files": running.root.num_fds(), "threads": running.root.num_threads()}
