"""A program that a benchmark runs, observed from outside: its log, CPU time, memory."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from devtools.paths import program_env
from devtools.redis_server import RedisServer

START_TIMEOUT_S = 40.0


class Program:
    """A running program of ours, measured from outside.

    Args:
        folder: where it runs and its log is; made here.
        arguments: of Python.
        redis: where its Redis is.
        settings: its environment, beside that.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], redis: RedisServer, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._name = " ".join(arguments)
        self._log = folder / "program.log"
        environment = program_env({**redis.env, **settings})
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments], cwd=folder, env=environment, stdout=log, stderr=log
            )
        self.root = psutil.Process(self._process.pid)

    @property
    def text(self) -> str:
        """The log so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Wait until the log holds `pattern` so many times."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(re.findall(pattern, self.text)) < count:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"{self._name} did not log {pattern!r}:\n{self.text}")
            time.sleep(0.1)

    def close(self) -> None:
        """End it as an operator would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process so far, without its children's: they are measured one by one."""
    times = process.cpu_times()
    return float(times.user + times.system)


def memory_mb(process: psutil.Process) -> dict[str, float]:
    """Return MB of a process: resident and proportional now, resident at most."""
    full = process.memory_full_info()
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    peak = int(found[1]) * 1024 if found else full.rss
    return {"rss": full.rss / 1e6, "pss": full.pss / 1e6, "peak rss": peak / 1e6}
