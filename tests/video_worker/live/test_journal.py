"""The journal's order: a state is written only after the events before it; nothing it cannot write delays anybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared_utils.contracts.events import Event, events_log_path, read_events
from shared_utils.errors import FormatError, VolumeInUse
from video_worker.live.camera import LiveTime
from video_worker.live.journal import MAX_EVENTS, MAX_PICTURE_BYTES, Journal
from video_worker.live.rate import RateControl, Window
from video_worker.live.volume import LiveVolume, alive_path, picture_name

AT = datetime(2026, 2, 23, 14, 48, 19, tzinfo=UTC)


class News:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, event: Event) -> None:
        self.events.append(event)


class Volume(LiveVolume):
    """A volume that refuses everything, or hangs, while a test wants it to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.refuses = False
        self.free = threading.Event()
        self.free.set()
        self.written: list[str] = []

    def write_event(self, event: Event, jpeg: bytes | None) -> None:
        self.free.wait(20)
        if self.refuses:
            raise OSError(28, "No space left on device")
        super().write_event(event, jpeg)
        self.written.append(str(event.value))

    def write_state(self, camera: str, text: str) -> None:
        self.free.wait(20)
        if self.refuses:
            raise OSError(28, "No space left on device")
        super().write_state(camera, text)
        self.written.append(text)


def _wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _event(value: str, picture: bool = False) -> Event:
    event = Event("object", AT, "door", value=value)
    return Event("object", AT, "door", value=value, id=event.id, picture=picture_name(event.id) if picture else None)


def test_a_state_waits_for_the_events_before_it_and_only_the_newest_is_written(tmp_path: Path) -> None:
    volume, news = Volume(tmp_path), News()
    volume.refuses = True
    with Journal(volume, news) as journal:
        journal.start()
        journal.add(_event("first", picture=True), b"jpeg")
        journal.save("door", '{"schema": 1, "n": 1}')
        journal.add(_event("second"))
        journal.save("door", '{"schema": 1, "n": 2}')
        _wait(lambda: len(news.events) == 2)
        assert volume.read_state("door") is None
        volume.refuses = False
        _wait(lambda: len(volume.written) == 3)
    assert volume.written == ["first", "second", '{"schema": 1, "n": 2}']
    assert volume.read_state("door") == {"schema": 1, "n": 2}
    logged = list(read_events(events_log_path(tmp_path)))
    assert [event.id for event in logged] == [event.id for event in news.events]
    assert (tmp_path / str(logged[0].picture)).read_bytes() == b"jpeg"


