"""A live worker as a process, in front of cameras whose truth is known."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from camera_emulator.scene import Scene, Truth
from devtools.paths import SCENE_MODEL
from devtools.redis_server import RedisServer
from shared_utils.contracts.events import Event, events_log_path, read_events
from shared_utils.media.picture import Picture
from tests.support.network.frame_server import FrameServer
from tests.support.programs import Program, Programs

SIZE = (640, 360)
MARGIN_PX = 14


@functools.cache
def standing(count: int) -> tuple[Picture, tuple[str, ...]]:
    """Return a picture of the drawn street in which `count` figures stand, far from each other, and their labels.

    The picture with one more holds the same ones at the same places.
    """
    scene = Scene(0, SIZE, noise=0)
    picture = scene.frame(0.0)
    placed: list[Truth] = []
    time_s = 4.0
    while len(placed) < count:
        time_s += 0.5
        found = scene.truth(time_s)
        for one in found:
            area = _around(one)
            others = [_around(other) for other in [*placed, *(other for other in found if other is not one)]]
            whole = one.xyxy[0] > 30 and one.xyxy[2] < SIZE[0] - 30
            if not whole or len(placed) == count or any(_overlap(area, other) for other in others):
                continue
            x1, y1, x2, y2 = area
            picture[y1:y2, x1:x2] = scene.frame(time_s)[y1:y2, x1:x2]
            placed.append(one)
    return picture, tuple(one.label for one in placed)


def _around(one: Truth) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (round(value) for value in one.xyxy)
    return max(0, x1 - MARGIN_PX), max(0, y1 - MARGIN_PX), min(SIZE[0], x2 + MARGIN_PX), min(SIZE[1], y2 + MARGIN_PX)


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class Live:
    """Starts live workers over one volume, one Redis and one server of frames.

    Args:
        programs: starts processes.
        video_dir: the volume.
        redis: the Redis.
    """

    def __init__(self, programs: Programs, video_dir: Path, redis: RedisServer) -> None:
        self.video_dir = video_dir
        self.redis = redis
        self._programs = programs

    def env(self, url: str, **settings: str) -> Mapping[str, str]:
        own = {"VIDEO_DIR": str(self.video_dir), "CAPTURE_URL": url, "YOLO_MODEL": str(SCENE_MODEL)}
        return {**self.redis.env, **own, **settings}

    def start(self, url: str, **settings: str) -> Program:
        return self._programs.python("-m", "video_worker", "live", env=self.env(url, **settings))

    def health(self, url: str) -> int:
        return self._programs.python("-m", "video_worker.health", "live", env=self.env(url)).wait()

    def events(self, camera: str | None = None) -> Sequence[Event]:
        found = read_events(events_log_path(self.video_dir))
        return [event for event in found if camera is None or event.camera == camera]

    def labels(self, camera: str | None = None) -> list[str]:
        return [str(event.more["label"]) for event in self.events(camera)]


@pytest.fixture
def live(programs: Programs, tmp_path: Path, redis_server: RedisServer) -> Live:
    """Starts live workers."""
    return Live(programs, tmp_path / "video", redis_server)


@pytest.fixture
def serve() -> Iterator[Callable[..., FrameServer]]:
    """Starts servers of frames, by the cameras' names."""
    started: list[FrameServer] = []

    def start(**cameras: object) -> FrameServer:
        started.append(FrameServer(cameras).start())
        return started[-1]

    yield start
    for server in started:
        server.stop()
