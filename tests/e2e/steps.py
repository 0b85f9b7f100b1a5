"""What several of these tests do with the running project."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

from devtools.compose import wait_for
from tests.e2e.incident import Running

_SUBMIT = """
import json, sys
from shared_utils.queue.jobs import submit
print(submit(sys.argv[1], **json.loads(sys.argv[2])).id)
"""
_EVENTS = """
import json, os
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import event_to_dict
from shared_utils.queue.event_stream import EventReader
with EventReader(RedisSettings.from_env(os.environ), after="0") as reader:
    while found := reader.read(0):
        for event in found:
            print(json.dumps(event_to_dict(event)))
"""
PAGE_TIMEOUT_S = 5
CLIP_TIMEOUT_S = 60.0
"""Longest until a camera that sees motion has a clip open, or saved."""


def submit(running: Running, filename: str, **options: object) -> str:
    """Submit a clip from inside the Jupyter container, as a notebook does; return the job's id."""
    job = running.project.python("jupyter", _SUBMIT, filename, json.dumps(options)).split()[-1]
    running.jobs.append(job)
    return job


def events(running: Running) -> list[dict[str, Any]]:
    """Return what is on the event stream, as a program in the Jupyter container reads it."""
    lines = running.project.python("jupyter", _EVENTS).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def add_yard(running: Running) -> None:
    """Have capture record a second camera, in front of which something always moves; the first one's clip is closed."""
    project = running.project
    if running.watched:
        return
    cameras = project.folder / "cameras.toml"
    cameras.write_text(
        f'[street]\nurl = "{project.secrets.camera_url("camera")}"\n'
        f'[yard]\nurl = "{project.secrets.camera_url("camera-yard")}"\n'
    )
    project.give(cameras)
    work = project.video / ".recording"
    wait_for(lambda: list(work.glob("street.*")), CLIP_TIMEOUT_S, "an open clip")
    project.compose("stop", "capture")
    project.keep_logs("capture")
    assert not list(work.iterdir())
    serve = ("python", "-m", "camera_emulator", "--source", "/yard.mp4", "--url", "rtsp://0.0.0.0:8554/stream")
    yard = {
        "extends": {"file": str(project.compose_file), "service": "camera"},
        "image": project.image("capture"),
        "command": list(serve),
        "volumes": [f"{project.folder}/yard.mp4:/yard.mp4:ro"],
    }
    project.configure({"CAMERAS_FILE": str(cameras)}, {"camera-yard": yard})
    project.up()
    running.watched = "yard"
    wait_for(
        lambda: running.auditor.reaches("yard", time.time() - CLIP_TIMEOUT_S), CLIP_TIMEOUT_S, "a clip of the yard"
    )


def page(running: Running, service: str, port: int, path: str) -> bytes:
    """Return a page of a service as the host sees it."""
    address = running.project.compose("port", service, str(port)).strip()
    with urllib.request.urlopen(f"http://{address}{path}", timeout=PAGE_TIMEOUT_S) as answer:
        content: bytes = answer.read()
    return content


def running_cameras(running: Running) -> set[str]:
    """Return the cameras that capture has a picture of; none while it does not answer."""
    try:
        text = page(running, "capture", 8080, "/metrics").decode()
    except OSError:
        return set()
    return set(re.findall(r'^vcam_camera_state\{camera="([^"]+)",state="running"\} 1', text, re.MULTILINE))


def job_status(running: Running, job: str) -> dict[str, Any]:
    """Return a job's status and progress as Redis has them."""
    status = running.project.redis("hget", f"rq:job:{job}", "status")
    meta = running.project.redis("hget", f"rq:job:{job}", "meta")
    return {"status": status, **(json.loads(meta) if meta else {})}
