"""What is a cut and what is not: moving cameras, light, objects that pass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared_utils.media.frames import ClipReader
from video_worker.pipeline.cuts import CutDetector


def place(seed: int, width: int = 1280, height: int = 720) -> np.ndarray:
    """Return a picture of a place: large shapes, and small ones within."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(30, 220, (9, 16, 3), dtype=np.uint8), (width, height))
    fine = cv2.resize(
        rng.integers(0, 90, (36, 64, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    picture = cv2.add(coarse, fine)
    for _ in range(12):
        x, y = int(rng.integers(width - 200)), int(rng.integers(height - 150))
        cv2.rectangle(picture, (x, y), (x + 150, y + 100), tuple(int(v) for v in rng.integers(0, 255, 3)), -1)
    return picture


def cuts(*pictures: np.ndarray) -> list[bool]:
    detector = CutDetector()
    return [detector.is_cut(picture) for picture in pictures]


def lit(picture: np.ndarray, gain: float, offset: float = 0, gamma: float = 1) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, picture.shape)
    bright = 255 * (picture / 255.0) ** gamma * gain + offset + noise
    return np.clip(bright, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_another_place_is_a_cut_of_any_size(seed):
    assert cuts(place(seed), place(seed + 100), place(seed + 100)) == [False, True, False]
    assert cuts(place(seed), place(seed + 50, 640, 272), place(seed)) == [False, True, True]


@pytest.mark.parametrize(
    ("gain", "offset", "gamma"), [(0.15, 0, 1), (2.5, 0, 1), (1.3, 60, 1), (1, 0, 2.2), (0.02, 0, 1)]
)
def test_a_light_switch_is_none(gain, offset, gamma):
    scene = place(1)
    assert cuts(scene, lit(scene, gain, offset, gamma), scene) == [False] * 3


@pytest.mark.parametrize(("gain", "noise"), [(0.1, 15), (0.02, 25), (0.1, 25), (0.05, 50), (0.2, 50)])
def test_the_grain_of_a_camera_at_night_is_none(gain, noise):
    rng = np.random.default_rng(0)
    dark = place(1, 640, 360).astype(np.float64) * gain
    grainy = [np.clip(dark + rng.normal(0, noise, dark.shape), 0, 255).astype(np.uint8) for _ in range(5)]
    assert cuts(*grainy) == [False] * 5
    assert cuts(place(1, 640, 360), *grainy, place(2, 640, 360)) == [False] * 6 + [True]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_a_camera_that_turns_is_none(seed, share):
    world = place(seed, 2560, 1440)
    step = int(share * 1280)
    assert cuts(*(world[200:920, x : x + 1280] for x in (0, step, 2 * step))) == [False] * 3


@pytest.mark.parametrize("factor", [1.05, 1.1])
def test_a_camera_that_zooms_is_none(factor):
    scene = place(2)
    height, width = scene.shape[:2]
    nearer = cv2.resize(scene, None, fx=factor, fy=factor)
    y, x = (nearer.shape[0] - height) // 2, (nearer.shape[1] - width) // 2
    assert cuts(scene, nearer[y : y + height, x : x + width]) == [False, False]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_lorry_that_passes_is_none(share):
    scene, lorry = place(3), place(4)
    hidden = scene.copy()
    edge = int(share * scene.shape[1])
    hidden[:, :edge] = lorry[:, :edge]
    assert cuts(scene, hidden, scene) == [False] * 3


def test_a_covered_camera_is_none_until_it_shows_another_place():
    black = np.full_like(place(5), 3)
    assert cuts(place(5), black, black, place(5)) == [False] * 4
    assert cuts(place(5), black, black, place(6)) == [False, False, False, True]


@pytest.mark.parametrize("fps", [2, 5, 10, 0])
def test_the_cuts_of_a_real_clip(shared_dir, fps):
    detector = CutDetector()
    with ClipReader(shared_dir / "data" / "bikes.mp4", fps, 1) as reader:
        found = [frame.time_s for frame in reader if detector.is_cut(frame.picture)]
    step = 1 / (fps or 25)
    # the last one, at 9.68 s, is followed by less than half a second
    for expected in (1.2, 3.04, 5.48, 7.48):
        assert [time_s for time_s in found if expected <= time_s <= expected + step + 0.01], (expected, found)
    assert len(found) == (4 if fps == 2 else 5)


@pytest.mark.parametrize("clip", ["car-detection.mp4", "bottle-detection.mp4", "conveyor.mp4", "worker-zone.mp4"])
def test_a_fixed_camera_has_none(shared_dir, clip):
    detector = CutDetector()
    with ClipReader(shared_dir / "data" / clip, 2, 1) as reader:
        assert not [frame.time_s for frame in reader if detector.is_cut(frame.picture)]
