"""What the worker's tests share: a detector that sees red squares, clips to see them in, models of real kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devtools.paths import ROOT, shared_folder
from shared_utils.contracts.job_options import Options
from shared_utils.media.picture import Picture
from tests.support.footage.video import CLIP_NAME
from video_worker.jobs import WorkerContext
from video_worker.models.postprocess import Detections
from video_worker.models.registry import LoadedModel, ModelTask
from video_worker.pipeline.analysis import Analyst


class SquareDetector:
    """Finds the red square that ``moving_box`` draws. A detector of its own, so that tests know every answer."""

    labels = ("background", "square")
    engine = "squares 1.0"
    depth = 2

    def use_threads(self, threads: int) -> None:
        """Computes with one."""

    def start(self, picture: Picture, imgsz: int, min_score: float) -> Callable[[], Detections]:
        def find() -> Detections:
            rows, columns = np.nonzero((picture[..., 2] > 180) & (picture[..., 1] < 120))
            if len(rows) < 100:
                return Detections.empty()
            corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            return Detections(np.array([corners], np.float32), np.array([0.9], np.float32), np.array([1]))

        return find


class SquareModels:
    """Gives the square detector under any name."""

    def get(self, task: ModelTask[Any], name: str) -> Any:
        return LoadedModel(Path(name).stem, "0" * 64, SquareDetector())

    def use_threads(self, threads: int) -> None:
        """Computes with one."""


def now() -> datetime:
    return datetime.now().astimezone()


@pytest.fixture
def video_folder(tmp_path: Path, clip_master: Path) -> Path:
    """A shared volume with one clip."""
    folder = tmp_path / "video"
    folder.mkdir()
    (folder / CLIP_NAME).write_bytes(clip_master.read_bytes())
    return folder


@pytest.fixture
def context(video_folder: Path) -> WorkerContext:
    """A worker's place with the square detector."""
    return WorkerContext(video_folder, Options(), Analyst(SquareModels(), 1, now), now)


@pytest.fixture(scope="session")
def any_model() -> Path:
    """A real model: the scene's, else the shared one."""
    shared = shared_folder() / "models" / "yolov8n.onnx"
    for path in (ROOT / "camera_emulator" / "scene_model" / "scene.onnx", shared):
        if path.is_file():
            return path
    pytest.skip("no model here: neither camera_emulator/scene_model/scene.onnx nor the shared yolov8n.onnx")
