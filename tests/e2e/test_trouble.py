"""Trouble in mid-run: whatever is killed, cut off or filled up, the pipeline gets well by itself and loses nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest

from devtools.compose import POLL_S, Project, docker, wait_for
from devtools.log_lines import line_of
from shared_utils.log import LogMessage
from tests.e2e.incident import Running
from tests.e2e.steps import add_yard, job_status, running_cameras, submit
from vcam_worker import messages

BACK_TIMEOUT_S = 120.0
CUT_S = 60
AWAY_CLIPS = 2
"""Clips saved while Redis is away, before it comes back."""
FULL_S = 25
"""Several tries of a camera, and one of a job."""
LEAST_LOSS_S = 4.0
"""Seconds of footage before a ``kill -9`` that may be lost: the GOP in work, a second here, and what was on its way."""
OPEN_BYTES = 100_000
"""Of the yard's clip in work: three seconds."""
TIGHT = "400m"
"""Memory that suffices for ordinary clips, but not for a picture of 4096 pixels. A worker that has analysed many clips
holds up to 280 MB, page cache included, and the kernel refuses a limit below that."""
YOUNG_CLIP_S = 8.0
"""Seconds before a trouble from which on a clip may begin that has no whole GOP on disk: its pre-roll of 5 s, which
reaches back to a keyframe, and the second until its first GOP is flushed."""
CAMERAS = {"street", "yard"}
LONG_JOB = {"imgsz": 1280, "fps": 0}


@pytest.fixture(autouse=True)
def _both_cameras(running: Running) -> None:
    add_yard(running)


def _long_job(running: Running) -> str:
    """Submit a job that takes a while; return its id when it is under way."""
    job = submit(running, running.auditor.clips()[-1], **LONG_JOB)
    wait_for(lambda: job_status(running, job).get("frames_done"), BACK_TIMEOUT_S, f"{job} under way")
    return job


def _open_clip(running: Running) -> None:
    """Wait until the yard has a clip open that holds some footage already."""
    work = running.project.video / ".recording"
    wait_for(
        lambda: any(path.stat().st_size > OPEN_BYTES for path in work.glob("yard.*.part")),
        BACK_TIMEOUT_S,
        "an open clip",
    )


def _remove_clips_without_gop(project: Project, trouble_at: float) -> None:
    """Remove what capture keeps of clips without a whole GOP, if they began with the trouble; others are a defect."""
    for path in (project.video / ".recording").glob("*.unreadable"):
        began = datetime.strptime(path.name.partition(".")[2], "%Y%m%d-%H%M%S.%f%z.unreadable").timestamp()
        assert began > trouble_at - YOUNG_CLIP_S, path.name
        path.unlink()


def _all_cameras(running: Running) -> None:
    wait_for(lambda: running_cameras(running) == CAMERAS, BACK_TIMEOUT_S, "a picture of all cameras")


def _restarted(project: Project, container: str, pid: int) -> None:
    wait_for(lambda: project.main_pid(container) not in {pid, 0}, BACK_TIMEOUT_S, "a restart by the engine")


def _first_gap(running: Running, since: float) -> float:
    """Return when the footage of the camera that always sees motion stops, at `since` or before."""
    starts = [start for start, end in running.auditor.gaps("yard") if end > since]
    return starts[0] if starts else since


def test_capture_is_killed(running: Running) -> None:
    project = running.project
    with running.incident("capture killed", "kill -9 of its first process, a clip open") as incident:
        _open_clip(running)
        incident.began = time.time()
        container = project.container("capture")
        pid = project.main_pid(container)
        project.kill(pid)
        _restarted(project, container, pid)
        _all_cameras(running)
        incident.back()
    _remove_clips_without_gop(project, incident.began)
    assert _count(project, messages.CLIP_RECOVERED)
    assert _first_gap(running, incident.began) > incident.began - LEAST_LOSS_S


def _count(project: Project, message: LogMessage) -> int:
    """Return how many lines of a message capture's log has."""
    return len(re.findall(line_of(message), project.logs("capture")))


def test_one_cameras_process_is_killed(running: Running) -> None:
    project = running.project
    table = docker("top", project.container("capture"), "-eo", "pid,args").splitlines()
    children = sorted(int(line.split()[0]) for line in table if "spawn_main" in line)
    assert len(children) == len(CAMERAS)
    before = _count(project, messages.CONNECTED)
    with running.incident("camera process killed", "kill -9 of the yard's process, beside the street's") as incident:
        _open_clip(running)
        incident.began = time.time()
        project.kill(children[-1])  # started in the order of the file
        wait_for(lambda: _count(project, messages.CAMERA_PROCESS_ENDED), BACK_TIMEOUT_S, "a word of capture")
        _all_cameras(running)
        incident.back()
    _remove_clips_without_gop(project, incident.began)
    ended = line_of(messages.CAMERA_PROCESS_ENDED, r".*signal SIGKILL, at \d+ MB of memory.*", who="yard")
    assert re.search(ended, project.logs("capture"))
    assert _count(project, messages.CONNECTED) == before + 1  # the other one was left alone
    assert _first_gap(running, incident.began) > incident.began - LEAST_LOSS_S


