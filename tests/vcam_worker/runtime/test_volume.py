"""What happens to the shared volume while capture runs: folders deleted, unmounted, read-only, without fsync."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest

from devtools.log_lines import line_of, line_of_any
from devtools.paths import ROOT
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from shared_utils.contracts.clips import list_clips, parse_clip_name
from shared_utils.queue.jobs import clip_queue
from tests.support.footage.video import moving_box, packet_times, write_video
from tests.support.network.cameras import capture, emulator
from tests.support.programs import Program, Programs
from vcam_worker import messages
from vcam_worker.runtime.camera_process import waits_for_disk

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one camera for all of these tests: in 7 of 8 s something crosses its picture."""
    film = write_video(
        tmp_path_factory.mktemp("film") / "busy.mp4", moving_box(start_s=0.5, end_s=7.5), seconds=8, gop=5
    )
    address = f"rtsp://127.0.0.1:{free_port()}/stream"
    programs = Programs()
    emulator(programs, film, address)
    yield address
    programs.end()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, as a network share is."""
    folder = tmp_path / "share"
    folder.mkdir()
    mount(folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder.with_name("read-only"))], check=False, capture_output=True)
    while not subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True).returncode:
        pass  # one mount over another


def mount(folder: Path) -> None:
    # one that is the same after it was unmounted: a file with ext4
    image = folder.with_name("image.ext4")
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting a file system needs root and mkfs.ext4")
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no image files")
    if not shutil.which("fsfreeze"):
        pytest.skip("freezing a file system needs fsfreeze")


def make_read_only(folder: Path) -> None:
    """Have what is opened from now on be read-only; made elsewhere first, as files are open for writing here."""
    other = folder.with_name("read-only")
    other.mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(other)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(other)], check=True)
    subprocess.run(["mount", "--bind", str(other), str(folder)], check=True)


def job_names(server: RedisServer) -> list[str]:
    return [job.kwargs["filename"] for job in clip_queue(server.settings, server.connection()).jobs]


# what the kernel of an old CIFS or a FUSE file system answers, for every process of the program
NO_FSYNC = """
import errno, os, stat
real = os.fsync
def fsync(file):
    if stat.S_ISDIR(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    real(file)
os.fsync = fsync
"""


def assert_decodable(clip: Path) -> None:
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 0


SAVED = r"clip (?:saved|recovered that the last run left open): (\S+)"


def test_folders_that_are_deleted_are_made_again_and_no_clip_is_lost_even_without_fsync(
    programs: Programs, url: str, env: dict[str, str], video_dir: Path, redis_server: RedisServer, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_FSYNC)
    program = capture(programs, {**env, "PYTHONPATH": f"{site}:{ROOT}", "CLIP_SECONDS": "2"}, url)
    names = []
    for count, deleted in enumerate((".recording", ".outbox", "."), start=1):
        program.wait_for(line_of_any(messages.CLIP_STARTED, messages.CLIP_CONTINUED), count=count)
        shutil.rmtree(video_dir / deleted)
        names.append(program.wait_for(SAVED, count=count)[1])
        program.wait_for(line_of(messages.JOB_QUEUED, names[-1]))
        assert packet_times(video_dir / names[-1])[-1] > 1
        assert_decodable(video_dir / names[-1])
    redis_server.stop()
    name = program.wait_for(SAVED, count=4)[1]
    shutil.rmtree(video_dir / ".outbox")
    redis_server.start()
    program.wait_for(line_of(messages.JOB_QUEUED, name))
    program.wait_for(line_of_any(messages.CLIP_STARTED, messages.CLIP_CONTINUED), count=5)
    shutil.rmtree(video_dir)
    assert program.stop() == 0
    assert list_clips(video_dir)
    assert list((video_dir / ".recording").iterdir()) == []
    assert set(job_names(redis_server)) >= {*names, name}
    assert not program.count(messages.RECORDING_PAUSED)
    assert "Traceback" not in program.text
    assert program.count(messages.VOLUME_WITHOUT_FSYNC) == 1


def assert_packets_received_while_the_volume_hung_are_analysed(program: Program, mounted: Path) -> None:
    began = datetime.now()
    subprocess.run(["fsfreeze", "-f", str(mounted)], check=True)
    # longer than a loaded machine is behind
    time.sleep(8)
    subprocess.run(["fsfreeze", "-u", str(mounted)], check=True)
    thawed = datetime.now()

    def is_from_meanwhile(clip: Path) -> bool:
        name = parse_clip_name(clip.name)
        assert name
        return began < name.started_at < thawed - timedelta(seconds=4)

    while not any(is_from_meanwhile(clip) for clip in list_clips(mounted / "video")):
        assert datetime.now() < thawed + timedelta(seconds=30), program.text
        time.sleep(0.1)


def test_a_share_that_is_unmounted_hangs_and_becomes_read_only_costs_nothing(
    programs: Programs, url: str, env: dict[str, str], mounted: Path
) -> None:
    program = capture(
        programs, {**env, "VIDEO_DIR": str(mounted / "video"), "MIN_FREE_GB": "0", "CLIP_SECONDS": "2"}, url
    )
    program.wait_for(messages.CLIP_STARTED)
    subprocess.run(["umount", "-l", str(mounted)], check=True)
    program.wait_for(line_of(messages.RECORDING_PAUSED, ".*was a mounted volume at the start and is none now.*"))
    assert list(mounted.iterdir()) == []
    mount(mounted)
    program.wait_for(messages.RECORDING_RESUMED)
    clips = program.count(messages.CLIP_SAVED)
    program.wait_for(messages.CLIP_SAVED, count=clips + 1)
    assert_packets_received_while_the_volume_hung_are_analysed(program, mounted)
    make_read_only(mounted)
    program.wait_for(line_of(messages.RECORDING_PAUSED, "VIDEO_DIR cannot be written to .Read-only file system..*"))
    assert program.stop() == 0
    assert "Traceback" not in program.text
    assert program.count(messages.RECORDING_PAUSED) == 2


def test_a_clip_that_cannot_be_finished_at_the_end_is_one_line(
    programs: Programs, url: str, env: dict[str, str], video_dir: Path
) -> None:
    program = capture(programs, env, url, CLIP_SECONDS="60")
    program.wait_for(messages.CLIP_STARTED)
    shutil.rmtree(video_dir / ".outbox")
    (video_dir / ".outbox").write_text("a file where the folder was")
    assert program.stop() == 0
    assert "Traceback" not in program.text
    (video_dir / ".outbox").unlink()
    again = capture(programs, env, url)
    again.wait_for(messages.CLIP_RECOVERED)
    assert again.stop() == 0


def test_a_process_that_waits_for_a_disk_is_distinguished_from_one_that_hangs(mounted: Path) -> None:
    code = "import sys; print('begins', flush=True); open(sys.argv[1], 'w').write('x')"
    if subprocess.run(["fsfreeze", "-f", str(mounted)], check=False, capture_output=True).returncode:
        pytest.skip("this machine freezes no file systems")
    try:
        with subprocess.Popen([sys.executable, "-c", code, str(mounted / "file")], stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == b"begins\n"
            deadline = time.monotonic() + 20
            while not waits_for_disk(process.pid):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            subprocess.run(["fsfreeze", "-u", str(mounted)], check=True)
            assert process.wait(20) == 0
    finally:
        subprocess.run(["fsfreeze", "-u", str(mounted)], check=False, capture_output=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not waits_for_disk(process.pid)
        assert process.stdin
        process.stdin.close()
    assert not waits_for_disk(process.pid)
