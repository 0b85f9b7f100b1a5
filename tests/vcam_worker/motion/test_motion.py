"""Motion against what cameras do: noise, light, and things that really move."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest

from vcam_worker.motion import detector as motion
from vcam_worker.motion.decoder import small_luma
from vcam_worker.motion.detector import Luma, MotionDetector, new_background_model

HEIGHT, WIDTH, FPS = 180, 320, 5
Draw = Callable[[float], np.ndarray]


def background(seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(50, 160, (18, 32)), np.ones((10, 10)))


def judge(draw: Draw, seconds: float, noise: float = 3.0, min_area: float = 0.005) -> list[float]:
    """Return the times at which motion was seen."""
    rng = np.random.default_rng(11)
    detector = MotionDetector(min_area)
    seen = []
    for i in range(round(seconds * FPS)):
        picture = draw(i / FPS) + rng.normal(0, noise, (HEIGHT, WIDTH))
        luma: Luma = np.clip(picture, 0, 255).astype(np.uint8)
        if detector.analyse(luma, i / FPS).moving:
            seen.append(i / FPS)
    return seen


def with_square(still: np.ndarray, time: float, start: float, speed: float, side: int = 24) -> np.ndarray:
    """Draw a square of 1 % of the picture that comes in from the left at `start`, `speed` widths per second."""
    picture = still.copy()
    x = int((time - start) * speed * WIDTH) - side
    if time >= start and -side < x < WIDTH:
        picture[80 : 80 + side // 2, max(0, x) : x + side] = 60
        picture[80 + side // 2 : 80 + side, max(0, x) : x + side] = 150
    return picture


def test_sensor_noise_is_no_motion() -> None:
    still = background()
    assert judge(lambda _: still, 120, noise=5) == []


def test_rain_like_specks_are_no_motion() -> None:
    still = background()
    rng = np.random.default_rng(5)

    def draw(_: float) -> np.ndarray:
        picture = still.copy()
        for _ in range(40):
            y, x = rng.integers(0, HEIGHT - 4), rng.integers(0, WIDTH - 1)
            picture[y : y + 4, x] += 80
        return picture

    assert judge(draw, 60) == []


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("speed", [0.05, 0.2, 0.7])
def test_a_person_sized_object_is_seen_within_half_a_second(speed: float, noise: float) -> None:
    still = background()
    seen = judge(lambda t: with_square(still, t, 20.0, speed), 20 + 1 / speed, noise)
    whole = 20.0 + 24 / (speed * WIDTH)  # all of it is in the picture
    assert seen
    assert seen[0] >= 20.0
    assert len([t for t in seen if t <= whole + 0.5]) >= 2


@pytest.mark.parametrize("levels_a_second", [5, 15, 30])
def test_what_emerges_slowly_from_the_background_is_detected_as_if_every_frame_were_analysed(
    levels_a_second: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = background()

    def draw(time: float) -> np.ndarray:
        picture = still.copy()
        edges = np.kron(np.indices((4, 6)).sum(0) % 2, np.ones((10, 10)))  # a structure of its own
        picture[60:100, 120:180] += edges * min(60, max(0.0, (time - 20) * levels_a_second))
        return picture

    seen = judge(draw, 34, noise=0.5)
    monkeypatch.setattr(motion, "CALM_LEVELS", -1)
    in_full = judge(draw, 34, noise=0.5)
    assert in_full[0] <= seen[0] <= in_full[0] + 1 / FPS + 0.001


def test_a_frame_like_the_previous_one_is_not_analysed_twice() -> None:
    still = background().astype(np.uint8)
    looks = []

    class Counted:
        """The model, counted."""

        def __init__(self) -> None:
            self.model = new_background_model()

        def apply(self, image: np.ndarray, *, learningRate: float) -> object:  # noqa: N803  # OpenCV's name
            looks.append(image)
            return self.model.apply(image, learningRate=learningRate)

        def getBackgroundImage(self) -> object:  # noqa: N802  # OpenCV's name
            return self.model.getBackgroundImage()

    detector = MotionDetector(0.005, Counted)
    detector.analyse(still, 0.0)
    looks.clear()
    for number in range(1, 101):
        detector.analyse(still, number / FPS)
    assert len(looks) == 50


def test_a_light_switched_on_and_off_is_no_motion() -> None:
    still = background()
    assert judge(lambda t: still * (1.6 if 20 <= t < 40 else 1.0), 60) == []


def test_what_moves_right_after_the_light_is_seen_within_two_seconds() -> None:
    still = background()
    seen = judge(lambda t: with_square(still * (1.6 if t >= 20 else 1.0), t, 20.4, 0.3), 26)
    assert seen
    assert seen[0] <= 22.4


def test_a_new_picture_size_starts_anew() -> None:
    detector = MotionDetector(0.005)
    detector.analyse(np.zeros((180, 320), np.uint8), 0.0)
    verdict = detector.analyse(np.full((180, 240), 200, np.uint8), 10.0)
    assert not verdict.moving


def test_the_share_is_that_of_the_picture() -> None:
    still = background()
    detector = MotionDetector(0.005)
    for i in range(100):
        detector.analyse(still.astype(np.uint8), i / FPS)
    picture = still.copy()
    picture[50:100, 100:200] = 230  # 5000 of 57600 pixels
    verdict = detector.analyse(picture.astype(np.uint8), 20.0)
    assert verdict.moving
    assert verdict.share == pytest.approx(5000 / 57600, rel=0.1)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3840, 2160), (1280, 720), (640, 360)])
def test_the_small_picture_holds_the_means_of_the_large_one(width: int, height: int) -> None:
    rng = np.random.default_rng(2)
    large = np.kron(rng.integers(16, 235, (45, 80)), np.ones((height // 45, width // 80)))
    large = np.clip(large + rng.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
    frame = av.VideoFrame(width, height, "yuv420p")
    plane = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(height, frame.planes[0].line_size)
    plane[:, :width] = large
    step = height // HEIGHT
    means = large.reshape(HEIGHT, step, WIDTH, step).mean(axis=(1, 3))
    assert np.abs(small_luma(frame) - means).max() <= 1.5


def test_a_scene_that_is_known_need_not_be_learnt_again_after_a_new_connection() -> None:
    rng, still = np.random.default_rng(11), background()

    def moves(detector: MotionDetector, time: float, since: float = 100.0) -> bool:
        picture = with_square(still, time, since, 0.5, side=40) + rng.normal(0, 3, (HEIGHT, WIDTH))
        return detector.analyse(np.clip(picture, 0, 255).astype(np.uint8), time).moving

    known, new = MotionDetector(0.005), MotionDetector(0.005)
    for number in range(10 * FPS):
        assert not moves(known, 50 + number / FPS)
    known.resume()
    seen = [[moves(one, number / FPS, -1.0) for number in range(FPS)] for one in (known, new)]
    assert all(seen[0])  # it was there when the connection was made
    assert not any(seen[1])
    assert not any(moves(known, 3 + number / FPS) for number in range(5 * FPS))
