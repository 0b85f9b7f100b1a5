"""Which events capture makes of its cameras' states and of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from shared_utils.contracts.events import Event
from vcam_worker.runtime.capture_events import DOWN_AFTER_S, CaptureEvents
from vcam_worker.runtime.status import CameraStatus, State

START = 1_770_000_000.0
DOOR = CameraStatus("door", "rtsp://***@10.1.2.3/stream", since=START)


@dataclass
class World:
    """A clock, and what was published."""

    tick: float = 1000.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.capture = CaptureEvents(self.events.append, lambda: START + self.tick - 1000, lambda: self.tick)

    def after(self, seconds: float, *cameras: CameraStatus, pause: str | None = None, hangs: bool = False) -> list[str]:
        """Let time pass, check each second, and return what came."""
        before = len(self.events)
        for _ in range(max(1, round(seconds))):
            self.tick += 1
            self.capture.check(cameras, pause_reason=pause, volume_hangs=hangs)
        return [f"{event.type} {event.value}" for event in self.events[before:]]


def door(state: State, reason: str | None = None, last: float | None = None) -> CameraStatus:
    return replace(DOOR, state=state, reason=reason, last_packet=last)


def test_a_camera_comes_and_goes() -> None:
    world = World()
    assert world.after(60, door("starting")) == []
    assert world.after(3, door("running", last=START + 62)) == ["camera up"]
    assert world.after(60, door("running")) == []
    assert world.after(DOWN_AFTER_S - 1, door("offline", "10.1.2.3:554 refuses the connection")) == []
    assert world.after(1, door("offline", "10.1.2.3:554 refuses the connection")) == ["camera down"]
    down = world.events[-1]
    assert (down.camera, dict(down.more)) == ("door", {"reason": "no connection", "state": "offline"})
    assert down.at.timestamp() == START + 62  # the last packet
    assert world.after(60, door("unauthorized", "wrong user name or password for 10.1.2.3")) == []
    assert world.after(1, door("starting")) == []
    assert world.after(1, door("running")) == ["camera up"]


def test_a_camera_that_reconnects_at_once_is_not_reported() -> None:
    world = World()
    world.after(1, door("running"))
    for _ in range(10):
        assert world.after(DOWN_AFTER_S - 1, door("offline", "the camera ended the stream")) == []
        assert world.after(20, door("running")) == []


def test_a_camera_that_never_came_up_is_down_once() -> None:
    world = World()
    assert world.after(3, door("starting")) == []
    assert world.after(60, door("unauthorized", "x")) == ["camera down"]
    assert dict(world.events[-1].more)["reason"] == "the camera does not take the user name or password"
    assert world.after(60, door("offline", "x")) == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("signal SIGKILL", "its process ended; it is started again"), (None, "the file is at its end")],
)
def test_a_process_that_ends(reason: str | None, expected: str) -> None:
    world = World()
    world.after(1, door("running"))
    assert world.after(60, door("stopped", reason)) == ["camera down"]
    assert dict(world.events[-1].more)["reason"] == expected


def test_a_process_that_ends_and_hangs_at_its_start_is_down() -> None:
    world = World()
    world.after(1, door("running"))
    assert world.after(1, door("stopped", "signal SIGKILL")) == []
    assert world.after(60, door("starting")) == ["camera down"]


def test_a_camera_that_is_taken_out_is_down() -> None:
    world = World()
    garden = replace(DOOR, name="garden", state="offline")
    world.after(60, door("running"), garden)
    assert world.after(1) == ["camera down"]  # the garden was down already
    assert dict(world.events[-1].more) == {"reason": "taken out of the settings"}
    assert world.after(1, door("running")) == ["camera up"]


def test_a_full_disk_is_trouble_of_the_service_and_no_camera_is_down() -> None:
    world = World()
    garden = replace(DOOR, name="garden")
    running = [door("running"), replace(garden, state="running")]
    paused = [replace(one, state="paused", reason="0.5 GB free of MIN_FREE_GB=1") for one in running]
    world.after(1, *running)
    assert world.after(60, *paused, pause="0.5 GB free of MIN_FREE_GB=1") == ["service trouble"]
    more = world.events[-1].more
    assert (more["program"], more["what"], more["over"]) == ("capture", "recording_paused", False)
    assert more["reason"] == "0.5 GB free of MIN_FREE_GB=1"
    assert world.after(60, *paused, pause="0.4 GB free of MIN_FREE_GB=1") == []
    assert world.after(60, *running) == ["service trouble"]
    assert world.events[-1].more["over"] is True


def test_a_write_that_failed_in_one_camera_is_trouble() -> None:
    world = World()
    world.after(1, door("running"))
    paused = door("paused", "VIDEO_DIR cannot be written to (No space left on device)")
    assert world.after(10, paused) == ["service trouble"]
    assert world.after(10, door("running")) == ["service trouble"]


def test_a_volume_that_hangs_is_trouble() -> None:
    world = World()
    assert world.after(10, door("running"), hangs=True) == ["camera up", "service trouble"]
    assert world.events[-1].more["what"] == "volume_hangs"
    assert world.after(10, door("running")) == ["service trouble"]


def test_checks_are_a_second_apart() -> None:
    world = World()
    world.capture.check([door("running")], pause_reason=None, volume_hangs=False)
    world.capture.check([], pause_reason=None, volume_hangs=True)
    assert [event.value for event in world.events] == ["up"]
    world.tick += 1
    world.capture.check([], pause_reason=None, volume_hangs=True)
    assert [event.value for event in world.events] == ["up", "down", "trouble"]
