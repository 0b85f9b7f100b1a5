"""Live video of a running capture, as FFmpeg plays it from the URL: of each codec, early and late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import av
import pytest

from devtools.ports import free_port
from shared_utils.media.bitstream.nal_units import Codec
from tests.support.footage.units import Frame, encode
from tests.support.footage.video import moving_box
from tests.support.network.cameras import camera_processes, capture, emulator
from tests.support.network.rtsp_units import UnitScript, serve_units
from tests.support.programs import Program, Programs
from vcam_worker import messages

pytestmark = pytest.mark.slow

TAGS = {"h264": "avc1", "hevc": "hvc1"}
FPS = 10


@contextmanager
def camera(codec: Codec, frames: list[Frame]) -> Iterator[str]:
    pictures = [(number / FPS, frame) for number, frame in enumerate(frames)]
    with serve_units(UnitScript(codec, (), pictures, pace=1)) as url:
        yield url


def scene(codec: Codec, size: tuple[int, int] = (320, 180), seconds: float = 60, gop: int = 20) -> list[Frame]:
    return encode(moving_box(*size, side=size[1] // 6), seconds=seconds, fps=FPS, gop=gop, codec=codec)


@contextmanager
def watching(env: dict[str, str]) -> Iterator[av.container.InputContainer]:
    url = f"http://127.0.0.1:{env['HTTP_PORT']}/live/cam1.mp4"
    with av.open(url, options={"analyzeduration": "500000"}, timeout=30) as container:
        yield container


def running(programs: Programs, env: dict[str, str], url: str) -> Program:
    program = capture(programs, env, url)
    program.wait_for(messages.CONNECTED)
    return program


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_whoever_joins_gets_a_file_that_begins_at_time_zero(
    programs: Programs, env: dict[str, str], codec: Codec
) -> None:
    with camera(codec, scene(codec)) as url:
        program = running(programs, env, url)
        with watching(env) as early:
            assert early.streams.video[0].codec_context.codec_tag == TAGS[codec]
            frames = early.decode(video=0)
            first = [next(frames) for _ in range(25)]
            with watching(env) as late:
                joined = list(islice(late.decode(video=0), 25))
            for seen in (first, joined):
                assert seen[0].key_frame
                assert [frame.time for frame in seen] == pytest.approx([n / FPS for n in range(25)], abs=0.05)
                assert {(frame.width, frame.height) for frame in seen} == {(320, 180)}
            next(frames)  # the other one's leaving ended nothing
        assert program.stop() == 0, program.text


def test_jpegs_are_the_cameras_own(programs: Programs, env: dict[str, str], footage: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/video"
    emulator(programs, footage, url)
    running(programs, env, url)
    with av.open(f"http://127.0.0.1:{env['HTTP_PORT']}/live/cam1.mp4", format="mpjpeg", timeout=30) as container:
        frames = container.decode(video=0)
        assert [(next(frames).width, next(frames).height) for _ in range(5)] == [(640, 360)] * 5


def test_a_change_of_size_ends_the_file_and_the_next_one_has_the_new_size(
    programs: Programs, env: dict[str, str]
) -> None:
    sizes = [(320, 180), (160, 96)]
    with camera("h264", [*scene("h264", sizes[0], seconds=8), *scene("h264", sizes[1], seconds=30)]) as url:
        running(programs, env, url)
        for size in sizes:
            with watching(env) as container:
                frames = list(islice(container.decode(video=0), 10 * FPS))
            assert {(frame.width, frame.height) for frame in frames} == {size}


def test_when_the_cameras_process_dies_viewers_end_and_can_come_again(programs: Programs, env: dict[str, str]) -> None:
    with camera("h264", scene("h264")) as url:
        program = running(programs, env, url)
        with watching(env) as container:
            frames = container.decode(video=0)
            next(frames)
            [child] = camera_processes(program)
            child.kill()
            assert len(list(frames)) < 60 * FPS
        program.wait_for(messages.CONNECTED, count=2)
        with watching(env) as again:
            assert next(again.decode(video=0)).key_frame
