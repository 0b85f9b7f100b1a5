"""Zones in which motion is ignored: a real capture takes them over while it runs, and a replay judges as it did."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devtools.log_lines import line_of
from devtools.paths import ROOT
from devtools.rtsp.replay import ReplayServer
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.log import LogMessage
from tests.support.footage.video import CLIP_NAME, noise_background, write_video
from tests.support.network.cameras import capture
from tests.support.programs import Program, Programs
from tests.vcam_worker.live.frame_reader import frames
from vcam_worker import messages
from vcam_worker.replay_zones import ignored_in

pytestmark = pytest.mark.slow

TAKEN_OVER_S = 5.0
TREES = {"name": "trees", "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]], "ignore_motion": True}
"""The right half of the picture."""


def garden(path: Path, seconds: float, walk: tuple[float, float] | None = None, width: int = 640) -> Path:
    """Draw leaves that move in the right half, and a square that walks from right to left."""
    height = width * 9 // 16
    background = noise_background(width, height)

    def draw(time: float) -> np.ndarray:
        picture = background.copy()
        rng = np.random.default_rng(round(time * 10))
        grey = np.kron(rng.integers(30, 220, (18, 16)), np.ones((height // 18, width // 32))).astype(np.uint8)
        picture[:, width // 2 :] = grey[..., None]
        if walk and walk[0] <= time <= walk[1]:
            x = int((walk[1] - time) / (walk[1] - walk[0]) * (width - 60))
            picture[150:210, x : x + 60] = (40, 60, 230)
        return picture

    return write_video(path, draw, seconds=seconds)


@contextlib.contextmanager
def replayed(**files: Path) -> Iterator[ReplayServer]:
    server = ReplayServer(files)
    try:
        yield server
    finally:
        server.close()


def edit(video_dir: Path, *zones: dict[str, Any]) -> float:
    """Write the camera's zones; return when."""
    write_zones(zones_path(video_dir, "cam1"), {"zones": zones})
    return time.monotonic()


def wait_for(program: Program, message: LogMessage, *arguments: str, since: float) -> None:
    program.wait_for(line_of(message, *arguments))
    assert time.monotonic() - since < TAKEN_OVER_S


@pytest.mark.parametrize("watched", ["main stream", "sub-stream"])
def test_an_edit_of_the_zones_is_taken_over_while_capture_runs(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path, watched: str
) -> None:
    leaves = garden(tmp_path / "leaves.mp4", 10)
    small = garden(tmp_path / "small.mp4", 10, width=320)
    edit(video_dir, TREES)
    with replayed(cam1=leaves, small=small) as server:
        cameras = tmp_path / "cameras.toml"
        sub = f'detect_url = "{server.url("small")}"\n' if watched == "sub-stream" else ""
        cameras.write_text(f'[cam1]\nurl = "{server.url("cam1")}"\n{sub}')
        cameras.chmod(0o600)
        program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras)})
        program.wait_for(line_of(messages.MOTION_IGNORED, "trees"))
        program.wait_for(messages.CONNECTED, count=2 if sub else 1)
        with frames(env["HTTP_PORT"], "fps=5") as reader:
            reader.wait_for(25)  # more than the time in which the background is learnt
            path = zones_path(video_dir, "cam1")
            good = path.read_text()
            path.write_text(good.replace('"trees"', '"trees and bushes"'))
            wait_for(program, messages.CAPTURE_ZONES_WRONG, ".*trees and bushes.*name.*", since=time.monotonic())
            parts = reader.wait_for(50)
            assert {part.share for part in parts} == {0.0}
            assert program.count(messages.CLIP_STARTED) == 0
            began = edit(video_dir, {**TREES, "ignore_motion": False})
            wait_for(program, messages.CAPTURE_ZONES_RIGHT_AGAIN, since=began)
            wait_for(program, messages.MOTION_IGNORED, "no zone any more", since=began)
            program.wait_for(messages.CLIP_STARTED)
        assert program.stop() == 0
    assert program.count(messages.CAPTURE_ZONES_WRONG) == 1


