"""CheckJupyter and RedisConnectionTest: run by a real kernel, and what stands behind them in bad cases."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.paths import SCENE_MODEL
from devtools.ports import free_port
from devtools.redis_server import RedisServer
from notebooks.lab.data.results import load_log
from notebooks.lab.jobs import checks
from notebooks.lab.jobs.checks import Check, Checks
from notebooks.lab.jobs.job_bars import watch
from notebooks.lab.jobs.places import Places
from notebooks.lab.jobs.queue_panel import FailedJobs, depth, ping, reasons, styled, who_works
from shared_utils.contracts.clips import list_clips
from shared_utils.queue.jobs import counts, states, submit, submit_many, workers
from tests.notebooks.conftest import RunNotebook


@pytest.fixture
def places(redis_server: RedisServer, tmp_path: Path) -> Places:
    """An empty video folder, and a Redis."""
    (tmp_path / "empty").mkdir()
    return Places.from_env({**redis_server.env, "VIDEO_DIR": str(tmp_path / "empty")})


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_check_jupyter_is_all_green_and_shows_a_frame(
    run_notebook: RunNotebook, sample_volume: Path, worker_env: dict[str, str]
) -> None:
    asked = ["found.ok", "[check.name for check in found]", "{check.name: check.found for check in found}"]
    done = run_notebook("CheckJupyter", sample_volume, worker_env, values=asked)
    assert done.values["found.ok"] is True, done.text
    by_check = done.values[asked[2]]
    newest = max(clip.name for clip in list_clips(sample_volume) if clip.stat().st_size > 1000)
    assert by_check["newest clip"].startswith(newest[:15])
    assert "640×360" in by_check["newest clip"]
    assert by_check["models"] == SCENE_MODEL.name
    assert by_check["worker"] == "1 running, 0 busy"
    assert f"{len(load_log(sample_volume))} runs" in by_check["log"]
    assert len(done.pictures) == 1
    assert f"All {len(by_check)} checks are green." in done.text
    assert worker_env["RDS_PSW"] not in done.text


def test_check_jupyter_goes_to_its_end_on_a_machine_where_nothing_is(run_notebook: RunNotebook, tmp_path: Path) -> None:
    env = {"RDS_HOST": "127.0.0.1", "RDS_PORT": str(free_port()), "MODELS_DIR": str(tmp_path / "none")}
    done = run_notebook("CheckJupyter", tmp_path / "missing", env, values=["[c.name for c in found if not c.ok]"])
    [bad] = done.values.values()
    assert bad == ["video folder", "free disk", "models", "log", "Redis", "worker", "newest clip"]
    assert "docker compose ps redis" in done.text
    assert done.pictures == []
    assert "no clip yet" in done.text


def test_redis_connection_test_shows_workers_and_failures_and_its_button_requeues(
    run_notebook: RunNotebook, sample_volume: Path, worker_env: dict[str, str], redis_server: RedisServer
) -> None:
    places = Places.from_env(worker_env)
    queue = places.queue()
    names = [clip.name for clip in list_clips(sample_volume)]
    (sample_volume / "broken.mp4").write_bytes(b"no video")
    [failed] = watch(submit("broken.mp4", queue=queue))
    shutil.copy(sample_volume / max(names), sample_volume / "broken.mp4")
    asked = ["depth", "working", "failed", "panel.outcome", "len(panel.jobs)"]
    click = {"panel.box": "panel.choice.value = (panel.jobs[0].job_id,)\npanel.again.click()"}
    done = run_notebook("RedisConnectionTest", sample_volume, worker_env, values=asked, changes=click)
    assert {row["state"]: row["jobs"] for row in done.values["depth"]}["failed"] == 1
    [worker] = done.values["working"]
    assert (worker["does"], worker["failed"]) == ("waits", 1)
    [row] = done.values["failed"]
    assert (row["filename"], row["reason"]) == ("broken.mp4", failed.error)
    assert done.values["panel.outcome"] == "1 jobs queued again"
    assert done.values["len(panel.jobs)"] == 0
    assert worker_env["RDS_PSW"] not in done.text
    wait_until(lambda: states([failed.job_id], queue=queue)[0].state == "done")
    assert load_log(sample_volume).iloc[-1]["filename"] == "broken.mp4"
    queue.connection.close()


def test_redis_connection_test_goes_to_its_end_without_redis(run_notebook: RunNotebook, tmp_path: Path) -> None:
    env = {"RDS_HOST": "127.0.0.1", "RDS_PORT": str(free_port())}
    done = run_notebook("RedisConnectionTest", tmp_path, env, values=["reached.ok", "panel.outcome", "depth"])
    assert done.values["reached.ok"] is False
    assert "see RDS_HOST and RDS_PORT" in done.values["panel.outcome"]
    assert "see RDS_HOST and RDS_PORT" in done.values["depth"]


# -- the bad cases one by one


def test_a_wrong_password_is_reported_and_not_shown(redis_server: RedisServer) -> None:
    places = Places.from_env({**redis_server.env, "RDS_PSW": "wrong-pass"})
    for check in (checks.redis(places), ping(places)):
        assert not check.ok
        assert "RDS_PSW is not accepted" in check.found
        assert check.remedy
        assert "wrong-pass" not in check.found
    assert not checks.worker(places).ok


def test_no_redis_is_reported(redis_server: RedisServer) -> None:
    places = Places.from_env({**redis_server.env, "RDS_PORT": str(free_port())})
    assert "is not available" in checks.redis(places).found
    assert "is not available" in ping(places).found
    panel = FailedJobs(places.queue())
    assert "is not available" in panel.outcome
    assert panel.again.disabled


def test_no_worker_is_reported(places: Places) -> None:
    check = checks.worker(places)
    assert (check.ok, check.found) == (False, "no worker is running")
    assert "docker compose" in check.remedy
    assert who_works(places.queue()).empty
    assert list(who_works(places.queue())) == ["worker", "does", "done", "failed", "seen"]


def test_a_folder_that_is_missing_or_cannot_be_written_to_is_reported(tmp_path: Path) -> None:
    assert "no such folder" in checks.folder("video", tmp_path / "none").found
    assert checks.folder("video", tmp_path).ok
    assert list(tmp_path.iterdir()) == []
    # the kernel's own files: nobody may make files there, root neither
    check = checks.folder("video", Path("/proc"))
    assert not check.ok
    assert "UID and GID" in check.remedy


def test_a_log_that_cannot_be_read_is_reported(places: Places) -> None:
    places.log.mkdir()
    check = checks.log(places)
    assert not check.ok
    assert "cannot be read" in check.found
    places.log.rmdir()
    assert checks.log(places).ok
    places.log.write_bytes(b'{"ok": true, "filename": "a.mp4", "timestamp": "2026-02-23T14:49:15+02:00"}\nno\n')
    assert "1 runs over 1 clips, 0 failed; 1 lines skipped" in checks.log(places).found


def test_little_room_is_reported(places: Places) -> None:
    assert not checks.disk(places.video, {"MIN_FREE_GB": "1000000"}).ok
    assert checks.disk(places.video, {"MIN_FREE_GB": "0"}).found.endswith("GB free")


def test_models_are_searched_where_the_worker_searches(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.onnx").touch()
    folders = os.pathsep.join(str(tmp_path / name) for name in ("a", "none", "b"))
    assert checks.models({"MODELS_DIR": folders}).found == "a.onnx, b.onnx"
    assert not checks.models({"MODELS_DIR": str(tmp_path / "none")}).ok


def test_a_library_that_is_missing_is_named() -> None:
    assert checks.versions().ok
    check = checks.versions(["pandas", "no-such-library"])
    assert not check.ok
    assert "no-such-library" in check.remedy


def test_a_newest_clip_that_is_no_video_is_reported(places: Places) -> None:
    assert checks.newest_clip(places).found == "no clip yet"
    (places.video / "20260223-144819-door.mp4").write_bytes(b"no video")
    check = checks.newest_clip(places)
    assert not check.ok
    assert "no video" in check.found
    assert "no video" in str(checks.attempt(lambda: checks.first_frame(places)))


def test_checks_show_themselves_without_markup_of_others() -> None:
    found = Checks([Check("good", True, "<b>fine</b>"), Check("bad", False, "<script>", "do <this>")])
    assert not found.ok
    assert found.summary == "1 of 2 checks are green; to be seen to: bad."
    shown_html = found._repr_html_()
    assert "&lt;script&gt;" in shown_html
    assert "<script>" not in shown_html
    assert "→ do <this>" in repr(found)
    assert "✔" in shown_html
    assert "✘" in shown_html


def test_a_failed_job_s_reason_is_shown_as_text(places: Places) -> None:
    queue = places.queue()
    panel = FailedJobs(queue)
    assert panel.outcome == "nothing has failed"
    assert panel.again.disabled
    assert reasons([]).empty
    assert styled("why not") == "why not"
    submit("a.mp4", queue=queue)
    assert depth(queue).set_index("state").loc["queued", "jobs"] == 1
    panel.refresh.click()
    assert panel.outcome == "nothing has failed"


def test_all_are_queued_again_by_the_other_button(worker_env: dict[str, str], sample_volume: Path) -> None:
    queue = Places.from_env(worker_env).queue()
    (sample_volume / "broken.mp4").write_bytes(b"no video")
    watch(submit_many(["broken.mp4", "broken.mp4"], queue=queue))
    panel = FailedJobs(queue)
    assert len(panel.choice.options) == 2
    panel.again.click()
    assert panel.outcome == "choose some of the list first"
    panel.again_all.click()
    assert panel.outcome == "2 jobs queued again"
    # once more, as the file is what it was
    wait_until(lambda: workers(queue=queue)[0].failed == 4 and counts(queue=queue).failed == 2)
    panel.refresh.click()
    assert panel.outcome == "2 failed jobs"
    queue.connection.close()
