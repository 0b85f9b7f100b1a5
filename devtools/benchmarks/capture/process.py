"""A running capture, observed from outside: CPU time, memory, metrics, pictures."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools.paths import program_env
from devtools.ports import free_port
from devtools.redis_server import RedisServer

WARM_UP_S = 10.0
"""After the connection: the background is learnt, the first clip is open, the ring is full."""
START_TIMEOUT_S = 40.0


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


class Capture:
    """A running ``python -m vcam_worker``, measured from outside."""

    def __init__(self, folder: Path, redis: RedisServer, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        self.video = folder / "video"
        self._port = free_port()
        self._log = folder / "capture.log"
        environment = program_env(
            {
                **redis.env,
                "VIDEO_DIR": str(self.video),
                "HTTP_PORT": str(self._port),
                "MIN_FREE_GB": "0",
                **settings,
            }
        )
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
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(re.findall(pattern, self.text)) < count:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"capture did not log {pattern!r}:\n{self.text}")
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
    # without its children's: they are measured one by one
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