def test_live_frames_on_motion_come_only_for_what_leaves_the_zone(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    """The live worker asks like this where it looks for objects only while something moves."""
    walk = garden(tmp_path / "walk.mp4", 20, walk=(8, 16))
    edit(video_dir, TREES)
    with replayed(cam1=walk) as server:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(messages.CONNECTED)
        with frames(env["HTTP_PORT"], "fps=5&when=motion") as reader:
            began = server.sent_at("cam1")[0]
            first = reader.wait_for(5)[0]
            assert first.at - began >= 16 - 8 * 290 / 580
            assert first.share > 0
        assert program.stop() == 0


def test_a_replay_judges_as_capture_did(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    walk = garden(tmp_path / "walk.mp4", 30, walk=(10, 18))
    comes_out = 18 - 8 * 290 / 580
    edit(video_dir, TREES)
    env = {**env, "PRE_ROLL_SECONDS": "6", "CLIP_SECONDS": "12", "PYTHONPATH": str(ROOT)}
    with replayed(cam1=walk) as server:
        program = capture(programs, env, server.url("cam1"))
        before_s = float(program.wait_for(messages.CLIP_STARTED)[2])
        name = program.wait_for(messages.CLIP_SAVED)[1]
        assert program.stop() == 0

    def replay(path: Path, *options: str) -> list[dict[str, Any]]:
        again = programs.python("-m", "vcam_worker", "replay", *options, "--", str(path), env=env, folder=tmp_path)
        assert again.wait(60) == 0, again.text
        return [json.loads(line) for line in again.lines if line.startswith("{")]

    # the clip, by the camera in its name; and what the camera sent, by a file of zones
    assert replay(video_dir / name)[0]["trigger_s"] == pytest.approx(before_s, abs=0.25)
    zones = tmp_path / "draft.json"
    zones.write_text(zones_path(video_dir, "cam1").read_text())
    assert replay(walk, "--zones", str(zones))[0]["trigger_s"] == pytest.approx(comes_out, abs=0.8)
    assert replay(walk)[0]["trigger_s"] < 4  # the leaves, without zones
    zones_path(video_dir, "cam1").unlink()
    assert replay(video_dir / name)[0]["trigger_s"] < 4


def test_wrong_zones_are_told_by_a_replay(programs: Programs, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    clip = garden(tmp_path / "video" / CLIP_NAME, 5)
    wrong = zones_path(tmp_path / "video", "cam1")
    wrong.parent.mkdir()
    wrong.write_text('{"schema": 1, "camera": "cam1", "zones": [{"name": "trees", "ignore_motion": true}]}')
    env = {**env, "PYTHONPATH": str(ROOT)}
    program = programs.python("-m", "vcam_worker", "replay", str(clip), str(clip), env=env, folder=tmp_path)
    assert program.wait(60) == 0
    assert (
        sum("zone 'trees': give either points or line; replayed without zones" in line for line in program.lines) == 1
    )
    program = programs.python("-m", "vcam_worker", "replay", "--zones", str(wrong), str(clip), env=env, folder=tmp_path)
    assert program.wait(60) == 2
    assert "zone 'trees': give either points or line" in program.text


def test_wrong_zones_are_told_in_a_notebook(tmp_path: Path) -> None:
    wrong = zones_path(tmp_path, "cam1")
    wrong.parent.mkdir()
    wrong.write_text('{"schema": 1, "camera": "cam1", "zones": [{"name": "trees", "ignore_motion": true}]}')
    with pytest.warns(UserWarning, match="zone 'trees': give either points or line; replayed without zones"):
        assert ignored_in(tmp_path / CLIP_NAME) == ()


def test_zones_that_ignore_the_whole_picture_are_reported(
    programs: Programs, env: dict[str, str], video_dir: Path, tmp_path: Path
) -> None:
    edit(video_dir, {**TREES, "points": [[0, 0], [1, 0], [1, 1], [0, 1]]})
    program = capture(programs, env, str(garden(tmp_path / "leaves.mp4", 3)))
    program.wait_for(line_of(messages.MOTION_IGNORED_EVERYWHERE, r"0\.00"))
