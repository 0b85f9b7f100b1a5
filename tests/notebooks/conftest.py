"""Notebooks are run by a real kernel, on a volume that the real recorder and the real job have filled."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from playwright.sync_api import Browser, Page
from rq import Queue

from devtools.paths import SCENE_MODEL
from devtools.redis_server import RedisServer
from devtools.run_notebooks import Executed, execute
from devtools.sample_volume.plan import Plan
from devtools.sample_volume.volume import make_volume
from notebooks.lab.plots import style
from shared_utils.queue.jobs import clip_queue
from tests.support.chromium import chromium, new_page
from tests.support.footage.barcode_clips import CARS, add_run, barcode
from tests.support.footage.video import write_video
from tests.support.jupyterlab import Lab, running_lab
from tests.support.programs import Programs
from video_worker import messages

RunNotebook = Callable[..., Executed]

SMALL = Plan(end=datetime(2026, 2, 23, 20, 0).astimezone(), days=3.0, clips=6, seed=1)


@pytest.fixture(scope="session")
def made_volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video folder as after three days; made once, not to be changed: see `sample_volume`."""
    folder = tmp_path_factory.mktemp("sample-volume")
    make_volume(folder, SMALL)
    return folder


@pytest.fixture
def sample_volume(made_volume: Path, tmp_path: Path) -> Path:
    """A copy for the test: clips of two cameras, log, boxes files, cameras_log; until Monday 2026-02-23, 20:00."""
    return Path(shutil.copytree(made_volume, tmp_path / "video"))


@pytest.fixture
def worker_env(sample_volume: Path, redis_server: RedisServer, programs: Programs) -> dict[str, str]:
    """Settings of a Redis and of a worker with the scene's model, which serves `sample_volume` when this returns."""
    env = {**redis_server.env, "YOLO_MODEL": SCENE_MODEL.name, "MODELS_DIR": str(SCENE_MODEL.parent)}
    env["VIDEO_DIR"] = str(sample_volume)
    programs.python("-m", "video_worker", env=env).wait_for(messages.WORKER_READY)
    return env


@pytest.fixture
def run_notebook(tmp_path: Path) -> RunNotebook:
    """Run a notebook of ours from top to bottom, in a copy in the test's folder.

    ``run_notebook(name, video_dir, env=None, values=[…], changes={…})``: see :func:`devtools.run_notebooks.execute`.
    `env`
    may be `worker_env`; `values` are Python expressions, whose results at the end are in ``.values``.
    """

    def run(
        name: str,
        video_dir: Path,
        env: Mapping[str, str] | None = None,
        values: Sequence[str] = (),
        changes: Mapping[str, str] | None = None,
    ) -> Executed:
        settings = {**(env or {}), "VIDEO_DIR": str(video_dir)}
        return execute(name, tmp_path / "notebooks", settings, values=values, changes=changes)

    return run


@pytest.fixture
def house_style() -> Iterator[None]:
    """Figures as in the notebooks; none outlives its test."""
    with plt.rc_context():
        plt.switch_backend("agg")
        style.use()
        yield
        plt.close("all")


@pytest.fixture(scope="session")
def lab(made_volume: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab over a sample volume, ``video/``; tests put folders and notebooks of their own into its root."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(made_volume, folder / "video")
    with running_lab(folder) as running:
        yield running


# not of the session: notebooks are run in an event loop of their own, beside which there must be no other
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without cookies of another test's."""
    with new_page(browser) as opened:
        yield opened


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    """A clip of 2 s, 10 frames per second, with two sampled frames' boxes."""
    folder = tmp_path / "video"
    folder.mkdir()
    path = write_video(folder / "20260223-144819-cam1.mp4", barcode(10), seconds=2, fps=10)
    add_run(path, CARS)
    return path


@pytest.fixture
def two_clips(tmp_path: Path) -> Path:
    """Two files that are clips by name; what is in them is of no matter for tables."""
    for number in range(2):
        (tmp_path / f"20260223-10000{number}-door.mp4").write_text(f"clip {number}")
    return tmp_path


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    return clip_queue(redis_server.settings, redis_server.connection())
