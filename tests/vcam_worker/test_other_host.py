"""A camera on another host: packets over UDP come from there, not from the relay on the loopback interface."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from devtools.log_lines import line_of
from devtools.paths import ROOT
from tests.support.footage.video import moving_box, write_video
from tests.support.network.cameras import file_launch, gst_command
from tests.support.network.netns import NetHost, two_hosts
from tests.support.programs import Program, Programs
from vcam_worker import messages


@pytest.fixture
def hosts() -> Iterator[tuple[NetHost, NetHost]]:
    with two_hosts() as pair:
        yield pair


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Something crosses all the time."""
    return write_video(tmp_path / "film.mp4", moving_box(320, 180, 0, 30, side=40), seconds=30, gop=10)


def capture_on(here: NetHost, programs: Programs, video_dir: Path, url: str, transport: str) -> Program:
    env = {
        "RTSP_URL": url,
        "RTSP_TRANSPORT": transport,
        "VIDEO_DIR": str(video_dir),
        "RDS_HOST": "127.0.0.1",  # where there is none: clips wait
        "RDS_PSW": "x",
        "CLIP_SECONDS": "3",
        "PRE_ROLL_SECONDS": "1",
    }
    return here.start(programs, sys.executable, "-m", "vcam_worker", env=env)


def is_recorded_over_udp(there: NetHost, programs: Programs, program: Program, video_dir: Path) -> None:
    """Wait for a clip of the camera's pictures, and for our reports on them to reach the camera."""
    watch = there.start(
        programs, sys.executable, str(ROOT / "tests/support/network/receiver_reports.py"), there.interface
    )
    watch.wait_for("ready")
    program.wait_for(line_of(messages.CONNECTED, ".*", ".*udp.*"), 60)
    name = program.wait_for(messages.CLIP_SAVED, 60)[1]
    watch.wait_for("receiver report", 60)
    assert program.stop() == 0
    with av.open(str(video_dir / name)) as clip:
        assert len(list(clip.decode(video=0))) >= 30


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_camera_over_udp_is_recorded_and_gets_its_reports(
    programs: Programs, hosts: tuple[NetHost, NetHost], film: Path, video_dir: Path, family: str
) -> None:
    there, here = hosts
    address = there.addresses[family]
    server = there.start(programs, *gst_command(file_launch(film), "--address", address))
    port = server.wait_for(r"ready (\d+)")[1]
    shown = f"[{address}]" if family == "IPv6" else address
    program = capture_on(here, programs, video_dir, f"rtsp://{shown}:{port}/test", "udp")
    is_recorded_over_udp(there, programs, program, video_dir)


def test_a_camera_that_knows_udp_alone_is_recorded_by_itself(
    programs: Programs, hosts: tuple[NetHost, NetHost], film: Path, video_dir: Path
) -> None:
    there, here = hosts
    url = f"rtsp://{there.addresses['IPv4']}:8554/stream"
    camera = there.start(programs, sys.executable, "-m", "camera_emulator", "--source", str(film), "--url", url)
    camera.wait_for("ready")
    program = capture_on(here, programs, video_dir, url, "auto")
    is_recorded_over_udp(there, programs, program, video_dir)
