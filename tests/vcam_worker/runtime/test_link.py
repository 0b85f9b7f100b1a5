"""The camera's end of the pipe to the supervisor."""

from __future__ import annotations

import multiprocessing

import pytest

from vcam_worker.runtime.link import ChildLink, SnapshotCommand, SupervisorGoneError, waiting_events
from vcam_worker.runtime.status import CameraStatus, Snapshot, SnapshotRequest


def status() -> CameraStatus:
    return CameraStatus("cam1", "rtsp://192.0.2.1/")


def test_a_command_that_fails_is_not_taken_for_a_supervisor_that_is_gone() -> None:
    ours, theirs = multiprocessing.Pipe()

    def snapshot(request: SnapshotRequest) -> Snapshot | None:
        raise OSError(95, f"no picture for {request}")

    with ours, theirs:
        link = ChildLink(theirs, snapshot, lambda _: None, lambda _: None, waiting_events())
        ours.send(SnapshotCommand(1, SnapshotRequest()))
        with pytest.raises(OSError, match="no picture"):
            link.exchange(status)


def test_a_closed_pipe_is_a_supervisor_that_is_gone() -> None:
    ours, theirs = multiprocessing.Pipe()
    with theirs:
        link = ChildLink(theirs, lambda _: None, lambda _: None, lambda _: None, waiting_events())
        link.exchange(status)
        ours.close()
        with pytest.raises(SupervisorGoneError):
            link.exchange(status)
        link.send_events()
