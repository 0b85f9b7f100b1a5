"""A reference picture is found again in frames of real films that were shifted, turned and zoomed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared_utils.media.frames import ClipReader
from shared_utils.media.picture import Picture
from tests.video_worker.values.cameras import coded, moved
from video_worker.values.aligner import Aligner
from video_worker.values.alignment import Motion, transform_of

Frames = Callable[[str], Sequence[Picture]]
NUDGES = [
    {},
    {"shift": (0.02, -0.01)},
    {"shift": (-0.05, 0.03), "turn_deg": 3.0},
    {"shift": (0.0, 0.08), "zoom": 1.05},
    {"turn_deg": -10.0},
    {"zoom": 1.1},
    {"zoom": 0.91},
    {"shift": (0.1, 0.0)},
    {"shift": (0.06, 0.06), "turn_deg": 6.0, "zoom": 0.95},
]


@pytest.fixture(scope="module")
def frames(shared_dir: Path) -> Frames:
    """Frames of the films, one per second."""
    found: dict[str, Sequence[Picture]] = {}

    def read(name: str) -> Sequence[Picture]:
        if name not in found:
            with ClipReader(shared_dir / "data" / f"{name}.mp4", 1, 1) as reader:
                found[name] = [frame.picture for frame in reader]
        return found[name]

    return read


def error_px(aligner: Aligner, picture: Picture, expected: np.ndarray) -> float:
    """Return by how many pixels points of the reference are placed wrong in a picture."""
    height, width = picture.shape[:2]
    points = np.array([(0.2, 0.2), (0.8, 0.2), (0.5, 0.5), (0.2, 0.8), (0.8, 0.8)])
    placed = aligner.placement.place(points.tolist())
    assert placed is not None
    # corners of zones count from the outer edge of the first pixel
    there = cv2.perspectiveTransform((points * (width, height) - 0.5).reshape(-1, 1, 2), expected).reshape(-1, 2)
    return float(np.abs(np.array(placed) * (width, height) - 0.5 - there).max())


@pytest.mark.parametrize("nudge", NUDGES)
@pytest.mark.parametrize("name", ["worker-zone", "car-detection"])
def test_small_nudges_are_followed_to_a_pixel(frames, name, nudge):
    reference, *_ = frames(name)
    aligner = Aligner(reference)
    aligner.update(0, reference)
    seen, transform = moved(reference, **nudge)
    picture = coded(seen, light=0.8)
    aligner.update(0.2, picture)
    assert not aligner.placement.is_lost
    assert error_px(aligner, picture, transform) < 1
    motion = aligner.motion
    assert motion is not None
    assert motion.turn_deg == pytest.approx(nudge.get("turn_deg", 0.0), abs=0.2)
    assert motion.zoom == pytest.approx(nudge.get("zoom", 1.0), abs=0.004)


@pytest.mark.parametrize("nudge", [{"shift": (0.25, 0.0)}, {"turn_deg": 25.0}, {"shift": (0.0, 0.4)}, {"zoom": 1.4}])
def test_larger_ones_are_lost_and_found_again_when_the_camera_is_back(frames, nudge):
    reference, *_ = frames("worker-zone")
    aligner = Aligner(reference)
    for number in range(10):
        placement = aligner.update(number / 5, coded(reference, seed=number))
    assert placement.place([(0.5, 0.5)]) is not None
    for number in range(10, 20):
        placement = aligner.update(number / 5, coded(moved(reference, **nudge)[0], seed=number))
        assert placement.is_lost, number
        assert placement.place([(0.5, 0.5)]) is None
    for number in range(20, 30):
        placement = aligner.update(number / 5, coded(reference, seed=number))
    assert not placement.is_lost


@pytest.mark.parametrize("name", ["worker-zone", "car-detection", "bottle-detection"])
def test_another_scene_is_never_taken_for_the_reference(frames, name):
    reference = frames(name)[0]
    for other in ("worker-zone", "car-detection", "bottle-detection"):
        if other == name:
            continue
        for picture in frames(other)[::6]:
            aligner = Aligner(reference)
            size = reference.shape[1], reference.shape[0]
            assert aligner.update(0, np.asarray(cv2.resize(picture, size), np.uint8)).is_lost


def test_people_in_front_and_displays_that_change_do_not_matter(frames):
    """Somebody hides half of the picture, and what can be seen behind has been nudged."""
    reference, *_ = frames("worker-zone")
    seen, transform = moved(reference, (0.03, 0.02), 2.0)
    height, width = seen.shape[:2]
    aligner = Aligner(reference, [[(0.6, 0.1), (0.9, 0.1), (0.9, 0.4), (0.6, 0.4)]])
    somebody = np.random.default_rng(0).integers(0, 255, (height // 8, width // 16, 3)).astype(np.uint8)
    seen[:, : width // 2] = cv2.resize(somebody, (width // 2, height), interpolation=cv2.INTER_CUBIC)
    seen[height // 8 : height // 4, 2 * width // 3 : 5 * width // 6] = (0, 0, 255)
    picture = coded(seen)
    aligner.update(0, picture)
    assert error_px(aligner, picture, transform) < 1


@pytest.mark.parametrize("dark", [0.0, 0.03])
def test_in_the_dark_the_place_before_stands(frames, dark):
    """A display that is lit can be read at night, when nothing else is to be seen."""
    reference, *_ = frames("worker-zone")
    aligner = Aligner(reference)
    seen, transform = moved(reference, (0.03, 0.0))
    aligner.update(0, seen)
    for number in range(1, 30):
        picture = coded(seen, light=dark, seed=number)
        assert not aligner.update(number / 5, picture).is_lost
    assert error_px(aligner, picture, transform) < 1


def test_light_that_changes_over_hours_does_not_lose_the_camera(frames):
    """Shadows wander: what the reference shows is gone in the end, but every picture is like that of a minute ago."""
    reference, *_ = frames("car-detection")
    height, width = reference.shape[:2]
    other = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 300, (height, width, 1)), (0, 0), 5)[..., None]
    aligner = Aligner(reference)
    for number in range(60):
        share = number / 59
        picture = np.clip(reference * (1 - share) + (128 + 6 * other) * share, 0, 255).astype(np.uint8)
        assert not aligner.update(40.0 * number, coded(picture, seed=number)).is_lost, number
    assert error_px(aligner, picture, np.eye(3)) < 1


def test_what_is_not_there_is_not_followed():
    flat = np.full((270, 480, 3), 90, np.uint8)
    with pytest.raises(ValueError, match="too few details"):
        Aligner(flat)
    spot = flat.copy()
    cv2.circle(spot, (240, 130), 30, (255, 255, 255), 3)
    with pytest.raises(ValueError, match="too few details"):
        Aligner(spot)


def test_a_state_is_gone_on_with_and_one_that_is_none_is_refused(frames):
    reference, *_ = frames("worker-zone")
    aligner = Aligner(reference)
    aligner.update(0, moved(reference, (0.05, 0.0))[0])
    later = Aligner(reference)
    later.resume(aligner.state())
    assert later.placement.matrix is not None
    assert aligner.placement.matrix is not None
    assert np.allclose(later.placement.matrix, aligner.placement.matrix)
    for state in ({}, {"matrix": 1, "lost": False}, {"matrix": [[0] * 3] * 3, "lost": False}, {"matrix": None}):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Aligner(reference).resume(state)


def test_proportions_tell_whether_a_frame_is_of_the_same_camera(frames):
    aligner = Aligner(frames("worker-zone")[0])
    assert aligner.fits(np.zeros((1080, 1920, 3), np.uint8))
    assert not aligner.fits(np.zeros((1080, 1440, 3), np.uint8))


def test_limits_of_what_is_followed():
    assert Motion(0.1, 10.0, 1.1).is_small
    assert not Motion(0.2, 0.0, 1.0).is_small
    assert not Motion(0.0, -15.0, 1.0).is_small
    assert not Motion(0.0, 0.0, 0.8).is_small
    assert np.allclose(transform_of(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (640, 360)), np.eye(3))
