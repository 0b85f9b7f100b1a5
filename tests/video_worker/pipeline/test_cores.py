from __future__ import annotations

import os

import pytest

from video_worker.pipeline import cores
from video_worker.pipeline.cores import Neighbours, quota_cores, share_of_cores


@pytest.mark.parametrize(
    ("content", "expected"),
    [("max 100000\n", None), ("200000 100000\n", 2), ("150000 100000\n", 2), ("10000 100000\n", 1), ("", None)],
)
def test_a_containers_quota(tmp_path, content, expected):
    (tmp_path / "cpu.max").write_text(content)
    assert quota_cores(tmp_path / "cpu.max") == expected


def test_no_quota_where_there_is_no_such_file(tmp_path):
    assert quota_cores(tmp_path / "cpu.max") is None


@pytest.mark.parametrize(
    ("bound", "quota", "workers", "expected"),
    [(8, None, 1, 8), (8, None, 2, 4), (8, None, 3, 2), (2, None, 4, 1), (8, 2, 1, 2), (8, 2, 8, 1), (8, None, 0, 8)],
)
def test_cores_are_shared_out(monkeypatch, bound, quota, workers, expected):
    monkeypatch.setattr(cores, "bound_cores", lambda: bound)
    monkeypatch.setattr(cores, "quota_cores", lambda: quota)
    assert share_of_cores(workers) == expected


def test_neighbours_are_counted_and_forgotten(redis_server):
    connection = redis_server.connection()
    first, second = Neighbours(connection, "a"), Neighbours(connection, "b")
    assert first.count() == 1
    assert second.count() == 2
    assert first.count() == 2
    second.leave()
    assert first.count() == 1
    [key] = connection.keys("vcam:workers:*")
    connection.zadd(key, {"died": 1})
    assert first.count() == 1


def test_workers_on_other_cores_are_no_neighbours(redis_server, monkeypatch):
    connection = redis_server.connection()
    assert Neighbours(connection, "a").count() == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {97, 98})
    assert Neighbours(connection, "b").count() == 1
