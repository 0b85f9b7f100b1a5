"""Room on the volume: what may go, what never goes, and the pause."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from devtools.redis_server import RedisServer
from shared_utils.contracts.clips import list_clips
from shared_utils.contracts.detections_log import LogFollower, append_record, log_path
from shared_utils.contracts.events import Event, append_event, events_log_path, make_event_id, read_events
from shared_utils.contracts.sidecars import EVENTS_FOLDER, SIDECAR_FOLDERS, sidecar_name
from shared_utils.log import camera_logger
from tests.support.footage.video import moving_box, packet_times, write_video
from tests.support.log_lines import logged
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.recording.storage.disk import GB, DiskGuard, DiskRules
from vcam_worker.recording.storage.event_pictures import SEARCH_S
from vcam_worker.recording.storage.outbox import Outbox

NOW = datetime(2026, 3, 1, 12)


class Volume:
    """A folder that counts its clips as 1 GB each; the space is made up, the files and the log are real."""

    def __init__(self, folder: Path, size_gb: int) -> None:
        self.folder = folder
        self.size_gb = size_gb
        self.reasons: list[str | None] = []

    def clip(self, stamp: str, ok: bool | None = True) -> str:
        name = f"{stamp}-cam1.mp4"
        (self.folder / name).touch()
        for folder in SIDECAR_FOLDERS:
            (self.folder / folder).mkdir(exist_ok=True)
            (self.folder / folder / sidecar_name(name, "run1")).touch()
        if ok is not None:
            append_record(log_path(self.folder), {"ok": ok, "filename": name, "timestamp": "x", "schema": 1})
        return name

    def picture(self, stamp: str) -> str:
        """Add the picture of a live event; it counts as 1 GB as well."""
        taken = datetime.strptime(stamp, "%Y%m%d-%H%M%S")
        folder = self.folder / EVENTS_FOLDER
        folder.mkdir(exist_ok=True)
        name = f"{make_event_id(taken.timestamp())}.jpg"
        (folder / name).touch()
        return name

    def free(self, _: Path) -> int:
        return (self.size_gb - len(list_clips(self.folder)) - len(self.pictures)) * GB

    def guard(self, now: Callable[[], datetime] = lambda: NOW, **rules: float) -> DiskGuard:
        return DiskGuard(self.folder, DiskRules(**rules), self.reasons.append, now=now, free=self.free)

    @property
    def pictures(self) -> list[str]:
        return sorted(path.name for path in (self.folder / EVENTS_FOLDER).glob("*.jpg"))

    @property
    def names(self) -> list[str]:
        return [path.name for path in list_clips(self.folder)]


def test_with_room_nothing_happens(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 10)
    volume.clip("20260101-000000")
    volume.guard(min_free_gb=1).sweep()
    assert len(volume.names) == 1
    assert volume.reasons == [None]


def test_the_oldest_analysed_clips_go_first_with_their_sidecars_and_the_log_stays(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 4)
    names = [volume.clip(f"2026010{day}-000000", ok=None if day == 1 else True) for day in (1, 2, 3, 4)]
    volume.guard(min_free_gb=2).sweep()
    assert volume.names == [names[0], names[3]]
    for folder in SIDECAR_FOLDERS:
        assert sorted(path.name[:8] for path in (tmp_path / folder).iterdir()) == ["20260101", "20260104"]
    assert len(log_path(tmp_path).read_text().splitlines()) == 3
    assert volume.reasons == [None]


@pytest.mark.parametrize("ok", [None, False])
def test_a_clip_without_a_result_is_never_deleted_recording_pauses(tmp_path: Path, ok: bool | None) -> None:
    volume = Volume(tmp_path, 2)
    names = [volume.clip(f"2026010{day}-000000", ok=ok) for day in (1, 2)]
    guard = volume.guard(min_free_gb=1, retention_days=7)
    guard.sweep()
    assert volume.names == names
    assert volume.reasons[-1]
    assert "MIN_FREE_GB=1" in volume.reasons[-1]
    # the worker catches up: the guard resumes by itself
    append_record(log_path(tmp_path), {"ok": True, "filename": names[0], "timestamp": "x", "schema": 1})
    guard.sweep()
    assert volume.names == names[1:]
    assert volume.reasons[-1] is None


def test_old_clips_go_after_their_days(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 100)
    volume.clip("20260221-115959")
    kept = [volume.clip("20260222-120001"), volume.clip("20260228-000000")]
    unseen = volume.clip("20250101-000000", ok=None)
    volume.guard(retention_days=7).sweep()
    assert volume.names == [unseen, *kept]


def test_days_of_zero_keep_everything(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 100)
    volume.clip("20200101-000000")
    volume.guard(retention_days=0).sweep()
    assert len(volume.names) == 1


def test_pictures_of_live_events_go_after_their_days_and_sidecars_stay(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 100)
    volume.clip("20260228-000000")
    volume.picture("20260201-000000")
    kept = volume.picture("20260228-000000")
    others = ["holiday.jpg", f"{'0' * 8}-0000-4000-8000-{'0' * 12}.jpg", f".{kept}.partial"]
    for name in others:
        (tmp_path / EVENTS_FOLDER / name).touch()
    append_event(events_log_path(tmp_path), Event("object", NOW.astimezone(), "cam1", value="seen"))
    volume.guard(retention_days=7).sweep()
    names = {path.name for path in (tmp_path / EVENTS_FOLDER).iterdir()}
    assert names == {kept, *others, sidecar_name("20260228-000000-cam1.mp4", "run1")}
    assert len(list(read_events(events_log_path(tmp_path)))) == 1
    volume.picture("20260201-000000")
    volume.guard(retention_days=0).sweep()
    assert len(volume.pictures) == 4


def test_old_pictures_are_looked_for_now_and_then(tmp_path: Path) -> None:
    volume = Volume(tmp_path, 100)
    ticks = iter([0.0, 0.0, 0.0, SEARCH_S / 2, SEARCH_S / 2, SEARCH_S / 2, *[SEARCH_S] * 9])
    guard = DiskGuard(
        tmp_path, DiskRules(7), lambda _: None, now=lambda: NOW, free=volume.free, tick=lambda: next(ticks)
    )
    guard.sweep()
    volume.picture("20260201-000000")
    guard.sweep()
    assert len(volume.pictures) == 1
    guard.sweep()
    assert volume.pictures == []


def test_for_room_the_oldest_go_first_be_it_a_clip_or_a_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    volume = Volume(tmp_path, 6)
    volume.clip("20260101-000000")
    volume.picture("20260102-000000")
    unseen = volume.clip("20260103-000000", ok=None)
    volume.picture("20260104-000000")
    clip, picture = volume.clip("20260105-000000"), volume.picture("20260106-000000")
    volume.guard(min_free_gb=3).sweep()
    assert (volume.names, volume.pictures) == ([unseen, clip], [picture])
    assert (
        len(logged(caplog, messages.CLIPS_DELETED_FOR_ROOM))
        == len(logged(caplog, messages.EVENT_PICTURES_DELETED))
        == 1
    )
    assert volume.reasons == [None]
    volume.guard(min_free_gb=6).sweep()
    assert (volume.names, volume.pictures) == ([unseen], [])
    assert volume.reasons[-1]


def test_a_clip_that_cannot_be_deleted_does_not_stop_others_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volume = Volume(tmp_path, 2)
    names = [volume.clip(f"2026022{day}-000000") for day in (1, 2, 3)]
    (tmp_path / names[0]).unlink()
    (tmp_path / names[0]).mkdir()  # what even root cannot unlink
    guard = volume.guard(min_free_gb=1, retention_days=7)
    for _ in range(3):
        guard.sweep()
    assert volume.names == [names[0]]
    assert len(logged(caplog, messages.CLIP_NOT_DELETED)) == 1


def test_the_follower_reads_each_line_once_and_waits_for_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    follower = LogFollower(path)
    assert list(follower.poll()) == []
    path.write_text('{"filename": "a"}\nnot json\n{"filename": "b')
    assert [one["filename"] for one in follower.poll()] == ["a"]
    with path.open("a") as file:
        file.write('"}\n')
    assert [one["filename"] for one in follower.poll()] == ["b"]
    assert list(follower.poll()) == []
    path.write_text('{"filename": "c"}\n')
    assert [one["filename"] for one in follower.poll()] == ["c"]


def test_a_full_disk_pauses_recording_and_room_resumes_it(
    programs: Programs, tmp_path: Path, small_volume: Path, redis_server: RedisServer
) -> None:
    footage = write_video(tmp_path / "footage.mp4", moving_box(start_s=3, end_s=29), seconds=30, gop=10)
    filler = small_volume / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_volume).free - 200_000))
    env = {
        **redis_server.env,
        "RTSP_URL": str(footage),
        "VIDEO_DIR": str(small_volume),
        "CLIP_SECONDS": "5",
        "PRE_ROLL_SECONDS": "1",
        "MIN_FREE_GB": "0",
        "HTTP_PORT": "0",
        "LOGLEVEL": "DEBUG",
    }
    program = programs.python("-m", "vcam_worker", env=env)
    program.wait_for(line_of(messages.RECORDING_PAUSED, "VIDEO_DIR cannot be written to .No space left on device..*"))
    program.wait_for("still not writable", count=2)
    assert list_clips(small_volume) == []
    filler.unlink()
    program.wait_for(messages.RECORDING_RESUMED)
    program.wait_for(messages.CLIP_SAVED)
    assert program.wait() == 0
    assert program.count(messages.RECORDING_PAUSED) == 1
    assert not list((small_volume / ".recording").iterdir())
    assert "Traceback" not in program.text


def test_too_little_room_at_the_start_pauses_before_a_write_fails(
    programs: Programs, tmp_path: Path, small_volume: Path, redis_server: RedisServer
) -> None:
    footage = write_video(tmp_path / "footage.mp4", moving_box(start_s=3, end_s=5), seconds=6, gop=10)
    env = {**redis_server.env, "RTSP_URL": str(footage), "VIDEO_DIR": str(small_volume), "HTTP_PORT": "0"}
    program = programs.python("-m", "vcam_worker", env=env)
    program.wait_for(line_of(messages.RECORDING_PAUSED, "0.0 GB free of MIN_FREE_GB=1.*"))
    assert program.wait() == 0
    assert list_clips(small_volume) == []


def test_what_is_on_disk_of_a_clip_stays_as_it_is_until_the_volume_takes_it(tmp_path: Path, small_volume: Path) -> None:
    outbox = Outbox(small_volume, "cam1", camera_logger("test", "cam1"), lambda *_: True)
    source = write_video(tmp_path / "in.mp4", moving_box(), seconds=4)
    work = outbox.work_path(NOW.astimezone())
    work.write_bytes(source.read_bytes())
    (small_volume / ".recording" / work.name.replace("120000", "120010")).touch()  # began when nothing went in any more
    filler = small_volume / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_volume).free - source.stat().st_size // 2))
    with pytest.raises(OSError, match="No space left"):
        outbox.check_room()
    with pytest.raises(OSError, match="No space left"):
        outbox.recover()
    assert list_clips(small_volume) == []
    assert work.read_bytes() == source.read_bytes()
    filler.unlink()
    outbox.check_room()
    outbox.recover()
    (clip,) = list_clips(small_volume)
    assert packet_times(clip) == packet_times(source)
    assert list((small_volume / ".recording").iterdir()) == []
