"""A camera of whose stream no picture can be made is called unwell, in one line, until there are pictures again."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError
from tests.support.footage.video import moving_box, noise_background, write_video
from tests.support.network.cameras import capture
from tests.support.network.hosts import Call, host, jpeg
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.motion.decode_health import FAILED_PACKETS, FAILED_S, NO_KEYFRAME_S, DecodeHealth
from vcam_worker.stream.opening import connect

pytestmark = pytest.mark.slow

PICTURE = jpeg(noise_background(320, 180))


def health(env: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Return what /healthz answers: its status, and the one camera's entry."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{env['HTTP_PORT']}/healthz", timeout=10) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return status, json.loads(body)["cameras"]["cam1"]


def wait_for_health(env: dict[str, str], status: int) -> dict[str, str]:
    deadline = time.monotonic() + 30
    while True:
        found, camera = health(env)
        if found == status:
            return camera
        assert time.monotonic() < deadline, camera
        time.sleep(0.1)


def test_mjpeg_that_turns_to_16000_by_16000_is_unwell_until_it_turns_back(
    programs: Programs, env: dict[str, str]
) -> None:
    huge = bytearray(PICTURE)
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = (16000).to_bytes(2) * 2
    is_huge = threading.Event()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
        while True:
            call.send(
                b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", bytes(huge) if is_huge.is_set() else PICTURE, b"\r\n"
            )
            time.sleep(0.05)

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/video")
        program.wait_for(line_of(messages.CONNECTED, ".*", ".*mjpeg 320×180.*"))
        wait_for_health(env, 200)
        is_huge.set()
        program.wait_for(line_of(messages.NO_PICTURE, ".*16000×16000, more than 8K.*"))
        assert "16000×16000" in wait_for_health(env, 503)["reason"]
        is_huge.clear()
        program.wait_for(line_of(messages.CONNECTED_AGAIN, "picture"))
        wait_for_health(env, 200)
        assert program.stop() == 0
    assert program.text.count("16000×16000") == 1
    assert not program.count(messages.CAMERA_PROCESS_ENDED)


def units(path: Path) -> list[bytes]:
    """Return the pictures of an H.264 file, each with the parameter sets before it."""
    nals = [b"\x00\x00\x00\x01" + one for one in re.split(rb"\x00\x00\x00?\x01", path.read_bytes())[1:]]
    pictures, waiting = [], b""
    for nal in nals:
        waiting += nal
        if nal[4] & 31 in {1, 5}:
            pictures.append(waiting)
            waiting = b""
    return pictures


def test_h264_of_garbage_is_unwell_while_packets_come_and_well_again_after(
    programs: Programs, env: dict[str, str], tmp_path: Path
) -> None:
    draw, options = moving_box(320, 180, side=20), {"bf": "0", "preset": "ultrafast", "x264-params": "sliced-threads=0"}
    good = units(write_video(tmp_path / "good.h264", draw, seconds=2, options=options))
    sets = good[0].rpartition(b"\x00\x00\x00\x01")[0]
    # a keyframe by its name, whose first bits say that it is none
    garbage = sets + b"\x00\x00\x00\x01\x65" + b"\xff" * 500
    is_garbage = threading.Event()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: video/h264")
        while True:
            for picture in good:
                call.send(garbage if is_garbage.is_set() else picture)
                time.sleep(0.04)

    with host(behave) as here:
        program = capture(programs, env, f"http://{here.url}/live.h264")
        program.wait_for(line_of(messages.CONNECTED, ".*", ".*h264 320×180.*"))
        wait_for_health(env, 200)
        is_garbage.set()
        program.wait_for(messages.NOT_DECODABLE, 60)
        camera = wait_for_health(env, 503)
        assert camera["state"] == "undecodable"
        assert "cannot be decoded" in camera["reason"]
        is_garbage.clear()
        program.wait_for(messages.DECODABLE_AGAIN, 60)
        wait_for_health(env, 200)
        assert program.stop() == 0
    assert program.text.count("cannot be decoded") == 1


def bits(*fields: tuple[int, int] | int) -> bytes:
    """Return a NAL unit's payload: (bits, value), or a number as Exp-Golomb code."""
    text = "".join(
        format(one[1], f"0{one[0]}b") if isinstance(one, tuple) else "0" * ((one + 1).bit_length() - 1) + f"{one + 1:b}"
        for one in fields
    )
    text += "1" + "0" * (-(len(text) + 1) % 8)
    raw = bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", raw)


def huge_h264(side: int) -> bytes:
    """Return a keyframe that claims so many rows and columns: a decoder would reserve 400 MB per frame for 16384."""
    blocks = side // 16 - 1
    sps = bits((8, 66), (8, 0), (8, 52), 0, 0, 2, 1, (1, 0), blocks, blocks, (1, 1), (1, 1), (1, 0), (1, 0))
    pps = bits(0, 0, (1, 0), (1, 0), 0, 0, 0, (1, 0), (2, 0), 0, 0, 0, (1, 0), (1, 0), (1, 0))
    idr = bits(0, 7, 0, (4, 0), 0, (1, 0), (1, 0), 0) + b"\x55" * 300
    return b"".join(b"\x00\x00\x00\x01" + one for one in (b"\x67" + sps, b"\x68" + pps, b"\x65" + idr))


@pytest.mark.parametrize("good_first", [True, False])
def test_h264_that_claims_to_be_huge_is_refused_at_once_and_in_mid_stream(tmp_path: Path, good_first: bool) -> None:
    good = write_video(tmp_path / "good.h264", moving_box(320, 180, side=20), seconds=2).read_bytes()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: video/h264", good if good_first else b"")
        for _ in range(100):
            call.send(huge_h264(16384))
            time.sleep(0.02)

    def play() -> None:
        with host(behave) as here, connect(Camera("cam1", f"http://{here.url}/live"), "any") as connection:
            for _ in connection.packets():
                pass

    with pytest.raises(SourceError, match="16384×16384, more than 8K" if good_first else "no picture parameters"):
        play()


def test_a_damaged_gop_is_no_trouble_and_silence_after_it_says_nothing() -> None:
    health = DecodeHealth()
    for number in range(int(FAILED_S) * 10):
        health.failed(number / 10, "Invalid data")
    assert health.trouble is None
    health.failed(FAILED_S, "Invalid data")
    assert health.trouble == "what the camera sends cannot be decoded (Invalid data)"
    health.decoded()
    assert (health.trouble, health.is_well) == (None, True)


def test_rare_keyframes_are_tried_several_times() -> None:
    health = DecodeHealth()
    for number in range(FAILED_PACKETS - 1):
        health.failed(number * FAILED_S, None)
    assert health.trouble is None
    health.failed(FAILED_PACKETS * FAILED_S, None)
    assert health.trouble


def test_a_stream_without_keyframes_is_trouble_and_one_of_two_minutes_is_not() -> None:
    health = DecodeHealth()
    for second in range(0, 121, 5):
        health.waiting(float(second))
    health.keyframe()
    for second in range(121, 121 + int(NO_KEYFRAME_S), 5):
        health.waiting(float(second))
        assert health.trouble is None
    health.waiting(121 + NO_KEYFRAME_S)
    assert "no keyframe for 180 s" in (health.trouble or "")
