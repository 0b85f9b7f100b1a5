"""Real parts for the emulator's tests: its own process, real sockets, videos made in code."""

from __future__ import annotations

import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from devtools.paths import ROOT

READY_TIMEOUT_S = 20.0
END_TIMEOUT_S = 10.0
_MILLI = Fraction(1, 1000)


@dataclass
class Camera:
    """A running emulator: ``ready`` is the line it printed when it could be watched."""

    process: subprocess.Popen[str]
    url: str
    ready: str

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(END_TIMEOUT_S)


def emulator_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "camera_emulator", *arguments]


@pytest.fixture
def run_emulator() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command to its end, for uses that end by themselves."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            emulator_command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )

    return run


@pytest.fixture
def start_camera() -> Iterator[Callable[..., Camera]]:
    """Start emulators that live until the test is over."""
    processes: list[subprocess.Popen[str]] = []

    def start(source: str, url: str, *options: str) -> Camera:
        process = subprocess.Popen(
            emulator_command("--source", source, "--url", url, *options),
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return Camera(process, url, _first_line(process))

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _first_line(process: subprocess.Popen[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    stdout = process.stdout
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    line = lines.get(timeout=READY_TIMEOUT_S).strip()
    if not line:
        assert process.stderr is not None
        pytest.fail(f"the emulator ended at once: {process.stderr.read()}")
    return line


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Write a video whose picture number n is grey level 10 n, times from ``ticks`` in 1/1000 s."""

    def write(name: str, ticks: Sequence[int], size: tuple[int, int] = (64, 48), codec: str = "libx264") -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = _MILLI
            stream.bit_rate = 4_000_000
            for number, tick in enumerate(ticks):
                image = np.full((size[1], size[0], 3), 10 * (number % 25), np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts, frame.time_base = tick, _MILLI
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write
