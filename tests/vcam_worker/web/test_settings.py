"""Capture's settings, and what reading them costs a camera's process."""

from __future__ import annotations

import subprocess
import sys

WEB_LIBRARIES = {"uvicorn", "starlette", "anyio", "h11", "prometheus_client"}


def test_a_camera_process_loads_no_web_server() -> None:
    """Each camera has a process of its own, which would hold 5 MB of it for nothing."""
    code = "import sys, vcam_worker.runtime.camera.process; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "vcam_worker.web.settings" in loaded
    assert not WEB_LIBRARIES & set(loaded)
