"""Cameras on real sockets for tests: the emulator's, and GStreamer's RTSP server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from devtools.paths import ROOT
from tests.support.programs import Program, Programs

GST_PYTHON = "/usr/bin/python3"


def emulator(programs: Programs, footage: Path, url: str) -> Program:
    """Start an emulated camera that shows `footage` again and again."""
    camera = programs.python("-m", "camera_emulator", "--source", str(footage), "--url", url)
    camera.wait_for("ready")
    return camera


def capture(programs: Programs, env: dict[str, str], url: str, **more: str) -> Program:
    """Start capture for the camera at one URL."""
    return programs.python("-m", "vcam_worker", env={**env, "RTSP_URL": url, **more})


def camera_processes(program: Program) -> list[psutil.Process]:
    """Return the processes of a running capture's cameras."""
    return [child for child in psutil.Process(program.process.pid).children() if _is_camera(child)]


def _is_camera(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it ended since it was listed; a zombie counts as well
        return False


def file_launch(footage: Path, codec: str = "h264") -> str:
    """Return the GStreamer pipeline that serves an MP4 file once, at its own pace."""
    return f"filesrc location={footage} ! qtdemux ! {codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96"


def gst_command(launch: str, *options: str) -> list[str]:
    """Return the command of GStreamer's RTSP server, which says "ready PORT"; the test is skipped without it."""
    check = [GST_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"]
    try:
        subprocess.run(check, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        message = "GStreamer's RTSP server is not installed (gir1.2-gst-rtsp-server-1.0, python3-gi)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return [GST_PYTHON, str(ROOT / "tests/support/network/gst_rtsp_server.py"), "--launch", launch, *options]


def gst_server(programs: Programs, launch: str, *options: str) -> int:
    """Start GStreamer's RTSP server; return its port. Its URL is rtsp://127.0.0.1:PORT/test."""
    server = programs.start(*gst_command(launch, *options))
    return int(server.wait_for(r"ready (\d+)")[1])
