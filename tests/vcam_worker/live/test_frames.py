"""``/frames/<camera>`` of a real capture that records a real camera."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from devtools.ports import free_port
from devtools.rtsp.replay import ReplayServer
from tests.support.footage.barcode_clips import barcode, number_in
from tests.support.footage.video import moving_box, noise_background, write_video
from tests.support.network.cameras import camera_processes, capture, emulator, file_launch, gst_server
from tests.support.network.hosts import Call, host, jpeg
from tests.support.programs import Programs
from tests.vcam_worker.live.frame_reader import FrameReader, frames, live_figure, wait_for_figure
from vcam_worker import messages
from vcam_worker.web.frame_routes import MAX_SIZES, MAX_VIEWERS

pytestmark = pytest.mark.slow

FPS = 20
NUMBERS = 400
CONNECTED = r"connected to .*"


@contextlib.contextmanager
def replayed(**files: Path) -> Iterator[ReplayServer]:
    server = ReplayServer(files)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """20 s of which each frame shows its own number, with a keyframe every 2 s."""
    draw = barcode(FPS, width=576, height=320)
    return write_video(tmp_path / "numbered.mp4", draw, seconds=NUMBERS / FPS, fps=FPS, gop=2 * FPS)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A sub-stream."""
    draw = moving_box(320, 180, start_s=1, end_s=3)
    return write_video(tmp_path / "small.mp4", draw, seconds=5, fps=FPS, gop=FPS)


def cameras_file(folder: Path, **tables: str) -> Path:
    path = folder / "cameras.toml"
    path.write_text("".join(f"[{name}]\n{lines}\n" for name, lines in tables.items()))
    path.chmod(0o600)
    return path


# -- sizes, rates, times


def test_two_readers_get_their_own_sizes_and_rates_of_one_decoder(
    programs: Programs, env: dict[str, str], numbered: Path
) -> None:
    with replayed(cam1=numbered) as server:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        port = env["HTTP_PORT"]
        with frames(port, "fps=5&width=288") as quick, frames(port, "fps=1&quality=50") as slow:
            slow.wait_for(5)
            wait_for_figure(port, "vcam_live_subscriptions", 2)
            assert live_figure(port, "vcam_live_decoding") == 1
            assert live_figure(port, "vcam_live_clients") == 2
            few, many = list(slow.parts), list(quick.parts)
        assert {part.picture.shape for part in many} == {(160, 288, 3)}
        assert {part.picture.shape for part in few} == {(320, 576, 3)}
        assert many[-1].at - many[0].at == pytest.approx((len(many) - 1) / 5, abs=1.0)
        assert few[-1].at - few[0].at == pytest.approx(len(few) - 1, abs=1.0)
        # the last one to leave ends all of it, decoder included
        wait_for_figure(port, "vcam_live_subscriptions", 0)
        wait_for_figure(port, "vcam_live_decoding", 0)
        made = live_figure(port, "vcam_live_frames_total")
        assert made <= len(quick.parts) + len(slow.parts) + 15
        [process] = camera_processes(program)
        with frames(port, "fps=5"):
            wait_for_figure(port, "vcam_live_decoding", 1)
            busy = process.num_threads()
        wait_for_figure(port, "vcam_live_decoding", 0)
        assert process.num_threads() < busy
        assert program.stop() == 0


@pytest.mark.parametrize("watched", ["main stream", "sub-stream", "keyframes"])
def test_timestamps_tell_when_a_frame_was_received(
    programs: Programs, env: dict[str, str], numbered: Path, small: Path, tmp_path: Path, watched: str
) -> None:
    with replayed(cam1=numbered, small=small) as server:
        lines = f'url = "{server.url("cam1")}"\n'
        lines += f'detect_url = "{server.url("small")}"\n' if watched == "sub-stream" else ""
        more = {"CAMERAS_FILE": str(cameras_file(tmp_path, cam1=lines))}
        more |= {"MOTION_DECODE": "keyframes"} if watched == "keyframes" else {}
        program = programs.python("-m", "vcam_worker", env={**env, **more})
        program.wait_for(CONNECTED, count=2 if watched == "sub-stream" else 1)
        with frames(env["HTTP_PORT"], "fps=4") as reader:
            parts = reader.wait_for(16)
            sent, now = server.counts()["cam1"]["sent"], time.time()
        # when the file's first frame would have been sent, by the camera and by each frame
        begun = now - (sent - 1) / FPS
        by_frames = [part.at - number_in(part.picture) / FPS for part in parts]
        assert max(by_frames) - min(by_frames) < 0.1
        assert abs((by_frames[-1] - begun + 10) % (NUMBERS / FPS) - 10) < 0.15
        # the newest frames, not those that were only decoded through
        assert all(part.came - part.at < 2 for part in parts)
        assert all(before.at < after.at for before, after in pairwise(parts))
        assert program.stop() == 0


