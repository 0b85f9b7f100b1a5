"""Frames of a hostile camera, and of a connection that is over."""

from __future__ import annotations

import http.client
import threading
import time
from functools import partial

import pytest

from tests.support.footage.video import moving_box, noise_background
from tests.support.network.cameras import camera_processes, capture
from tests.support.network.hosts import Call, host, jpeg
from tests.support.programs import Programs
from tests.vcam_worker.live.frame_reader import frames, live_figure
from tests.vcam_worker.live.packets import packets, stream_info
from vcam_worker import messages
from vcam_worker.live.commands import FramesWanted
from vcam_worker.live.frames.decoder import DecodedFrame, MainDecoder
from vcam_worker.live.frames.rates import FrameRates


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 200), (1, 1), (200, 1), (3, 3)], ids=str)
def test_sizes_that_cannot_be_converted_are_skipped(
    programs: Programs, env: dict[str, str], size: tuple[int, int]
) -> None:
    good, odd = jpeg(noise_background(320, 180)), jpeg(noise_background(*size))
    is_odd = threading.Event()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
        while True:
            body = odd if is_odd.is_set() else good
            call.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", body, b"\r\n")
            time.sleep(0.1)

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/video")
        program.wait_for(r"connected to .*")
        [process] = camera_processes(program)
        with frames(env["HTTP_PORT"], "fps=10&width=160") as reader:
            reader.wait_for(3)
            is_odd.set()
            program.wait_for(messages.STREAM_CHANGED)
            sent = live_figure(env["HTTP_PORT"], "vcam_packets_total")
            while live_figure(env["HTTP_PORT"], "vcam_packets_total") < sent + 5:
                time.sleep(0.1)
            for path in ("/snapshot/cam1.jpg", "/snapshot/cam1.jpg?width=640"):
                connection = http.client.HTTPConnection("127.0.0.1", int(env["HTTP_PORT"]), timeout=30)
                connection.request("GET", path)
                connection.getresponse().read()
                connection.close()
            is_odd.clear()
            reader.wait_for(len(reader.parts) + 10)
        assert process.is_running()
        assert not program.count(messages.LIVE_FRAMES_FAILED)
        assert not program.count(messages.CAMERA_PROCESS_ENDED)
        assert program.stop() == 0


def test_a_decoder_that_was_stopped_gives_no_frame_of_the_connection_before() -> None:
    stream = packets(draw=moving_box(1280, 720), seconds=0.4)
    stopped: set[int] = set()
    late: list[float] = []

    def take(number: int, frame: DecodedFrame, at: float, received: float) -> None:
        del frame, received
        if number in stopped:
            late.append(at)

    for number in range(60):
        rates = FrameRates()
        rates.set(1, FramesWanted(None, None, 30.0))
        decoder = MainDecoder(stream_info(size=(1280, 720)), rates, partial(take, number))
        for packet in stream:
            decoder.put([packet], 0.0)
            time.sleep(0.0002 * (number % 10))
        decoder.stop()
        stopped.add(number)
    for thread in threading.enumerate():
        if thread.name == "live decoder":
            thread.join(30)
    assert late == []
