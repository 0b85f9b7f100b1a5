"""A replay's trace: what the recorder acted on, and what it tells of other thresholds."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devtools.paths import ROOT
from shared_utils.config.cameras import MotionSettings
from shared_utils.errors import SourceError
from tests.support.footage.video import moving_box, noise_background, write_video
from tests.support.programs import Programs
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.replay import Trace, rejudge, replay, trace

LOWEST = MotionSettings(min_area=0.001)
SHORT = ClipRules(clip_seconds=4, pre_roll_seconds=1)


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 s in which a square of 1.6 % of the picture crosses at 4 to 5.5 s."""
    return write_video(tmp_path_factory.mktemp("replay") / "crossing.mp4", moving_box(), seconds=14)


@pytest.fixture(scope="session")
def two_sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s: a small square (0.4 %) crosses from 6 s on, a large one (4 %) from 20.5 s on; keyframes every 2 s."""

    def square(picture: np.ndarray, time: float, start: float, side: int) -> None:
        x = int((time - start) / 3 * 640)
        if time >= start and x + side < 640:
            picture[100 : 100 + side, x : x + side] = (40, 60, 230)

    still_picture = noise_background(640, 360)

    def draw(time: float) -> np.ndarray:
        picture = still_picture.copy()
        square(picture, time, 6, 30)
        square(picture, time, 20.5, 96)
        return picture

    return write_video(tmp_path_factory.mktemp("replay") / "two.mp4", draw, seconds=40, gop=20)


def lines(path: Path, motion: MotionSettings, rules: ClipRules, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    replay(path, motion, rules, found.append, None, **more)
    return found


def test_a_trace_is_the_replay_and_every_trace_the_same(crossing: Path) -> None:
    first, second = (trace(crossing, MotionSettings(), SHORT) for _ in range(2))
    assert first == second
    assert first.cpu_s > 0
    clips = [{"filename": "crossing.mp4", **dataclasses.asdict(clip)} for clip in first.clips]
    assert clips == lines(crossing, MotionSettings(), SHORT)
    assert first.end_s == pytest.approx(13.9)


def test_an_observer_changes_no_line(crossing: Path) -> None:
    seen: list[float] = []
    observed = lines(crossing, MotionSettings(), SHORT, observe=lambda time, motion, mask: seen.append(time))
    assert json.dumps(observed) == json.dumps(lines(crossing, MotionSettings(), SHORT))
    assert seen == [frame.time_s for frame in trace(crossing, MotionSettings(), SHORT).frames]


def test_the_trigger_is_the_first_of_two_frames_with_motion(crossing: Path) -> None:
    found = trace(crossing, MotionSettings(), SHORT)
    moving = [frame.time_s for frame in found.frames if frame.moving]
    assert found.clips[0].trigger_s == pytest.approx(moving[0])
    assert moving[1] == pytest.approx(moving[0] + 0.2)
    assert 4.0 <= moving[0] <= 4.5


def test_the_mask_shows_where_it_moves(crossing: Path) -> None:
    found = trace(crossing, MotionSettings(), SHORT)
    [frame] = [frame for frame in found.frames if abs(frame.time_s - 4.4) < 0.01]
    # at 4.4 s the square's left edge is at 154 of 640 pixels, and the mask is half as large
    rows, columns = np.nonzero(frame.mask)
    assert frame.mask.shape == (180, 320)
    assert columns.mean() == pytest.approx((154 + 30) / 2, abs=6)
    assert rows.mean() == pytest.approx(90, abs=6)
    assert frame.mask.mean() == pytest.approx(frame.share, abs=0.002)
    assert not found.frames[0].mask.any()


def test_a_change_of_light_is_reported(tmp_path: Path) -> None:
    background = noise_background(640, 360)
    video = write_video(
        tmp_path / "light.mp4", lambda t: (background * (1.6 if t >= 6 else 1)).clip(0, 255).astype(np.uint8)
    )
    frames = trace(video, MotionSettings(), SHORT).frames
    assert [frame.time_s for frame in frames if frame.light] == [pytest.approx(6.0)]
    assert not any(frame.moving for frame in frames)


THRESHOLDS = (0.001, 0.003, 0.005, 0.012, 0.03, 0.1)


def assert_exact_as_far_as_reported(traced: Trace, min_area: float) -> bool:
    """Compare with a replay up to where exactness is claimed; return whether that is the end."""
    rejudged = rejudge(traced, min_area)
    real = trace(traced.path, dataclasses.replace(traced.motion, min_area=min_area), traced.rules)
    until = traced.end_s + 1 if rejudged.exact_until_s is None else rejudged.exact_until_s
    for name in ("trigger_s", "end_s"):
        times = [
            [(clip.start_s, getattr(clip, name)) for clip in clips if getattr(clip, name) < until]
            for clips in (rejudged.clips, real.clips)
        ]
        assert times[0] == times[1], f"{min_area} {name}"
    if rejudged.exact_until_s is None:
        assert rejudged.clips == real.clips
    known = [frame for frame in traced.frames if frame.time_s < until]
    verdicts = {frame.time_s: frame.moving and frame.share >= min_area for frame in known}
    assert verdicts == {frame.time_s: frame.moving for frame in real.frames if frame.time_s < until}
    return rejudged.exact_until_s is None


@pytest.mark.parametrize("rules", [SHORT, ClipRules(8, 2), ClipRules(30, 5)], ids=lambda rules: f"{rules.clip_seconds}")
def test_higher_thresholds_are_what_a_replay_gives(two_sizes: Path, rules: ClipRules) -> None:
    traced = trace(two_sizes, LOWEST, rules)
    exact = [assert_exact_as_far_as_reported(traced, min_area) for min_area in THRESHOLDS]
    assert exact[0]
    # where a long clip is opened by the small square alone, nobody claims to know what comes in it
    assert all(exact) == (rules == SHORT)


def test_where_it_is_not_exact_a_replay_does_differ(two_sizes: Path) -> None:
    """The claim is no idle caution: the large square comes in the small one's clip, and is in one keyframe."""
    traced = trace(two_sizes, LOWEST, ClipRules(30, 5))
    rejudged = rejudge(traced, 0.012)
    real = trace(two_sizes, MotionSettings(min_area=0.012), ClipRules(30, 5))
    assert rejudged.exact_until_s is not None
    assert rejudged.clips != real.clips


