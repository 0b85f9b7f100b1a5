"""Retention and clocks that are wrong: no leap of the clock deletes what is not old."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared_utils.contracts.clips import list_clips
from shared_utils.contracts.detections_log import append_record, log_path
from shared_utils.contracts.events import make_event_id
from shared_utils.contracts.sidecars import EVENTS_FOLDER
from tests.support.log_lines import logged
from vcam_worker import messages
from vcam_worker.recording.storage.disk import GB, DiskGuard, DiskRules
from vcam_worker.recording.storage.event_pictures import SEARCH_S
from vcam_worker.recording.storage.retention import STATE_NAME

NOW = datetime(2026, 3, 1, 12)
DAY = timedelta(days=1)


class Host:
    """A volume and a host's clock; time passes as a test sets it."""

    def __init__(self, folder: Path, retention_days: float = 7) -> None:
        self.folder = folder
        self.now = NOW
        self.tick = 1000.0
        self.free = 100 * GB
        self.days = retention_days
        self.guard = self.boot()

    def boot(self) -> DiskGuard:
        self.guard = DiskGuard(
            self.folder,
            DiskRules(retention_days=self.days, min_free_gb=1),
            lambda _: None,
            now=lambda: self.now,
            free=lambda _: self.free,
            tick=lambda: self.tick,
        )
        return self.guard

    def clip(self, at: datetime) -> str:
        name = f"{at:%Y%m%d-%H%M%S}-cam1.mp4"
        (self.folder / name).touch()
        append_record(log_path(self.folder), {"ok": True, "filename": name})
        return name

    def picture(self, at: datetime) -> str:
        """Make the picture of a live event."""
        name = f"{make_event_id(at.timestamp())}.jpg"
        (self.folder / EVENTS_FOLDER).mkdir(exist_ok=True)
        (self.folder / EVENTS_FOLDER / name).touch()
        return name

    @property
    def pictures(self) -> set[str]:
        return {path.name for path in (self.folder / EVENTS_FOLDER).iterdir()}

    def clips(self, days: int, until: datetime = NOW) -> list[str]:
        """Make one clip per day, the last one an hour before `until`."""
        return [self.clip(until - timedelta(hours=1) - DAY * back) for back in reversed(range(days))]

    def passes(self, time: timedelta) -> None:
        self.now += time
        self.tick += time.total_seconds()

    def sweep(self) -> list[str]:
        self.guard.sweep()
        return [path.name for path in list_clips(self.folder)]


