"""When clips start, go on and end."""

from __future__ import annotations

from vcam_worker.recording.clip_logic import ClipLogic, ClipRules

RULES = ClipRules(clip_seconds=30, pre_roll_seconds=5)


def test_one_frame_alone_starts_nothing() -> None:
    events = ClipLogic(RULES)
    assert [events.motion(t / 5, t == 10) for t in range(50)] == [None] * 50


def test_two_frames_in_a_row_start_at_the_first() -> None:
    events = ClipLogic(RULES)
    assert events.motion(1.0, True) is None
    assert events.motion(1.2, True) == 1.0


def test_no_second_start_while_recording() -> None:
    events = ClipLogic(RULES)
    events.motion(1.0, True)
    assert events.motion(1.2, True) == 1.0
    events.started(0.0)
    assert events.motion(1.4, True) is None


def test_a_clip_without_further_motion_ends_after_its_length_at_any_frame() -> None:
    events = ClipLogic(RULES)
    events.started(10.0)
    assert not events.is_over(39.96, is_keyframe=True)
    assert events.is_over(40.0, is_keyframe=False)


def test_a_clip_with_motion_ends_at_a_keyframe_so_that_the_next_can_begin_there() -> None:
    events = ClipLogic(RULES)
    events.started(10.0)
    events.motion(39.0, True)
    events.motion(39.2, True)
    assert not events.is_over(40.0, is_keyframe=False)
    assert events.is_over(40.5, is_keyframe=True)
    assert events.moving_at(40.5)
    assert not events.moving_at(42.0)


def test_motion_after_an_end_starts_anew() -> None:
    events = ClipLogic(RULES)
    events.motion(1.0, True)
    events.motion(1.2, True)
    events.started(0.0)
    events.motion(5.0, False)
    events.ended()
    assert events.motion(50.0, True) is None
    assert events.motion(50.2, True) == 50.0