def test_the_first_frame_comes_long_before_the_next_keyframe(
    programs: Programs, env: dict[str, str], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "long.mp4", barcode(FPS, 576, 320), seconds=20, fps=FPS, gop=1000)
    with replayed(cam1=path) as server:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        with frames(env["HTTP_PORT"], "fps=2") as early:
            early.wait_for(4)  # decoded from the first keyframe on
        wait_for_figure(env["HTTP_PORT"], "vcam_live_decoding", 0)
        with frames(env["HTTP_PORT"], "fps=2") as late:
            first = late.wait_for(3)[0]
        assert number_in(first.picture) > number_in(early.parts[-1].picture)
        assert first.came - first.at < 3
        assert program.stop() == 0


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h265", {"preset": "ultrafast", "x265-params": "bframes=0:keyint=40:min-keyint=40:log-level=none"}),
        ("h265", {"preset": "ultrafast", "x265-params": "bframes=3:keyint=40:min-keyint=40:log-level=none"}),
        ("h264", {"preset": "veryfast", "bf": "3", "x264-params": "open-gop=1:keyint=40:min-keyint=40"}),
    ],
    ids=["H.265", "H.265 with B-frames", "H.264 with B-frames and open GOPs"],
)
@pytest.mark.parametrize("decode", ["all", "keyframes"])
def test_frames_of_other_codings(  # fixtures
    programs: Programs, env: dict[str, str], tmp_path: Path, codec: str, options: dict[str, str], decode: str
) -> None:
    path = tmp_path / "coded.mp4"
    library = "libx265" if codec == "h265" else "libx264"
    write_video(path, barcode(FPS, 576, 320), seconds=20, fps=FPS, codec=library, options=options)
    port = gst_server(programs, file_launch(path, codec))
    program = capture(programs, env, f"rtsp://127.0.0.1:{port}/test", MOTION_DECODE=decode)
    program.wait_for(CONNECTED)
    with frames(env["HTTP_PORT"], "fps=4") as reader:
        parts = reader.wait_for(20)
    begun = [part.at - number_in(part.picture) / FPS for part in parts]
    assert max(begun) - min(begun) < 0.1
    assert all(before.at < after.at for before, after in pairwise(parts))
    assert program.stop() == 0


# -- readers that stall, come in crowds, want motion alone


