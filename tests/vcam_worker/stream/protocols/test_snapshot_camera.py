"""A camera that gives one picture per request is recorded as an MJPEG camera is; a page is called a page."""

from __future__ import annotations

import time
from pathlib import Path

from devtools.log_lines import line_of
from shared_utils.contracts.clips import list_clips
from tests.support.footage.video import moving_box, packet_times
from tests.support.network.cameras import capture
from tests.support.network.hosts import Call, host, jpeg
from tests.support.programs import Programs
from vcam_worker import messages


def test_a_snapshot_address_is_recorded_in_real_time(programs: Programs, env: dict[str, str], video_dir: Path) -> None:
    draw = moving_box(320, 180, start_s=5, end_s=9, side=40)
    began = time.monotonic()
    answered: list[float] = []

    def behave(call: Call) -> None:
        while call.request():
            scene = draw((time.monotonic() - began) % 12)
            scene[:4, :4] = 37 * len(answered) % 256  # a picture that repeats the one before is no new frame
            answered.append(time.monotonic())
            picture = jpeg(scene)
            call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}", picture)

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/snapshot.jpg")
        program.wait_for(line_of(messages.CONNECTED, ".*", ".*mjpeg 320×180 5 fps, http.*"))
        program.wait_for(messages.CLIP_SAVED, 60)
        assert program.stop() == 0
    times = packet_times(list_clips(video_dir)[0])
    # CLIP_SECONDS, less what had not come before the motion
    assert 2.5 <= times[-1] <= 5
    # a busy machine gives fewer than 5 per second: as many in a row as the clip has took as long as the clip plays
    later = answered[len(times) - 1 :]
    spans = [last - first for first, last in zip(answered, later, strict=False)]
    assert min(abs(span - times[-1]) for span in spans) < 0.15 * times[-1]
    assert not program.count(messages.NO_PICTURE)


def test_a_page_instead_of_pictures_is_logged_once_and_a_later_stream_is_read(
    programs: Programs, env: dict[str, str]
) -> None:
    picture = jpeg(moving_box(320, 180)(0))

    def behave(call: Call) -> None:
        while call.request():
            if call.number < 3:
                call.answer("200 OK\r\nContent-Type: text/html\r\nContent-Length: 13", b"<html></html>")
            else:
                call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}", picture)

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/snapshot.jpg")
        program.wait_for(line_of(messages.NO_PICTURE, ".*answers with a page .text/html.*"))
        program.wait_for(line_of(messages.CONNECTED_AGAIN, "picture"), 60)
        assert program.stop() == 0
    assert program.text.count("answers with a page") == 1