@pytest.mark.parametrize("name", ["car-detection.mp4", "bottle-detection.mp4"])
@pytest.mark.parametrize("decode", ["all", "keyframes"])
def test_higher_thresholds_on_real_footage(shared_dir: Path, name: str, decode: str) -> None:
    motion = MotionSettings(min_area=0.001, decode=decode)
    traced = trace(shared_dir / "data" / name, motion, ClipRules(5, 1))
    for min_area in (0.005, 0.06):
        assert_exact_as_far_as_reported(traced, min_area)


def test_a_lower_threshold_is_refused(crossing: Path) -> None:
    with pytest.raises(ValueError, match=r"traced from 0\.005 up"):
        rejudge(trace(crossing, MotionSettings(), SHORT), 0.004)


def test_no_video_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    with pytest.raises(SourceError, match=r"notes\.mp4 cannot be opened as video"):
        trace(path, MotionSettings(), SHORT)


def test_replay_takes_files_of_any_name_and_goes_on_after_a_bad_one(
    crossing: Path, tmp_path: Path, programs: Programs
) -> None:
    names = ["12:30:00.mp4", "Cat [x] #1?.mp4", "-dash.mp4", "я" * 125 + ".mp4"]
    for name in names:
        (tmp_path / name).symlink_to(crossing)
    (tmp_path / "cut.mp4").write_bytes(b"no video")
    files = [names[0], "cut.mp4", "gone.mp4", *names[1:]]
    env = {"PYTHONPATH": str(ROOT)}
    program = programs.python("-m", "vcam_worker", "replay", "--out", "kept", "--", *files, env=env, folder=tmp_path)
    assert program.wait(120) == 1
    printed = [json.loads(line)["filename"] for line in program.lines if line.startswith("{")]
    assert list(dict.fromkeys(printed)) == names
    assert sum("replay: cut.mp4: " in line for line in program.lines) == 1
    assert "vcam_worker: replay: gone.mp4: no such file" in program.lines