def test_a_reader_that_stalls_delays_neither_another_nor_recording(
    programs: Programs, env: dict[str, str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (4, 720, 1280, 3), np.uint8)
    path = write_video(tmp_path / "noise.mp4", lambda s: noise[int(s * 10) % 4], seconds=5, fps=10, gop=10)
    with replayed(cam1=path) as server:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        port = env["HTTP_PORT"]
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(("127.0.0.1", int(port)))
            stalled.sendall(b"GET /frames/cam1?fps=5&quality=95 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_for_figure(port, "vcam_live_subscriptions", 1)
            with frames(port, "fps=5&quality=95") as reader:
                before = live_figure(port, "vcam_packets_total")
                parts = reader.wait_for(40)
            assert parts[-1].came - parts[0].came < 16
            assert all(part.came - part.at < 2 for part in parts)
            assert live_figure(port, "vcam_packets_total") - before > 50
            assert live_figure(port, "vcam_skipped_frames_total") == 0
        assert program.stop() == 0


def test_two_hundred_readers(programs: Programs, env: dict[str, str], numbered: Path) -> None:
    with replayed(cam1=numbered) as server, contextlib.ExitStack() as stack:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        readers = [FrameReader(int(env["HTTP_PORT"]), "/frames/cam1?fps=2") for _ in range(2 * MAX_VIEWERS)]
        for one in readers:
            stack.callback(one.close)
        assert sorted(one.wait_for_status() for one in readers) == [200] * MAX_VIEWERS + [503] * MAX_VIEWERS
        for one in readers:
            if one.status == 200:
                one.wait_for(3)
            else:
                one.wait_for_end()
                assert one.text == f"too many viewers: {MAX_VIEWERS} have live frames already; try again later"
        assert live_figure(env["HTTP_PORT"], "vcam_live_frames_total") < MAX_VIEWERS
        stack.close()
        with frames(env["HTTP_PORT"]) as reader:
            reader.wait_for(1)
        assert program.stop() == 0


def test_clients_that_leave_at_any_moment_leave_nothing_behind(
    programs: Programs, env: dict[str, str], numbered: Path
) -> None:
    with replayed(cam1=numbered) as server:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        port = int(env["HTTP_PORT"])

        def visit(number: int) -> None:
            with socket.create_connection(("127.0.0.1", port), 20) as visitor:
                visitor.sendall(b"GET /frames/cam1?fps=30&width=320 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if number % 3:  # before, while or after the first frame is sent
                    visitor.recv(100 * number)

        with frames(port, "fps=30&width=320") as reader:
            reader.wait_for(1)
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(visit, range(300)))
            wait_for_figure(port, "vcam_live_clients", 1)
            reader.wait_for(len(reader.parts) + 5)
        wait_for_figure(port, "vcam_live_subscriptions", 0)
        assert program.stop() == 0


def test_too_many_sizes_at_once_are_refused(programs: Programs, env: dict[str, str], numbered: Path) -> None:
    with replayed(cam1=numbered) as server, contextlib.ExitStack() as stack:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        for number in range(MAX_SIZES):
            reader = stack.enter_context(frames(env["HTTP_PORT"], f"fps=1&width={100 + 10 * number}"))
            assert reader.wait_for(1)[0].picture.shape[1] == 100 + 10 * number
        with frames(env["HTTP_PORT"], "fps=1&width=300") as reader:
            assert reader.wait_for_status() == 503
        with frames(env["HTTP_PORT"], "fps=1&width=100") as reader:
            reader.wait_for(1)
        assert program.stop() == 0


def test_frames_only_while_something_moves(programs: Programs, env: dict[str, str], footage: Path) -> None:
    with replayed(cam1=footage) as server:
        program = capture(programs, env, server.url("cam1"))
        program.wait_for(CONNECTED)
        port = env["HTTP_PORT"]
        with frames(port, "fps=5&when=motion") as reader:
            assert reader.wait_for_status() == 200
            reader.wait_for(3)
            assert any((part.picture[..., 2].astype(int) - part.picture[..., 0] > 100).any() for part in reader.parts)
            wait_for_figure(port, "vcam_live_decoding", 1)
            wait_for_figure(port, "vcam_live_decoding", 0)
            still = len(reader.parts)
            assert live_figure(port, "vcam_live_subscriptions") == 1
            parts = reader.wait_for(still + 3)
        gaps = [after.at - before.at for before, after in pairwise(parts)]
        assert gaps[still - 1] > 1.5
        assert parts[still - 1].at - parts[0].at < 7
        assert max(part.share for part in parts) > 0.01
        assert program.stop() == 0


# -- cameras that go and come


def test_readers_outlive_the_cameras_connection_and_its_process(
    programs: Programs, env: dict[str, str], footage: Path
) -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/stream"
    began = time.time()
    camera = emulator(programs, footage, url)
    program = capture(programs, env, url)
    program.wait_for(CONNECTED)
    with frames(env["HTTP_PORT"], "fps=5") as reader:
        reader.wait_for(3)
        camera.stop()
        program.wait_for(messages.NO_PICTURE)
        before = len(reader.parts)
        emulator(programs, footage, url)
        program.wait_for(messages.CONNECTED_AGAIN)
        before = reader_goes_on(reader, before)
        [process] = camera_processes(program)
        process.kill()
        program.wait_for(messages.CAMERA_PROCESS_ENDED)
        before = len(reader.parts)
        reader_goes_on(reader, before)
        # each connection has a time of its own, from its first frame on
        times = [part.at for part in reader.parts]
        assert times == sorted(times)
        assert times[0] > began
        wait_for_figure(env["HTTP_PORT"], "vcam_live_subscriptions", 1)
    wait_for_figure(env["HTTP_PORT"], "vcam_live_subscriptions", 0)
    assert program.stop() == 0


def reader_goes_on(reader: FrameReader, before: int) -> int:
    parts = reader.wait_for(before + 5)
    assert parts[-1].came - parts[-1].at < 3
    return len(parts)


def test_a_camera_that_is_removed_ends_its_readers_and_the_others_go_on(
    programs: Programs, env: dict[str, str], numbered: Path, tmp_path: Path
) -> None:
    with replayed(one=numbered, two=numbered) as server:
        tables = {name: f'url = "{server.url(name)}"' for name in ("one", "two")}
        path = cameras_file(tmp_path, **tables)
        program = programs.python("-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(path)})
        program.wait_for(CONNECTED, count=2)
        with frames(env["HTTP_PORT"], camera="one") as first, frames(env["HTTP_PORT"], camera="two") as second:
            first.wait_for(1)
            second.wait_for(1)
            cameras_file(tmp_path, two=tables["two"])
            first.wait_for_end()
            assert first.is_complete
            second.wait_for(len(second.parts) + 3)
            assert program.stop() == 0
            second.wait_for_end()


def test_a_camera_that_gives_no_frame_is_refused_with_the_reason(programs: Programs, env: dict[str, str]) -> None:
    program = capture(programs, env, f"rtsp://127.0.0.1:{free_port()}/none")
    program.wait_for(messages.NO_PICTURE)
    for query in ("fps=2", "fps=2&when=motion"):
        with frames(env["HTTP_PORT"], query) as reader:
            assert reader.wait_for_status() == 503
            reader.wait_for_end()
        assert reader.text.startswith("no frame of cam1 for 10 s: 127.0.0.1:")
        assert "\n" not in reader.text
    assert program.stop() == 0


# -- cameras that send JPEG


def mjpeg_camera(pictures: Callable[[int], bytes]) -> Callable[[Call], None]:
    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
        number = 0
        while True:
            body = pictures(number)
            call.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", body, b"\r\n")
            number += 1
            time.sleep(0.1)

    return behave


def test_jpegs_are_passed_on_as_sent_or_made_to_order(programs: Programs, env: dict[str, str]) -> None:
    sent = [jpeg(noise_background(320, 180, seed)) for seed in range(4)]
    with host(mjpeg_camera(lambda number: sent[number % 4])) as here:
        program = capture(programs, env, f"http://{here.url}/video")
        program.wait_for(CONNECTED)
        port = env["HTTP_PORT"]
        with frames(port, "fps=5") as as_sent, frames(port, "fps=5&width=160") as small:
            assert {part.jpeg for part in as_sent.wait_for(10)} <= set(sent)
            assert {part.picture.shape for part in small.wait_for(5)} == {(90, 160, 3)}
        with frames(port, "fps=5&quality=20") as made:
            assert not {part.jpeg for part in made.wait_for(3)} & set(sent)
        assert program.stop() == 0


def test_frames_that_cannot_be_decoded_are_skipped(programs: Programs, env: dict[str, str]) -> None:
    good = jpeg(noise_background(320, 180))
    bad = good[: len(good) // 8] + b"\xff\xd9"
    is_bad = threading.Event()
    with host(mjpeg_camera(lambda number: bad if is_bad.is_set() and number % 4 else good)) as here:
        program = capture(programs, env, f"http://{here.url}/video")
        program.wait_for(CONNECTED)
        with frames(env["HTTP_PORT"], "fps=10&width=160") as reader:
            reader.wait_for(3)
            is_bad.set()
            reader.wait_for(len(reader.parts) + 10)
        assert not program.count(messages.LIVE_FRAMES_FAILED)
        assert not program.count(messages.CAMERA_PROCESS_ENDED)
        assert program.stop() == 0
