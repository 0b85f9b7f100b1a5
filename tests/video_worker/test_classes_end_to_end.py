"""Labels to report, from where people say so to what is reported: the setting, a camera, a job, a zone's task."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from devtools.rtsp.replay import ReplayServer
from shared_utils.config.job_options import options_from_env
from shared_utils.contracts.clips import list_clips, parse_clip_name
from shared_utils.contracts.detections_log import log_path, read_records
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.media.picture import Picture
from shared_utils.queue.jobs import clip_queue, submit
from tests.support.footage.video import noise_background, write_video
from tests.support.programs import Programs
from tests.support.worker_queue import burst
from tests.video_worker.conftest import SquareDetector, SquareModels, now
from vcam_worker import messages
from video_worker.jobs import WorkerContext
from video_worker.models.postprocess import Detections
from video_worker.models.registry import LoadedModel, ModelTask
from video_worker.pipeline.analysis import Analyst
from video_worker.pipeline.clip_zones import ClipZones

pytestmark = pytest.mark.slow

EVERYWHERE = [[0, 0], [1, 0], [1, 1], [0, 1]]
MIDDLE = [[0.5, 1.0], [0.5, 0.0]]


class ColourDetector(SquareDetector):
    """Finds a red square and a green one, each with a label of its own."""

    labels = ("red box", "green box")

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        def find() -> Detections:
            found = []
            for label, channel in enumerate((2, 1)):
                others = [one for one in range(3) if one != channel]
                rows, columns = np.nonzero((picture[..., channel] > 170) & (picture[..., others].max(axis=2) < 130))
                if len(rows) > 500:
                    found.append((label, [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]))
            if not found:
                return Detections.empty()
            boxes = np.array([box for _, box in found], np.float32)
            return Detections(boxes, np.full(len(found), 0.9, np.float32), np.array([label for label, _ in found]))

        return find


class ColourModels(SquareModels):
    """Gives the detector of colours under any name."""

    def get(self, task: ModelTask[Any], name: str) -> Any:
        return LoadedModel(Path(name).stem, "1" * 64, ColourDetector())


def two_squares(path: Path) -> Path:
    """12 s in which a red square goes from left to right and a green one from right to left, at 5 to 8 s."""
    background = noise_background(640, 360)

    def draw(time: float) -> np.ndarray:
        picture = background.copy()
        if 5 <= time <= 8:
            x = int((time - 5) / 3 * 560)
            picture[40:120, x : x + 80] = (40, 60, 230)
            picture[220:300, 560 - x : 640 - x] = (40, 230, 60)
        return picture

    return write_video(path, draw, seconds=12)


def test_the_setting_the_camera_the_job_and_the_task_say_which_labels_are_reported(
    programs: Programs, redis_server: RedisServer, tmp_path: Path
) -> None:
    video_dir = tmp_path / "video"
    server = ReplayServer({"one": two_squares(tmp_path / "squares.mp4")})
    cameras = tmp_path / "cameras.toml"
    cameras.write_text(
        f'[plain]\nurl = "{server.url("one")}"\n'
        f'[red]\nurl = "{server.url("one")}"\nclasses = ["RED box"]\n'
        f'[all]\nurl = "{server.url("one")}"\nclasses = []\n'
    )
    cameras.chmod(0o600)
    tasks = [
        {"name": "any", "points": EVERYWHERE, "tasks": [{"do": "objects", "min_s": 0.2}]},
        {"name": "reds", "line": MIDDLE, "tasks": [{"do": "cross", "labels": ["Red Box"]}]},
        {"name": "greens", "line": MIDDLE, "tasks": [{"do": "cross", "labels": ["green box"]}]},
    ]
    for camera in ("plain", "red", "all"):
        write_zones(zones_path(video_dir, camera), {"zones": tasks})
    env = {
        **redis_server.env,
        "VIDEO_DIR": str(video_dir),
        "CAMERAS_FILE": str(cameras),
        "CLIP_SECONDS": "9",
        "PRE_ROLL_SECONDS": "2",
        "HTTP_PORT": str(free_port()),
    }
    try:
        program = programs.python("-m", "vcam_worker", env=env)
        for camera in ("plain", "red", "all"):
            program.wait_for(line_of(messages.JOB_QUEUED, rf".*-{camera}\.mp4"))
        assert program.stop() == 0
    finally:
        server.close()
    clips = {name.camera: clip.name for clip in reversed(list_clips(video_dir)) if (name := parse_clip_name(clip.name))}
    queue = clip_queue(redis_server.settings, redis_server.connection())
    submit(clips["red"], queue=queue, classes=["green box"])  # a job says otherwise than its camera
    submit(clips["red"], queue=queue, classes=[])
    options = options_from_env({"YOLO_CLASSES": " Green  box "})
    worker = WorkerContext(video_dir, options, Analyst(ColourModels(), 1, now, zones=ClipZones(video_dir)), now)
    burst(redis_server, worker)

    records = [record for record in read_records(log_path(video_dir)) if record["filename"] in clips.values()]
    first = {record["camera"]: record for record in records if re.match("clip-", record["job_id"])}
    asked = [record for record in records if not re.match("clip-", record["job_id"])]
    both, red, green = {"red box", "green box"}, {"red box"}, {"green box"}
    assert set(first["plain"]["detected"]) == green  # the setting
    assert set(first["red"]["detected"]) == red  # the camera
    assert set(first["all"]["detected"]) == both  # the camera says all
    assert [set(record["detected"]) for record in asked] == [green, both]  # the job
    for record, labels in [
        (first["plain"], green),
        (first["red"], red),
        (first["all"], both),
        *zip(asked, (green, both), strict=True),
    ]:
        zones = record["zones"]
        crossed = [zones[name]["crossed"] for name in ("reds", "greens")]
        assert crossed == [
            {"red box": {"right": 1}} if "red box" in labels else {},
            {"green box": {"left": 1}} if "green box" in labels else {},
        ]
        counted = set(zones["any"]["entered"]) | set(zones["any"]["left"])
        assert counted == labels
