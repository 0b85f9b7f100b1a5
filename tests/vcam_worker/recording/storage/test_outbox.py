"""The outbox: each clip is queued exactly once, whoever dies in between."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from devtools.redis_server import RedisServer
from shared_utils.config.cameras import Camera
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.errors import QueueUnavailable
from shared_utils.log import camera_logger
from shared_utils.queue.jobs import clip_queue
from tests.support.footage.video import moving_box, packet_times, write_video
from tests.support.log_lines import logged
from vcam_worker import messages
from vcam_worker.recording.storage.notes import write_note
from vcam_worker.recording.storage.outbox import Enqueue, Outbox
from vcam_worker.recording.storage.queue_sender import QueueSender, redis_enqueue
from vcam_worker.recording.storage.volume import Volume

START = datetime(2026, 2, 23, 14, 48, 19, 250000).astimezone()


def box(video_dir: Path, enqueue: Enqueue, camera: str = "cam1") -> Outbox:
    return Outbox(video_dir, camera, camera_logger("test", camera), enqueue)


def record(outbox: Outbox, started_at: datetime = START, content: bytes = b"clip") -> Path:
    path = outbox.work_path(started_at)
    path.write_bytes(content)
    return path


def queued(server: RedisServer) -> list[str]:
    queue = clip_queue(server.settings, server.connection())
    return [job.kwargs["filename"] for job in queue.jobs]


class Crash(Exception):
    """Stands for a power cut at that step."""


def crash(*_: object) -> bool:
    raise Crash


def test_a_clip_is_published_and_queued(tmp_path: Path, redis_server: RedisServer) -> None:
    outbox = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection()))
    name = outbox.publish(record(outbox), START)
    assert name == "20260223-144819-cam1.mp4"
    assert (tmp_path / name).read_bytes() == b"clip"
    assert outbox.waiting() == [name]
    assert outbox.send()
    assert outbox.waiting() == []
    [job] = clip_queue(redis_server.settings, redis_server.connection()).jobs
    assert job.id == "clip-20260223-144819-cam1"
    assert job.func_name == "video_worker.jobs.process_clip"
    assert job.kwargs == {"filename": name, "options": {}}


def test_the_classes_of_a_camera_go_with_its_clips(tmp_path: Path, redis_server: RedisServer) -> None:
    camera = Camera("cam1", "rtsp://10.0.0.2/1", classes=("person", "car"))
    outbox = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection(), camera.job_options))
    outbox.publish(record(outbox), START)
    assert outbox.send()
    [job] = clip_queue(redis_server.settings, redis_server.connection()).jobs
    assert job.kwargs["options"] == {"classes": ["person", "car"]}


def test_a_crash_before_the_rename(tmp_path: Path, redis_server: RedisServer) -> None:
    work = record(box(tmp_path, crash))
    write_note(Volume(tmp_path), "20260223-144819-cam1.mp4", work.name, recording="1")
    after = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection()))
    after.recover()
    assert after.send()
    assert queued(redis_server) == ["20260223-144819-cam1.mp4"]
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["20260223-144819-cam1.mp4"]


def test_a_crash_before_the_job(tmp_path: Path, redis_server: RedisServer) -> None:
    outbox = box(tmp_path, crash)
    outbox.publish(record(outbox), START)
    with pytest.raises(Crash):
        outbox.send()
    after = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection()))
    after.recover()
    assert after.send()
    assert queued(redis_server) == ["20260223-144819-cam1.mp4"]


def test_a_crash_between_the_job_and_the_end_of_its_note(tmp_path: Path, redis_server: RedisServer) -> None:
    enqueue = redis_enqueue(redis_server.settings, redis_server.connection())

    def enqueue_and_die(name: str, recording: str | None) -> bool:
        enqueue(name, recording)
        raise Crash

    outbox = box(tmp_path, enqueue_and_die)
    outbox.publish(record(outbox), START)
    with pytest.raises(Crash):
        outbox.send()
    after = box(tmp_path, enqueue)
    after.recover()
    assert after.send()
    assert queued(redis_server) == ["20260223-144819-cam1.mp4"]


def test_with_redis_away_clips_wait_and_are_queued_in_order(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection()))
    redis_server.stop()
    names = []
    with caplog.at_level(logging.INFO):
        for i in range(3):
            started_at = START + timedelta(seconds=40 * i)
            names.append(outbox.publish(record(outbox, started_at), started_at))
            assert not outbox.send()
        redis_server.start()
        assert outbox.send()
    assert queued(redis_server) == names
    away = logged(caplog, messages.REDIS_UNREACHABLE)
    back = logged(caplog, messages.REDIS_BACK)
    assert len(away) == 1
    assert len(back) == 1
    assert redis_server.password not in caplog.text


def test_the_sender_goes_on_by_itself_when_redis_is_back(tmp_path: Path, redis_server: RedisServer) -> None:
    redis_server.stop()
    outbox = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection()))
    sender = QueueSender(outbox, camera_logger("test", "cam1"))
    sender.start()
    name = outbox.publish(record(outbox), START)
    sender.wake()
    redis_server.start()
    sender.stop(10)
    assert queued(redis_server) == [name]


def test_the_same_second_twice_overwrites_nothing(tmp_path: Path) -> None:
    outbox = box(tmp_path, lambda *_: True)
    first = outbox.publish(record(outbox, content=b"one"), START)
    second = outbox.publish(record(outbox, content=b"two"), START)
    assert (first, second) == ("20260223-144819-cam1.mp4", "20260223-144820-cam1.mp4")
    assert (tmp_path / first).read_bytes() == b"one"


def test_other_cameras_are_left_alone(tmp_path: Path) -> None:
    sent: list[str] = []

    def enqueue(name: str, _: str | None) -> bool:
        sent.append(name)
        return True

    def away(*_: object) -> bool:
        raise QueueUnavailable("away")

    other = box(tmp_path, away, "front-door")
    other.publish(record(other), START)
    ours = box(tmp_path, enqueue, "door")
    ours.recover()
    assert ours.send()
    assert sent == []
    assert other.waiting() == ["20260223-144819-front-door.mp4"]


def test_an_unfinished_file_is_recovered_queued_and_logged(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = box(tmp_path, redis_enqueue(redis_server.settings, redis_server.connection()))
    source = write_video(tmp_path / "in.mp4", moving_box(), seconds=4)
    outbox.work_path(START).write_bytes(source.read_bytes())
    with caplog.at_level(logging.WARNING):
        outbox.recover()
    assert outbox.send()
    assert queued(redis_server) == ["20260223-144819-cam1.mp4"]
    assert len(packet_times(tmp_path / "20260223-144819-cam1.mp4")) == 40
    assert logged(caplog, messages.CLIP_RECOVERED)
    assert list((tmp_path / ".recording").iterdir()) == []


def test_an_unreadable_remainder_is_kept_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = box(tmp_path, lambda *_: True)
    record(outbox, content=b"\0" * 100)
    with caplog.at_level(logging.WARNING):
        outbox.recover()
        outbox.recover()
    assert list(tmp_path.glob("*.mp4")) == []
    assert [path.suffix for path in (tmp_path / ".recording").iterdir()] == [".unreadable"]
    assert len(caplog.records) == 1


def test_a_name_that_comes_again_is_another_recording_with_a_job_of_its_own(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    enqueue = redis_enqueue(redis_server.settings, redis_server.connection())
    first = box(tmp_path, enqueue)
    name = first.publish(record(first), START)
    assert first.send()
    (tmp_path / name).unlink()
    # the clock is set back: in the same run, after a restart that has the log, and after one that has nothing
    again = first.publish(record(first), START)
    assert again == "20260223-144820-cam1.mp4"
    assert first.send()
    append_record(log_path(tmp_path), {"ok": True, "filename": name})
    append_record(log_path(tmp_path), {"ok": False, "filename": "20260223-144820-cam1.mp4"})
    append_record(log_path(tmp_path), {"ok": True, "filename": "20260223-144821-front-cam1.mp4"})
    (tmp_path / again).unlink()
    second = box(tmp_path, enqueue)
    assert second.publish(record(second), START) == "20260223-144821-cam1.mp4"
    assert second.send()
    for path in (*tmp_path.glob("*.mp4"), log_path(tmp_path)):
        path.unlink()
    third = box(tmp_path, enqueue)
    assert third.publish(record(third), START) == name
    assert third.send()
    jobs = clip_queue(redis_server.settings, redis_server.connection()).jobs
    assert [job.kwargs["filename"] for job in jobs] == [name, again, "20260223-144821-cam1.mp4", name]
    assert len({job.id for job in jobs}) == 4
    assert jobs[0].id == "clip-20260223-144819-cam1"
    assert jobs[3].id.startswith("clip-20260223-144819-cam1-")


def test_the_hour_that_comes_twice_and_a_clock_that_goes_back_by_years(tmp_path: Path) -> None:
    outbox = box(tmp_path, lambda *_: True)
    names = []
    for start in (START, START + timedelta(seconds=30), START, START + timedelta(seconds=30), START.replace(year=1970)):
        names.append(outbox.publish(record(outbox, start), start))
        assert outbox.send()
        (tmp_path / names[-1]).unlink()
    assert [name[:15] for name in names] == [
        "20260223-144819",
        "20260223-144849",
        "20260223-144820",
        "20260223-144850",
        "19700223-144819",
    ]


def test_two_recordings_of_a_name_survive_a_crash_before_their_notes_go(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    enqueue = redis_enqueue(redis_server.settings, redis_server.connection())

    def enqueue_and_die(name: str, recording: str | None) -> bool:
        enqueue(name, recording)
        raise Crash

    for _ in range(2):
        outbox = box(tmp_path, enqueue_and_die)
        name = outbox.publish(record(outbox), START)
        with pytest.raises(Crash):
            outbox.send()
        after = box(tmp_path, enqueue)
        after.recover()
        assert after.send()
        (tmp_path / name).unlink()
    assert queued(redis_server) == ["20260223-144819-cam1.mp4"] * 2


def test_a_name_is_found_in_a_log_of_any_length(tmp_path: Path) -> None:
    # across the border of two blocks, and without a blank after the colon
    line = b'{"ok":true,"filename":"20260223-144819-cam1.mp4"}\n'
    for shift in (-20, -5, 0):
        (log_path(tmp_path)).write_bytes(b"x" * ((1 << 20) - len(line) - shift) + b"\n" + line)
        outbox = box(tmp_path, lambda *_: True)
        assert outbox.publish(record(outbox), START) == "20260223-144820-cam1.mp4"
        (tmp_path / "20260223-144820-cam1.mp4").unlink()
        assert outbox.send()


def test_a_note_that_does_not_fit_on_the_disk_leaves_nothing_of_itself(tmp_path: Path, small_volume: Path) -> None:
    outbox = box(small_volume, lambda *_: True)
    work = record(outbox)
    filler = small_volume / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with pytest.raises(OSError, match="No space left"):
        outbox.publish(work, START)
    assert list((small_volume / ".outbox").iterdir()) == []
    assert work.read_bytes() == b"clip"
    filler.unlink()
    assert outbox.publish(work, START) == "20260223-144819-cam1.mp4"


def test_an_invalid_note_does_not_stop_other_clips(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[tuple[str, str | None]] = []
    outbox = box(tmp_path, lambda *clip: sent.append(clip) is None)
    notes = tmp_path / ".outbox"
    (notes / "20200101-000000-cam1.mp4.json").mkdir()
    (notes / "20200101-000001-cam1.mp4.json").write_bytes(b"\xff")
    (notes / "20200101-000002-cam1.mp4.json").write_text("[" * 100_000)
    (notes / "20200101-000003-cam1.mp4.json").symlink_to(notes / "20200101-000003-cam1.mp4.json")
    (notes / "20200101-000004-cam1.mp4.json").write_text('{"recording": 5, "work": 7}')
    (tmp_path / "20200101-000004-cam1.mp4").touch()
    name = outbox.publish(record(outbox), START)
    for _ in range(2):
        outbox.recover()
        assert outbox.send()
    assert [clip for clip, _ in sent] == ["20200101-000004-cam1.mp4", name]
    assert len(logged(caplog, messages.RECOVERY_FAILED)) == 2  # the folder and the link, once each
    assert {path.name[:15] for path in notes.iterdir()} == {"20200101-000000", "20200101-000003"}


def test_a_note_that_a_power_cut_left_empty_costs_nothing(tmp_path: Path) -> None:
    outbox = box(tmp_path, lambda *_: True)
    source = write_video(tmp_path / "in.mp4", moving_box(), seconds=2)
    outbox.work_path(START).write_bytes(source.read_bytes())
    (tmp_path / ".outbox" / "20260223-144819-cam1.mp4.json").touch()
    outbox.recover()
    assert (tmp_path / "20260223-144819-cam1.mp4").exists()
    assert outbox.waiting() == ["20260223-144819-cam1.mp4"]
