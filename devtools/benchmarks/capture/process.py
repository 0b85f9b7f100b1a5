"""A running capture, observed from outside: CPU time, memory, metrics, pictures."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools.benchmarks.program import Program, cpu_s, memory_mb
from devtools.ports import free_port
from devtools.redis_server import RedisServer

WARM_UP_S = 10.0
"""After the connection: the background is learnt, the first clip is open, the ring is full."""


@dataclass(frozen=True)
class Options:
    """How long to measure; folders."""

    seconds: float
    rounds: int
    minutes: float
    streams: Path
    work: Path


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


class Capture(Program):
    """A running ``python -m vcam_worker``."""

    def __init__(self, folder: Path, redis: RedisServer, settings: Mapping[str, str]) -> None:
        self.video = Path(settings.get("VIDEO_DIR", folder / "video"))
        self._port = int(settings.get("HTTP_PORT", free_port()))
        self.url = f"http://127.0.0.1:{self._port}"
        ours = {"VIDEO_DIR": str(self.video), "HTTP_PORT": str(self._port), "MIN_FREE_GB": "0"}
        super().__init__(folder, ["-m", "vcam_worker"], redis, {**ours, **settings})
        self._cameras: list[psutil.Process] = []
        self._helpers: list[psutil.Process] = []

    def ready(self, connections: int = 1) -> None:
        """Wait until everything is connected, and find the processes."""
        self.wait_for("connected to", connections)
        self.find_processes()

    def find_processes(self) -> None:
        children = self.root.children(recursive=True)
        self._cameras = [one for one in children if any("spawn_main" in word for word in one.cmdline())]
        self._helpers = [one for one in children if one not in self._cameras]

    def cpu(self) -> Cpu:
        return Cpu(sum(map(cpu_s, [self.root, *self._helpers])), sum(map(cpu_s, self._cameras)))

    def memory(self) -> dict[str, float]:
        """Return MB: resident and proportional now, resident at most; the cameras' largest and the supervisor's."""
        cameras = [memory_mb(one) for one in self._cameras]
        found = {f"camera {key}": max(one[key] for one in cameras) for key in cameras[0]}
        return found | {f"supervisor {key}": value for key, value in memory_mb(self.root).items()}

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