def test_a_worker_is_killed_in_the_middle_of_a_job(running: Running) -> None:
    project = running.project
    with running.incident("worker killed", "kill -9 of its first process in the middle of a job") as incident:
        job = _long_job(running)
        container = project.container("video-worker")
        pid = project.main_pid(container)
        incident.began = time.time()
        project.kill(pid)
        _restarted(project, container, pid)
        wait_for(lambda: running.auditor.analysed([], [job]), BACK_TIMEOUT_S, f"the line of {job}")
        incident.back()
    (record,) = [one for one in running.auditor.records() if one["job_id"] == job]
    assert record["ok"]
    assert not running.auditor.lost("yard", incident.began)


def test_redis_is_killed(running: Running) -> None:
    project = running.project
    with running.incident("Redis killed", "kill -9 of its first process, while a job is under way") as incident:
        job = _long_job(running)
        container = project.container("redis")
        pid = project.main_pid(container)
        incident.began = time.time()
        project.kill(pid)
        _restarted(project, container, pid)
        wait_for(lambda: running.auditor.analysed([], [job]), BACK_TIMEOUT_S, f"the line of {job}")
        incident.back()
    assert not running.auditor.lost("yard", incident.began)


def test_redis_is_away_for_a_while(running: Running) -> None:
    project = running.project
    with running.incident("Redis away", f"stopped until {AWAY_CLIPS} clips are saved, then started") as incident:
        project.compose("stop", "redis")
        before = len(running.auditor.clips())
        wait_for(lambda: len(running.auditor.clips()) >= before + AWAY_CLIPS, BACK_TIMEOUT_S, "clips saved meanwhile")
        assert list((project.video / ".outbox").iterdir())
        project.compose("start", "redis")
        incident.over()
        names = running.auditor.clips()
        wait_for(lambda: running.auditor.analysed(names), BACK_TIMEOUT_S, "the lines of what was saved meanwhile")
        incident.back()
    assert not running.auditor.lost("yard", incident.began)


def test_a_cameras_network_is_cut(running: Running) -> None:
    project = running.project
    container = project.container("camera-yard")
    (network,) = project.inspect(container)["NetworkSettings"]["Networks"]
    reported = _count(project, messages.NO_PICTURE)
    with running.incident("camera cut off", f"its network disconnected for {CUT_S} s") as incident:
        docker("network", "disconnect", network, container)
        try:
            wait_for(lambda: running_cameras(running) == {"street"}, CUT_S, "the yard known to be away")
            time.sleep(max(0.0, incident.began + CUT_S - time.time()))  # the trouble itself lasts so long
        finally:
            docker("network", "connect", "--alias", "camera-yard", network, container)
        incident.over()
        _all_cameras(running)
        incident.back()
    assert _count(project, messages.NO_PICTURE) == reported + 1


@contextmanager
def _full(folder: Path) -> Iterator[Callable[[], None]]:
    """Leave not a byte in a file system; what is given tops it up, since others delete what they could not finish."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:

        def fill() -> None:
            for block in (1 << 20, 512):
                with suppress(OSError):
                    while True:
                        file.write(bytes(block))

        try:
            fill()
            yield fill
        finally:
            ballast.unlink()


def test_the_volume_is_filled_to_the_brim(running: Running) -> None:
    if not running.has_small_volume:
        pytest.skip("mounting a small file system needs root")
    project = running.project
    paused = _count(project, messages.RECORDING_PAUSED)
    with running.incident("volume full", f"not a byte left for {FULL_S} s, a job submitted") as incident:
        _open_clip(running)
        incident.began = time.time()
        with _full(project.video) as fill:
            submit(running, running.auditor.clips()[0], fps=2)
            while time.time() < incident.began + FULL_S:
                fill()
                time.sleep(POLL_S)
        incident.over()
        assert _count(project, messages.RECORDING_PAUSED) == paused + len(CAMERAS)
        _all_cameras(running)
        names = set(running.auditor.clips())
        wait_for(lambda: set(running.auditor.clips()) - names, BACK_TIMEOUT_S, "a new clip")
        incident.back()
    _remove_clips_without_gop(project, incident.began)  # of a clip that began while there was no room
    assert _first_gap(running, incident.began) > incident.began - LEAST_LOSS_S


def test_a_worker_has_too_little_memory_for_a_job(running: Running) -> None:
    project = running.project
    container = project.container("video-worker")
    before = project.inspect(container)["HostConfig"]
    restarts = project.inspect(container)["RestartCount"]
    with running.incident("memory limit hit", f"a job at imgsz 4096 with {TIGHT}B for the worker") as incident:
        docker("update", "--memory", TIGHT, "--memory-swap", TIGHT, container)
        try:
            job = submit(running, running.auditor.clips()[-1], imgsz=4096, fps=0)
            wait_for(lambda: running.auditor.analysed([], [job]), BACK_TIMEOUT_S * 2, f"the line of {job}")
        finally:
            docker("update", "--memory", str(before["Memory"]), "--memory-swap", str(before["MemorySwap"]), container)
        incident.back()
    (record,) = [one for one in running.auditor.records() if one["job_id"] == job]
    assert not record["ok"]
    assert "memory" in record["error"]
    assert project.inspect(container)["RestartCount"] == restarts + 4  # once, and three tries
    assert not running.auditor.lost("yard", incident.began)
