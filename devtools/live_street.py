"""The drawn street, watched live: an emulated camera, capture and the live worker, for notebooks and tests."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from devtools.paths import ROOT, SCENE_MODEL, program_env
from devtools.ports import free_port
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.events import events_log_path, read_events
from shared_utils.queue.live_boxes import BoxesReader

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.2


class StreetDidNotStart(Exception):
    """A part of it ended, or nothing was seen in time."""


@contextmanager
def live_street(folder: Path, video_dir: Path, redis: Mapping[str, str], camera: str = "cam1") -> Iterator[str]:
    """Run it until the block ends; yield the URL of capture, once something was seen live.

    Args:
        folder: for the programs' output.
        video_dir: the shared volume.
        redis: settings of a Redis, as an environment.
        camera: its name.

    Raises:
        StreetDidNotStart: nothing was seen in time.
    """
    stream, capture = f"rtsp://127.0.0.1:{free_port()}/stream", f"http://127.0.0.1:{(port := free_port())}"
    settings = {**redis, "VIDEO_DIR": str(video_dir), "RTSP_URL": stream, "CAMERA_NAME": camera, "CAPTURE_URL": capture}
    settings |= {"HTTP_PORT": str(port), "LIVE_OBJECTS": "on"}
    settings |= {"MODELS_DIR": str(SCENE_MODEL.parent), "YOLO_MODEL": SCENE_MODEL.name}
    with (folder / "street.log").open("ab") as log, ExitStack() as running:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments], env=program_env(settings), stdout=log, stderr=log, cwd=ROOT
            )
            running.callback(_end, process)
            return process

        parts = [
            start("camera_emulator", "--source", "scene", "--url", stream),
            start("vcam_worker"),
            start("video_worker", "live"),
        ]
        _wait(lambda: _answers(capture), parts)
        with BoxesReader(RedisSettings.from_env(redis), camera) as boxes:
            # a live worker that finds somebody in front of the camera, and has reported it
            _wait(lambda: any(one.boxes for one in boxes.read(POLL_S)), parts)
        _wait(lambda: any(event.picture for event in read_events(events_log_path(video_dir))), parts)
        yield capture


def _wait(true: Callable[[], bool], parts: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not true():
        if time.monotonic() > deadline or any(part.poll() is not None for part in parts):
            raise StreetDidNotStart("the street does not live: see street.log")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/info", timeout=POLL_S):
            return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
