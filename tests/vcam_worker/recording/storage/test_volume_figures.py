"""Disk, clips and outbox on the page, in /info and /metrics, and in the log."""

from __future__ import annotations

import json
import logging
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.log import message_code
from tests.support.log_lines import logged
from vcam_worker import messages
from vcam_worker.recording.storage.disk import GB, DiskGuard, DiskRules
from vcam_worker.recording.storage.volume_figures import MIN_BACKLOG, OutboxGrowth
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings


class NoCameras:
    def statuses(self) -> list[CameraStatus]:
        return []

    def snapshot(self, name: str, request: SnapshotRequest) -> Snapshot | None:
        return None


@pytest.fixture
def guard(tmp_path: Path) -> DiskGuard:
    for day in range(1, 4):
        name = f"2026010{day}-000000-cam1.mp4"
        (tmp_path / name).write_bytes(bytes(1000 * day))
        if day < 3:
            append_record(log_path(tmp_path), {"ok": True, "filename": name})
    (tmp_path / ".outbox").mkdir()
    (tmp_path / ".outbox" / "20260103-000000-cam1.mp4.json").write_text("{}")
    (tmp_path / ".outbox" / "20260103-000000-front-door.mp4.json").write_text("{}")
    free = iter([GB // 2, 3 * GB, 3 * GB, 3 * GB, 3 * GB])
    return DiskGuard(tmp_path, DiskRules(min_free_gb=2), lambda _: None, free=lambda _: next(free))


@pytest.fixture
def address(guard: DiskGuard) -> Iterator[str]:
    server = HttpServer(HttpSettings(port=0), NoCameras(), {}, volume=guard.state)
    server.start()
    yield server.address
    server.stop()


def ask(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def metrics(address: str) -> dict[str, float]:
    families = text_string_to_metric_families(ask(f"{address}/metrics"))
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_figures_of_the_volume(guard: DiskGuard, address: str, tmp_path: Path) -> None:
    assert "vcam_volume_free_bytes" not in metrics(address)
    assert "the volume is not known yet" in ask(address)
    guard.sweep()
    assert guard.state() is not None
    found = metrics(address)
    total = shutil.disk_usage(tmp_path).total
    assert found["vcam_volume_free_bytes"] == 3 * GB
    assert found["vcam_volume_size_bytes"] == total
    assert found["vcam_volume_min_free_bytes"] == 2 * GB
    assert (found["vcam_volume_clips"], found["vcam_volume_clip_bytes"]) == (2, 5000)  # the oldest had to go
    assert found["vcam_deleted_clips_total"] == 1
    assert found["vcam_outbox_clips"] == 2
    assert found["vcam_retention_kept_clips"] == 0
    page = ask(address)
    assert "3.0 GB of" in page
    assert "2 clips, 0.0 GB · kept until room is needed · 2 waiting for the queue" in page
    volume = json.loads(ask(f"{address}/info"))["volume"]
    assert (volume["clips"], volume["waiting"], volume["deleted"]) == (2, 2, 1)


def test_an_outbox_that_grows_is_logged_at_each_doubling_and_when_it_is_empty_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    growth = OutboxGrowth(logging.getLogger("disk"))
    with caplog.at_level(logging.INFO):
        for waiting in [*range(45), 44, 12, 5, 0, 0, 9, 0, MIN_BACKLOG]:
            growth.note(waiting)
    grown = [line.split()[0] for line in logged(caplog, messages.OUTBOX_GROWS)]
    assert grown == ["10", "20", "40", "10"]
    assert [message_code(record) for record in caplog.records].index(messages.OUTBOX_EMPTY_AGAIN.code) == 3
