"""Sources and pacing: rising times, no drift, clear errors."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera_emulator.scene import Scene
from camera_emulator.source import Picture, SceneSource, paced
from camera_emulator.video_file import FileSource
from camera_emulator.webcam import WebcamSource
from shared_utils.errors import SettingError, SourceEnded, SourceRefused

WriteVideo = Callable[..., Path]


class FakeClock:
    """Time that passes only by waiting, or by what the test adds."""

    def __init__(self) -> None:
        self.now = 100.0
        self.stopped = False

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.stopped


def _black() -> np.ndarray:
    return np.zeros((2, 2, 3), np.uint8)


def _endless(step_s: float) -> Iterator[Picture]:
    return (Picture(number * step_s, _black) for number in itertools.count())


def _grey(picture: Picture) -> int:
    return round(float(picture.image().mean()) / 10)


def test_a_file_loops_with_rising_times_at_its_own_rate(write_video: WriteVideo) -> None:
    source = FileSource(write_video("loop.mp4", range(0, 1000, 100)))
    pictures = list(itertools.islice(source.pictures(), 35))
    times = np.array([picture.time_s for picture in pictures])
    assert times[0] == 0.0
    steps = np.diff(times)
    assert np.delete(steps, [9, 19, 29]) == pytest.approx(0.1, abs=0.001)
    assert steps[[9, 19, 29]] == pytest.approx(1 / source.fps, abs=0.001)  # where it starts again
    assert [_grey(picture) for picture in pictures] == [number % 10 for number in range(35)]


def test_once_ends_with_the_file(write_video: WriteVideo) -> None:
    source = FileSource(write_video("once.mp4", range(0, 400, 40)), once=True)
    assert len(list(source.pictures())) == 10


def test_b_frames_and_a_late_start_do_not_disturb_the_order(write_video: WriteVideo) -> None:
    path = write_video("late.mkv", range(5000, 6000, 40), codec="libx264")
    pictures = list(FileSource(path, once=True).pictures())
    assert pictures[0].time_s == 0.0
    assert [_grey(picture) for picture in pictures] == list(range(25))


def test_a_damaged_file_plays_as_far_as_it_goes_and_starts_again(
    write_video: WriteVideo, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video("cut.mkv", range(0, 2000, 40), codec="libx264", size=(320, 240))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with caplog.at_level(logging.WARNING):
        times = [picture.time_s for picture in itertools.islice(FileSource(path).pictures(), 120)]
    assert len(times) == 120
    assert np.all(np.diff(times) > 0)


def test_a_file_can_be_scaled_and_odd_sizes_are_cut(write_video: WriteVideo) -> None:
    path = write_video("odd.mkv", range(0, 400, 40), size=(65, 49), codec="ffv1")
    assert FileSource(path).size == (64, 48)
    for size in ((64, 48), (160, 120)):
        picture = next(FileSource(path, size).pictures())
        assert picture.image().shape == (size[1], size[0], 3)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    with pytest.raises(SettingError, match=r"--source .*notes\.mp4 cannot be read as a video"):
        FileSource(path)


def test_scene_source_draws_only_what_is_asked_for() -> None:
    source = SceneSource("scene", Scene(0, (320, 180), 10.0))
    pictures = list(itertools.islice(source.pictures(), 3))
    assert [picture.time_s for picture in pictures] == [0.0, 0.1, 0.2]
    assert pictures[2].image().shape == (180, 320, 3)


def test_pacing_does_not_drift_when_work_takes_time() -> None:
    clock = FakeClock()
    for number, _ in enumerate(itertools.islice(paced(_endless(0.1), clock, clock.wait), 50)):
        assert clock.now == pytest.approx(100.0 + 0.1 * number)
        clock.now += 0.07


def test_pacing_does_not_catch_up_after_a_long_pause() -> None:
    clock = FakeClock()
    pictures = paced(_endless(0.1), clock, clock.wait)
    next(pictures)
    clock.now += 60.0
    next(pictures)
    before = clock.now
    next(pictures)
    assert clock.now - before == pytest.approx(0.1)


def test_pacing_ends_at_a_stop() -> None:
    clock = FakeClock()
    pictures = paced(_endless(0.1), clock, clock.wait)
    next(pictures)
    clock.stopped = True
    assert list(pictures) == []


def test_a_webcam_that_is_not_there() -> None:
    with pytest.raises(SourceRefused, match="webcam 99 gives no picture"):
        WebcamSource(99, None, None, FakeClock())


class FakeDevice:
    """Stands for ``cv2.VideoCapture``: a test machine has no webcam, nor one to unplug.

    Gives pictures of an odd size, drops every third, and is unplugged after ten.
    """

    def __init__(self, index: int) -> None:
        self.reads = 0
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.reads += 1
        if self.reads > 15 or self.reads % 3 == 0:
            return False, None
        return True, np.full((49, 65, 3), self.reads, np.uint8)

    def get(self, prop: int) -> float:
        return 0.0

    def set(self, prop: int, value: float) -> bool:
        return False

    def release(self) -> None:
        self.released = True


def test_a_webcam_drops_pictures_and_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeDevice)
    ticks = itertools.count()
    source = WebcamSource(0, None, None, lambda: float(next(ticks)))
    assert (source.size, source.fps, source.name, source.live) == ((64, 48), 30.0, "webcam 0", True)
    got: list[Picture] = []
    with pytest.raises(SourceEnded, match="unplugged"):
        got.extend(source.pictures())
    # Pictures are kept as they came, whenever they are looked at.
    assert [int(picture.image()[0, 0, 0]) for picture in got] == [2, 4, 5, 7, 8, 10, 11, 13, 14]
    assert {picture.image().shape for picture in got} == {(48, 64, 3)}
    assert np.all(np.diff([picture.time_s for picture in got]) > 0)
