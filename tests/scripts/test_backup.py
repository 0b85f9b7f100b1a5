"""The recipes of docs/operations.md for backup and restore, run as they stand there, in folders of the test's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.paths import ROOT
from devtools.redis_server import RedisServer
from shared_utils.queue.jobs import clip_queue, enqueue_new_clip

MARK = "<!-- tests/scripts/test_backup.py runs "
ARCHIVE = r"vcam-\d{4}-\d\d-\d\d\.tgz"
SERVICES = 1234
"""Whom services run as where root sets them up, and restores them."""
CLIPS = [f"20260223-14480{number}-cam1.mp4" for number in range(4)]


def _recipes() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    return re.findall(rf"{re.escape(MARK)}[^\n]*-->\n```\n(.*?)```", text, re.DOTALL)


def _bash(commands: str, folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=environment, check=True, timeout=60)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "old place"
    for part in ("video/.recording", "video/.outbox", "video/boxes", "models", "my-notebooks", "cameras"):
        (folder / part).mkdir(parents=True)
    for name in CLIPS:
        (folder / "video" / name).write_bytes(name.encode())
    (folder / "video/.recording/open.part").touch()
    (folder / "video/detections_log.jsonl").write_text(f'{{"ok": true, "filename": "{CLIPS[0]}"}}\n')
    (folder / "models/best.onnx").write_bytes(b"model")
    (folder / "my-notebooks/Mine.ipynb").write_text("{}")
    (folder / "cameras/cameras.toml").write_text("# mine\n")
    (folder / "cameras/cameras.toml").chmod(0o600)
    (folder / ".env").write_text("REDIS_PASSWORD=x\nUID=4711\nGID=4712\nCAMERAS_FILE=./cameras\n")
    (folder / ".env").chmod(0o600)
    if os.getuid() == 0:  # as scripts/env does for root
        for path in (folder / "video", *(folder / "video").rglob("*")):
            os.chown(path, SERVICES, SERVICES)
    return folder


def test_a_backup_is_restored_into_any_folder(project: Path, tmp_path: Path) -> None:
    backup, restore, _ = _recipes()
    _bash(backup, project)
    [archive] = [path for path in project.iterdir() if re.fullmatch(ARCHIVE, path.name)]
    assert archive.stat().st_mode & 0o777 == 0o600
    fresh = tmp_path / "another/place"
    for part in ("video", "my-notebooks"):  # as a clone has them
        (fresh / part).mkdir(parents=True)
    _bash(restore.replace("vcam-DATE.tgz", str(archive).replace(" ", r"\ ")), fresh)

    kept = {path.relative_to(fresh): path for path in fresh.rglob("*") if path.is_file()}
    expected = {path.relative_to(project): path for path in project.rglob("*") if path.is_file() and path != archive}
    del expected[Path("video/.recording/open.part")]
    assert kept.keys() == expected.keys()
    for name, path in kept.items():
        assert name == Path(".env") or path.read_bytes() == expected[name].read_bytes()
        assert path.stat().st_mode == expected[name].stat().st_mode
    uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (SERVICES, SERVICES)
    assert (fresh / ".env").read_text() == f"REDIS_PASSWORD=x\nUID={uid}\nGID={gid}\nCAMERAS_FILE=./cameras\n"
    assert (fresh / "video/.outbox").is_dir()


def test_clips_without_a_result_are_queued_once_however_often_it_is_run(
    project: Path, redis_server: RedisServer
) -> None:
    queue = clip_queue(redis_server.settings, redis_server.connection())
    *_, recipe = _recipes()
    program = recipe.partition("<<'PY'\n")[2].partition("\nPY\n")[0]
    assert enqueue_new_clip(queue, CLIPS[1])  # waits already
    for odd in ("IMG 0001.mp4", "a.b(1).mp4", ".hidden.mp4", "a\nb.mp4", os.fsdecode(b"bad\xff.mp4")):
        (project / "video" / odd).touch()
    printed = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=project,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **redis_server.env},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        printed.append(done.stdout)
    refused = "a\\nb.mp4: its name holds a line break or another control character: rename the file\n"
    refused += "bad\\udcff.mp4: its name is not UTF-8: rename the file\n"
    assert printed == [f"4 clips queued\n{refused}", f"0 clips queued\n{refused}"]
    assert sorted(job.kwargs["filename"] for job in queue.jobs) == [*CLIPS[1:], "IMG 0001.mp4", "a.b(1).mp4"]
