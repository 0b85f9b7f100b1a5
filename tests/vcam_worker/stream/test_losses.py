"""A camera's habit of ending its connections is reported once, and each other loss by itself."""

from __future__ import annotations

import re
import time

from devtools.log_lines import line_of
from tests.support.footage.video import moving_box
from tests.support.network.cameras import capture
from tests.support.network.hosts import Call, host, jpeg
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.stream.losses import HABIT_LOSSES, SHORT_S, STEADY_S, Losses

PASSAGES = [
    [jpeg(draw(number / 20)) for number in range(20)]
    for draw in (moving_box(320, 180, 0, 1, side=40, top=top) for top in (10, 90, 50, 130, 70, 30, 110))
]
"""Pictures of one second each, in which something crosses: never twice in a row at the same height, since what returns
to the same places at the same times becomes part of the background."""


def test_a_habit_is_reported_once_at_its_start_and_once_at_its_end() -> None:
    losses, now = Losses(), 0.0
    losses.back(now)
    reports: list[object] = []
    for _ in range(HABIT_LOSSES + 5):
        now += 20
        reports.append(losses.lost(now))
        now += 0.5
        reports.append(losses.back(now))
    assert reports == ["loss", True] * HABIT_LOSSES + ["habit", False] + [None, False] * 4
    assert not losses.is_steady_again(now + STEADY_S - 1)
    assert losses.is_steady_again(now + STEADY_S)
    assert not losses.is_steady_again(now + STEADY_S + 1)
    assert losses.lost(now + STEADY_S + 2) == "loss"


def test_within_a_habit_a_long_loss_is_reported() -> None:
    losses, now = Losses(), 0.0
    for _ in range(HABIT_LOSSES + 2):
        losses.back(now)
        now += 20
        losses.lost(now)
    assert losses.lost(now + SHORT_S - 1) is None
    assert losses.lost(now + SHORT_S + 1) == "loss"
    assert losses.lost(now + SHORT_S + 9) is None
    assert losses.back(now + 60)
    assert losses.lost(now + 80) == "loss"


def test_rare_losses_are_reported_each() -> None:
    losses, now = Losses(), 0.0
    for _ in range(10):
        assert losses.back(now)
        now += STEADY_S
        assert losses.lost(now) == "loss"
        now += 1


def test_a_camera_that_hangs_up_all_the_time_fills_no_log_and_is_recorded(
    programs: Programs, env: dict[str, str]
) -> None:
    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
        for picture in PASSAGES[here.calls % len(PASSAGES)]:
            call.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", picture, b"\r\n")
            time.sleep(0.05)

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/video")
        program.wait_for(line_of(messages.CONNECTION_ENDS_HABITUALLY, ".*", "the camera ended the stream"), 60)
        calls = here.calls
        while here.calls < calls + 3:
            time.sleep(0.1)
        # a scene is learnt once, and not for the first two seconds of each connection
        program.wait_for(messages.CLIP_SAVED, 60, count=2)
        assert program.stop() == 0
    assert program.text.count("no picture") == HABIT_LOSSES
    assert program.text.count("picture is back") == HABIT_LOSSES
    assert len(re.findall(line_of(messages.CONNECTION_ENDS_HABITUALLY), program.text)) == 1