@pytest.mark.parametrize("ahead", [2 * DAY, 30 * DAY, 3650 * DAY])
def test_a_clock_that_leaps_ahead_and_back_deletes_at_most_what_was_nearly_due(
    tmp_path: Path, ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    assert host.sweep() == names
    host.now += ahead
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            host.passes(timedelta(seconds=10))
            left = host.sweep()
        assert set(left) >= set(names[2:])
        host.now -= ahead
        assert host.sweep() == left
    if ahead > 7 * DAY:
        assert len(logged(caplog, messages.CLOCK_LEAPT)) == 1
        assert len(logged(caplog, messages.CLOCK_LEAP_PASSED)) == 1


@pytest.mark.parametrize("ahead", [30 * DAY, 3650 * DAY])
def test_a_clock_that_is_ahead_when_capture_starts(tmp_path: Path, ahead: timedelta) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    host.now += ahead  # nothing but the clips tells of the time
    assert set(host.sweep()) >= set(names[2:])
    host.boot()
    assert set(host.sweep()) >= set(names[2:])


@pytest.mark.parametrize("step", [timedelta(hours=6), DAY, 40 * DAY])
def test_a_clock_that_climbs_in_steps_deletes_no_more_than_one_that_leaps(tmp_path: Path, step: timedelta) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    host.sweep()
    for _ in range(40):
        host.now += step
        host.passes(timedelta(seconds=10))
        left = host.sweep()
    assert set(left) >= set(names[2:])


@pytest.mark.parametrize("back", [3600 * DAY, 1825 * DAY, DAY])
def test_a_clock_that_is_put_right_by_half_only(tmp_path: Path, back: timedelta) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    host.sweep()
    host.now += 3650 * DAY
    host.sweep()
    host.now -= back
    assert set(host.sweep()) >= set(names[2:])
    host.boot()
    assert set(host.sweep()) >= set(names[2:])
    host.now = NOW + timedelta(minutes=1)
    left = host.sweep()
    assert set(left) >= set(names[2:])
    for _ in range(8):
        host.passes(DAY)
        left = host.sweep()
    assert left == []


def test_clips_that_were_recorded_while_the_clock_was_ahead_prove_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    host.now = datetime(2036, 1, 1)
    wrong = host.clips(1, host.now)
    assert set(host.sweep()) >= {*names[2:], *wrong}
    # the clock is put right; the clip with the wrong name goes when it has been there for its days
    host.now = NOW + timedelta(hours=1)
    assert set(host.sweep()) >= {*names[2:], *wrong}
    host.boot()
    for _ in range(9):
        host.passes(DAY)
        left = host.sweep()
    assert left == []


def test_a_clock_that_starts_in_1970_and_is_put_right(tmp_path: Path) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    assert host.sweep() == names
    host.now = datetime(1970, 1, 1, 0, 1)
    host.boot()
    early = host.clip(host.now)
    assert set(host.sweep()) == {early, *names}
    host.now = NOW + timedelta(minutes=5)
    assert set(host.sweep()) == {early, *names}
    for _ in range(8):
        host.passes(DAY)
        left = host.sweep()
    assert left == []


def test_weeks_of_being_switched_off_count_for_little_and_then_clips_go_as_days_pass(tmp_path: Path) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    assert host.sweep() == names
    host.now += 21 * DAY
    host.boot()
    left = host.sweep()
    assert set(left) >= set(names[2:])
    for _ in range(6):
        host.passes(DAY)
        left = host.sweep()
    assert left == []


def test_days_that_pass_delete_what_is_old_and_a_camera_that_sees_nothing_is_no_leap(tmp_path: Path) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    for day in range(1, 8):
        host.passes(DAY)
        host.boot()
        assert host.sweep() == names[day:]


def test_with_a_clock_ahead_there_is_still_made_room(tmp_path: Path) -> None:
    host = Host(tmp_path)
    names = host.clips(7)
    host.sweep()
    host.now += 3650 * DAY
    left = host.sweep()
    host.free = 0
    assert host.sweep() == []
    assert set(left) >= set(names[2:])


def test_summer_time_and_a_time_zone_are_no_leap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    host = Host(tmp_path)
    host.clips(7)
    host.sweep()
    host.passes(timedelta(hours=1))
    host.now += timedelta(hours=14)
    host.sweep()
    assert not logged(caplog, messages.CLOCK_LEAPT)


@pytest.mark.parametrize("state", ["", "[]", '{"schema": 1}', '{"schema": 1, "seen": 5, "leaps": 3, "born": null}'])
def test_a_state_that_cannot_be_read_is_ignored(tmp_path: Path, state: str) -> None:
    (tmp_path / STATE_NAME).write_text(state)
    host = Host(tmp_path)
    names = host.clips(9)
    assert host.sweep() == names[2:]
    assert json.loads((tmp_path / STATE_NAME).read_text())["seen"] == NOW.isoformat()


# -- pictures of live events, where there is no clip


@pytest.fixture
def live_only(tmp_path: Path) -> Host:
    """A volume of a week's pictures."""
    host = Host(tmp_path)
    for back in range(7):
        host.picture(NOW - timedelta(hours=1) - DAY * back)
    return host


@pytest.mark.parametrize("boots", [False, True])
def test_a_clock_that_leaps_ahead_deletes_at_most_the_pictures_that_were_nearly_due(
    live_only: Host, boots: bool
) -> None:
    live_only.sweep()
    live_only.passes(timedelta(minutes=5))
    newest = live_only.picture(live_only.now)  # after the last search
    live_only.now += 3650 * DAY
    if boots:
        live_only.boot()
    for _ in range(3):
        live_only.sweep()
        live_only.passes(timedelta(seconds=SEARCH_S))
    assert len(live_only.pictures) >= 6
    assert newest in live_only.pictures


@pytest.mark.parametrize("boots", [False, True])
def test_a_picture_of_a_clock_that_was_ahead_goes_after_its_days_as_well(live_only: Host, boots: bool) -> None:
    live_only.sweep()
    ahead = live_only.picture(NOW + 3650 * DAY)
    live_only.passes(timedelta(seconds=SEARCH_S))
    live_only.sweep()
    for _ in range(7 * 24 - 1):
        live_only.passes(timedelta(hours=1))
        live_only.sweep()
    assert live_only.pictures == {ahead}
    if boots:
        live_only.boot()
    for _ in range(2 * 24):
        live_only.passes(timedelta(hours=1))
        live_only.sweep()
    assert live_only.pictures == set()


def test_a_clip_of_the_minutes_before_a_power_cut_outlives_a_clock_that_is_ahead_then(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.sweep()
    host.passes(timedelta(minutes=4))
    names = [host.clip(host.now)]
    host.now += 3650 * DAY
    host.boot()
    assert host.sweep() == names


def test_a_second_leap_ahead_deletes_no_clip_that_the_first_one_named(tmp_path: Path) -> None:
    host = Host(tmp_path)
    name = host.clip(NOW + 3650 * DAY)
    host.sweep()
    host.passes(timedelta(hours=1))
    assert host.sweep() == [name]
    host.now += 3640 * DAY
    assert host.sweep() == [name]
