"""The command line: one clear line and the right exit code for each wrong use, and a quick clean end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

RunEmulator = Callable[..., subprocess.CompletedProcess[str]]

RTSP = "rtsp://127.0.0.1:1/stream"  # never bound: these uses fail before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "scene", "--url", "ftp://127.0.0.1/x"], ["--url", "rtsp://"]),
        (["--source", "scene", "--url", "rtsp://127.0.0.1:8554/other"], ["--url", "/stream"]),
        (["--source", "scene", "--url", "http://127.0.0.1:8554/"], ["--url", "/video"]),
        (["--source", "scene", "--url", "rtsp://127.0.0.1:99999/stream"], ["--url", "Port out of range"]),
        (["--source", "scene", "--url", "rtsp://me:secret@127.0.0.1:8554/stream"], ["--url", "password"]),
        (["--source", "scene", "--url", "rtsp://no-such-host.invalid:8554/stream"], ["--url", "no-such-host.invalid"]),
        (["--source", "scene", "--url", "rtsp://[::1]:8554/stream"], ["--url", "IPv4"]),
        (["--source", "missing.mp4", "--url", RTSP], ["--source", "missing.mp4"]),
        (["--source", "pyproject.toml", "--url", RTSP], ["--source", "pyproject.toml", "video"]),
        (["--source", "/dev/video97", "--url", RTSP], ["--source", "/dev/video97"]),
        (["--source", "scene", "--url", RTSP, "--size", "huge"], ["--size", "1280x720"]),
        (["--source", "scene", "--url", RTSP, "--size", "641x360"], ["--size", "even"]),
        (["--source", "scene", "--url", RTSP, "--fps", "0"], ["--fps", "60"]),
        (["--source", "pyproject.toml", "--url", RTSP, "--fps", "5"], ["--fps", "leave it out"]),
        (["--source", "pyproject.toml", "--url", RTSP, "--seed", "5"], ["--seed", "leave it out"]),
        (["--source", "scene", "--url", RTSP, "--once"], ["--once", "leave it out"]),
        (["--source", "scene"], ["--url"]),
    ],
)  # fmt: skip
def test_wrong_use(arguments: list[str], words: list[str], run_emulator: RunEmulator) -> None:
    done = run_emulator(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "secret" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1:{port}/stream", "http://127.0.0.1:{port}/video"])
def test_busy_port(url: str, run_emulator: RunEmulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_emulator("--source", "scene", "--size", "320x180", "--url", url.format(port=port))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"port {port} is in use" in done.stderr


def test_a_webcam_that_is_not_there(run_emulator: RunEmulator) -> None:
    done = run_emulator("--source", "webcam:97", "--url", RTSP)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "webcam 97" in done.stderr


def test_a_foreign_address(run_emulator: RunEmulator) -> None:
    done = run_emulator("--source", "scene", "--size", "320x180", "--url", "rtsp://192.0.2.7:8554/stream")
    assert done.returncode == 2
    assert "no address of this machine" in done.stderr


def test_help(run_emulator: RunEmulator) -> None:
    done = run_emulator("--help")
    assert done.returncode == 0
    for word in ("--source", "--url", "--seed", "rtsp://127.0.0.1:8554/stream", "http://0.0.0.0:8080/video"):
        assert word in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("url", ["rtsp://127.0.0.1:{port}/stream", "http://localhost:{port}/video"])
def test_a_signal_ends_it_soon_and_well(url: str, number: int, start_camera: Callable, free_port: int) -> None:
    camera = start_camera("scene", url.format(port=free_port), "--size", "320x180", "--fps", "5")
    assert camera.ready == f"camera ready: {camera.url} (scene, 320x180, 5 fps)"
    started = time.monotonic()
    assert camera.end(number) == os.EX_OK
    assert time.monotonic() - started < 2.0
    assert camera.process.stderr.read() == ""


def test_once_ends_by_itself(write_video: Callable[..., Path], start_camera: Callable, free_port: int) -> None:
    path = write_video("short.mp4", range(0, 400, 40), size=(160, 120))
    camera = start_camera(str(path), f"http://127.0.0.1:{free_port}/video", "--once")
    assert camera.process.wait(10) == 0
