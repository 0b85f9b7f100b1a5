"""A camera that takes more memory than it may is the one that ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from devtools.ports import free_port
from tests.support.footage.video import moving_box, write_video
from tests.support.network.cameras import camera_processes, emulator
from tests.support.network.hosts import Call, host
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.runtime import memory

pytestmark = pytest.mark.slow


def test_a_stream_that_fills_the_memory_ends_its_own_process_and_no_other(
    programs: Programs, footage: Path, env: dict[str, str], tmp_path: Path
) -> None:
    good = write_video(tmp_path / "good.h264", moving_box(320, 180, side=20), seconds=2).read_bytes()

    def endless(call: Call) -> None:
        """Send a frame that has no end, after good ones: the library's parser collects it."""
        call.request()
        call.answer("200 OK\r\nContent-Type: video/h264", good)
        while True:
            call.send(b"\xaa" * 1_000_000)

    url = f"http://127.0.0.1:{free_port()}/video"
    emulator(programs, footage, url)
    cameras = tmp_path / "cameras.toml"
    with host(endless) as here:
        cameras.write_text(f'[innocent]\nurl = "{url}"\n[hostile]\nurl = "http://{here.url}/live"\n')
        program = programs.python(
            "-m", "vcam_worker", env={**env, "CAMERAS_FILE": str(cameras), "CAMERA_MEMORY_MB": "250"}
        )
        program.wait_for(line_of(messages.CONNECTED, who="innocent"))
        ended = r"hostile.*process ended \(it took (\d+) MB of memory, CAMERA_MEMORY_MB allows 250\); started again"
        program.wait_for(ended, 120, count=2)
        program.wait_for(line_of(messages.CLIP_SAVED, who="innocent"), 60)
        scores = [Path(f"/proc/{one.pid}/oom_score_adj").read_text() for one in camera_processes(program)]
        assert memory.OOM_SCORE in {int(one) for one in scores}  # one may have begun just now
        assert program.stop() == 0
    text = program.text
    assert not re.search("innocent.*(no picture|process ended)", text)
    took = [int(found[1]) for found in re.finditer(ended, text)]
    assert max(took) < 250 + 192 + 64


def test_a_process_that_grows_between_two_checks_is_held_by_its_own_bound() -> None:
    grow = (
        "from vcam_worker.runtime import memory; memory.bound_own(200 * memory.MIB); held = []\n"
        "try:\n"
        "    while len(held) < 1000: held.append(b'x' * memory.MIB)\n"
        "except MemoryError: print(len(held))\n"
    )
    done = subprocess.run([sys.executable, "-c", grow], capture_output=True, text=True, check=True, timeout=60)
    assert 200 <= int(done.stdout) <= 400


@pytest.mark.parametrize("pid", [2**22 + 1, 0])
def test_of_a_process_that_is_gone_nothing_is_known(pid: int) -> None:
    assert memory.taken(pid) is None