def test_what_waits_is_bounded_and_nobody_waits_for_a_volume_that_hangs(tmp_path: Path) -> None:
    volume, news = Volume(tmp_path), News()
    volume.free.clear()
    with Journal(volume, news) as journal:
        journal.start()
        began = time.monotonic()
        picture = b"x" * (MAX_PICTURE_BYTES // 100)
        for number in range(MAX_EVENTS + 500):
            journal.add(_event(str(number), picture=number < 200), picture if number < 200 else None)
        assert time.monotonic() - began < 10
        assert journal.dropped >= 499
        volume.free.set()
        _wait(lambda: volume.written and volume.written[-1] == str(MAX_EVENTS + 499), 60)
    kept = [event for event in read_events(events_log_path(tmp_path)) if event.picture]
    assert len(kept) < 101
    assert all((tmp_path / str(event.picture)).exists() for event in kept)


def test_there_is_a_sign_of_life_only_while_the_rounds_go_on(tmp_path: Path) -> None:
    now = [1000.0]
    with Journal(LiveVolume(tmp_path), News(), clock=lambda: now[0]) as journal:
        journal.start()
        _wait(alive_path(tmp_path).exists)
        alive_path(tmp_path).unlink()
        now[0] += 30
        journal.add(_event("woken"))
        _wait(lambda: events_log_path(tmp_path).exists())
        assert not alive_path(tmp_path).exists()
        journal.note_round()
        journal.add(_event("woken"))
        _wait(alive_path(tmp_path).exists)


def test_one_live_worker_per_volume(tmp_path: Path) -> None:
    first, second = LiveVolume(tmp_path), LiveVolume(tmp_path)
    first.take_lock()
    with pytest.raises(VolumeInUse, match="process"):
        second.take_lock(wait_s=0)
    first.release()
    second.take_lock(wait_s=0)
    second.release()


def test_what_a_killed_one_left_of_pictures_is_removed_and_nothing_else(tmp_path: Path) -> None:
    volume = LiveVolume(tmp_path)
    volume.remove_partials()
    whole = tmp_path / picture_name(_event("x").id)
    whole.parent.mkdir()
    kept = [whole, whole.with_name(".run.host-1.partial"), whole.with_name("clip.run.jsonl")]
    for path in [*kept, whole.with_name(f".{whole.name}.partial")]:
        path.touch()
    volume.remove_partials()
    assert sorted(whole.parent.iterdir()) == sorted(kept)


@pytest.mark.parametrize("content", ["", "[]", "nonsense", '{"schema": 2}', '{"a": ' + "[" * 100_000])
def test_a_state_that_cannot_be_read_is_no_missing_one(tmp_path: Path, content: str) -> None:
    volume = LiveVolume(tmp_path)
    volume.write_state("door", content)
    with pytest.raises(FormatError, match="door"):
        volume.read_state("door")
    assert volume.read_state("gate") is None


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    volume = LiveVolume(tmp_path)
    (tmp_path / ".live").rmdir()
    volume.write_state("door", '{"schema": 1}')
    volume.mark_alive()
    assert volume.read_state("door") == {"schema": 1}


def test_time_goes_on_though_the_clock_is_set_back_and_leaps_are_pauses() -> None:
    clock = LiveTime(1000.0)
    assert clock.go_on(1000.5) == 0.5
    assert clock.epoch(0.4) == pytest.approx(1000.4)
    assert clock.go_on(900.0) == pytest.approx(0.501)
    assert clock.go_on(901.0) == pytest.approx(1.501)
    assert clock.epoch(1.501) == pytest.approx(901.0)
    assert clock.go_on(901.0) > 1.501
    assert clock.go_on(4500.0) > 3600


def test_the_rate_is_halved_while_frames_are_left_out_and_raised_where_there_is_room() -> None:
    rate = RateControl(5.0)
    slow, busy = Window(50, 25, 5.0), Window(25, 25, 4.0)
    assert not rate.judge(slow)
    assert not rate.judge(busy), "one window may be slow"
    assert not rate.judge(slow)
    assert rate.judge(slow)
    assert (rate.fps, rate.reached_fps, rate.is_lowered) == (2.5, 2.5, True)
    assert not rate.judge(busy)
    for fps in (1.25, 0.625, 0.5):
        assert not rate.judge(slow)
        assert rate.judge(slow)
        assert rate.fps == fps
    assert not rate.judge(slow)
    assert not rate.judge(slow)
    for fps in (1.0, 2.0, 4.0, 5.0):
        assert rate.judge(Window(50, 50, 1.0))
        assert rate.fps == fps
    assert not rate.is_lowered
    assert not rate.judge(Window(0, 0, 0.0))


def test_a_rate_that_is_too_much_at_times_is_too_much_once() -> None:
    rate = RateControl(5.0)
    slow, fine, idle = Window(50, 25, 5.0), Window(25, 25, 1.0), Window(0, 0, 0.0)
    for _ in range(20):
        # somebody passes, and nothing moves for minutes
        for window in [slow, slow, *[idle] * 100]:
            rate.judge(window)
            assert rate.is_too_much or window is slow
        assert rate.fps == 5.0, "with nothing to do, the full rate waits for the next one"
    for window in [slow, slow, idle, idle, *[fine] * 11]:
        rate.judge(window)
        assert rate.is_too_much
    rate.judge(fine)
    assert not rate.is_too_much
    for _ in range(3):
        rate.judge(slow)
    assert rate.is_too_much
    for _ in range(130):
        rate.judge(idle)
    assert not rate.is_too_much
