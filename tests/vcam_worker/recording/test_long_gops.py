"""Cameras with a keyframe every 50 to 250 s: no event is lost, no footage is recorded twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared_utils.config.cameras import MotionSettings
from tests.support.footage.mp4 import decoded
from tests.support.footage.recorded import Recorded, record
from tests.support.footage.video import Picture, moving_box, write_video
from vcam_worker import messages
from vcam_worker.recording import ring, session
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.stream.packets import Packet

FPS = 5
SIZE = (160, 96)
RULES = ClipRules(clip_seconds=30, pre_roll_seconds=5)


def scene(*events: float) -> Callable[[float], Picture]:
    """Return a function of time that draws something crossing for 2 s at each of `events`."""
    drawn = moving_box(*SIZE, start_s=0, end_s=2, side=20)
    still = drawn(3.0)

    def draw(seconds: float) -> Picture:
        started = next((at for at in events if at <= seconds < at + 2), None)
        return still if started is None else drawn(seconds - started)

    return draw


def run(folder: Path, gop: float, seconds: float, events: list[float], **more: Any) -> Recorded:
    video = write_video(
        folder / "in.mp4", scene(*events), seconds=seconds, fps=FPS, gop=round(gop * FPS), options={
            "bf": "0", "preset": "ultrafast", "x264-params": "scenecut=0",
        },
    )  # fmt: skip
    return record(str(video), folder, more.pop("rules", RULES), motion=MotionSettings(), **more)


def assert_all_recorded(recorded: Recorded, events: list[float], rules: ClipRules = RULES) -> None:
    """Each event lies in a clip up to the end that its pre-roll asks for, and no two clips begin with the same."""
    for event in events:
        within = [clip for clip in recorded.clips if clip.start <= event < clip.end]
        assert within, f"{event} is in no clip"
    for before, after in itertools.pairwise(recorded.clips):
        assert after.start > before.start
        assert before.end - after.start <= rules.pre_roll_seconds + 5
    for clip in recorded.clips:
        assert len(decoded(clip.path)) == clip.summary.frames == round((clip.end - clip.start) * FPS)


@pytest.mark.parametrize(
    ("gop", "seconds", "events"),
    [
        (50, 160, [25.0, 45.0, 75.0, 122.0]),
        (50, 130, [3.0, 40.0, 52.0, 110.0]),
        (120, 300, [30.0, 90.0, 118.0, 200.0]),
        (120, 300, [4.0, 70.0, 121.0, 235.0]),
        (250, 540, [10.0, 130.0, 245.0, 400.0, 505.0]),
        (8, 100, [10.0, 36.0, 45.0, 80.0]),
    ],
)
def test_no_event_is_lost_and_nothing_recorded_twice(
    tmp_path: Path, gop: float, seconds: float, events: list[float]
) -> None:
    recorded = run(tmp_path, gop, seconds, events)
    assert_all_recorded(recorded, events)
    for clip in recorded.clips:
        assert clip.start % gop == pytest.approx(0, abs=0.001)


def test_a_clips_length_counts_from_its_pre_roll(tmp_path: Path) -> None:
    recorded = run(tmp_path, 120, 110, [60.0])
    [clip] = recorded.clips
    assert clip.start == 0
    assert 60 <= clip.trigger <= 61
    assert clip.end == pytest.approx(clip.trigger + 25, abs=0.25)
    assert len(decoded(clip.path)) == round(clip.end * FPS)


def test_motion_before_the_next_keyframe_goes_into_the_clip_before(tmp_path: Path) -> None:
    recorded = run(tmp_path, 120, 260, [20.0, 80.0])
    [clip] = recorded.clips
    assert clip.start == 0
    assert 105 <= clip.end <= 106
    assert len(recorded.logged(messages.CLIP_EXTENDED)) == 1


def test_motion_across_a_keyframe_goes_on_in_the_next_clip(tmp_path: Path) -> None:
    recorded = run(tmp_path, 120, 260, [20.0, 112.0])
    first, second = recorded.clips
    assert (first.start, first.end) == (0, pytest.approx(120))
    assert (second.start, second.end) == (pytest.approx(120), pytest.approx(150))


def test_a_clip_that_nothing_follows_ends_where_it_should(tmp_path: Path) -> None:
    recorded = run(tmp_path, 50, 140, [22.0])
    [clip] = recorded.clips
    assert (clip.start, clip.end) == (0, pytest.approx(clip.trigger + 25, abs=0.25))
    assert len(decoded(clip.path)) == round(clip.end * FPS)


def test_a_clip_within_one_gop_is_not_followed_by_another_from_its_start(tmp_path: Path) -> None:
    rules = ClipRules(clip_seconds=4, pre_roll_seconds=1)
    events = [6.0, 14.0]
    recorded = run(tmp_path, 20, 45, events, rules=rules)
    assert_all_recorded(recorded, events, rules)
    assert len(recorded.clips) == 1


def test_a_gop_that_grows_in_mid_stream(tmp_path: Path) -> None:
    """As smart codecs do when nothing moves: what was a keyframe every second is one every 100 s."""
    events = [12.0, 45.0, 80.0]
    draw = scene(*events)
    video = tmp_path / "in.mp4"
    keyframes = (*range(1, 15), 115)
    options = {"bf": "0", "preset": "ultrafast", "x264-params": "scenecut=0:keyint=infinite", "forced-idr": "1"}
    write_video(video, draw, seconds=130, fps=FPS, gop=100_000, options=options, keyframes=keyframes)
    recorded = record(str(video), tmp_path, RULES, motion=MotionSettings())
    assert_all_recorded(recorded, events)


def test_what_the_gop_costs_is_logged_once(tmp_path: Path) -> None:
    recorded = run(tmp_path, 50, 260, [20.0, 120.0])
    [line] = recorded.logged(messages.LONG_GOPS)
    assert "may begin 50 s before its pre-roll and last 80 s instead of 30 s" in line
    assert "MB of the stream are kept in memory; set the camera's I-frame interval (GOP)" in line
    assert recorded.levels().count("WARNING") == 1


def test_an_ordinary_gop_is_not_worth_a_word(tmp_path: Path) -> None:
    recorded = run(tmp_path, 4, 60, [20.0])
    assert set(recorded.levels()) == {"INFO"}


def test_motion_without_a_keyframe_to_begin_with_starts_the_clip_at_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "MAX_BYTES", 24 * 1024)
    events = [60.0, 70.0, 110.0]
    recorded = run(tmp_path, 50, 130, events)
    assert [clip.start for clip in recorded.clips] == [pytest.approx(100)]
    assert 60 <= recorded.clips[0].trigger <= 61
    assert recorded.clips[0].end >= 110
    assert len(recorded.logged(messages.CLIP_PENDING)) == 1
    assert len(recorded.logged(messages.GOP_TOO_LARGE)) == 1
    assert len(recorded.logged(messages.CLIP_STARTED_LATE)) == 1


def test_what_waits_behind_a_held_clip_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HELD_BYTES", 20 * 1024)
    events = [10.0, 110.0]
    recorded = run(tmp_path, 120, 150, events)
    assert_all_recorded(recorded, events)


def test_a_stop_while_a_clip_is_held_keeps_it(tmp_path: Path) -> None:
    recorded = run(tmp_path, 120, 100, [10.0])
    [clip] = recorded.clips
    assert clip.end == pytest.approx(clip.trigger + 25, abs=0.25)


def test_keyframes_alone_are_enough_for_a_long_gop(tmp_path: Path) -> None:
    """MOTION_DECODE=keyframes: what moves in a keyframe starts a clip there."""
    seen: list[Packet] = []
    video = write_video(tmp_path / "in.mp4", scene(49.0), seconds=120, fps=FPS, gop=50 * FPS)
    recorded = record(
        str(video), tmp_path, RULES, motion=MotionSettings(decode="keyframes"), before=seen.append
    )  # fmt: skip
    assert sum(packet.is_keyframe for packet in seen) == 3
    [clip] = recorded.clips
    assert clip.start == 0
    assert clip.end == pytest.approx(75, abs=0.3)
