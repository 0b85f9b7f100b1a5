"""Programs under test as real processes, whose output can be waited for."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devtools.log_lines import line_of
from devtools.paths import ROOT
from shared_utils.log import LogMessage

WAIT_S = 30.0
INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


class Program:
    """A started program; stdout and stderr are gathered line by line."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None, folder: Path = ROOT) -> None:
        clean = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**clean, "PYTHONUNBUFFERED": "1", "PYTHON_DOTENV_DISABLED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            self.lines.extend(line.rstrip() for line in iter(output.readline, ""))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str | LogMessage, seconds: float = WAIT_S, count: int = 1) -> re.Match[str]:
        """Wait until `count` lines match `pattern`, or are of a message; return the last one's match."""
        if isinstance(pattern, LogMessage):
            pattern = line_of(pattern)
        deadline = time.monotonic() + seconds
        while True:
            found = [match for line in list(self.lines) if (match := re.search(pattern, line))]
            if len(found) >= count:
                return found[count - 1]
            if time.monotonic() > deadline or (self.process.poll() is not None and not self._reader.is_alive()):
                raise AssertionError(f"no line matches {pattern!r} ({count} times) in:\n{self.text}")
            time.sleep(0.02)

    def count(self, message: LogMessage) -> int:
        """Return how many lines of a message there are so far."""
        return sum(re.search(line_of(message), line) is not None for line in list(self.lines))

    def stop(self, number: int = signal.SIGTERM, seconds: float = WAIT_S) -> int:
        """Send a signal, wait for the end, return the exit code."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = WAIT_S) -> int:
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def end(self) -> None:
        """Kill it with everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(WAIT_S)


class Programs:
    """Starts programs, and ends all of them."""

    def __init__(self) -> None:
        self._started: list[Program] = []

    def start(self, *command: str, env: Mapping[str, str] | None = None, folder: Path = ROOT) -> Program:
        program = Program(command, env, folder)
        self._started.append(program)
        return program

    def python(self, *arguments: str, env: Mapping[str, str] | None = None, folder: Path = ROOT) -> Program:
        """Start this environment's Python with `arguments`, such as ``-m vcam_worker``."""
        return self.start(sys.executable, *arguments, env=env, folder=folder)

    def end(self) -> None:
        for program in reversed(self._started):
            program.end()
