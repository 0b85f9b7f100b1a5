"""Zones in which motion is ignored: nothing there counts, and everything elsewhere does as before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from shared_utils.config.cameras import MotionSettings
from shared_utils.config.zones.model import Zone, Zones
from tests.support.footage.video import noise_background, write_video
from vcam_worker.motion.detector import LIGHT_SHARE, Motion, MotionDetector
from vcam_worker.motion.ignored import Polygons, ignored_polygons, watched_mask, watched_share
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.replay import trace

HEIGHT, WIDTH, FPS = 180, 320, 5
RIGHT: Polygons = (((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)),)
"""The right half of the picture."""
Draw = Callable[[float], np.ndarray]


def still_picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.kron(rng.integers(50, 160, (18, 32)), np.ones((10, 10)))


def leaves(picture: np.ndarray, time: float, left: int = WIDTH // 2) -> np.ndarray:
    """Draw what moves all the time, from column `left` on."""
    rng = np.random.default_rng(round(time * 100))
    picture = picture.copy()
    picture[:, left:] = np.kron(rng.integers(30, 220, (HEIGHT // 10, WIDTH // 10)), np.ones((10, 10)))[:, left:]
    return picture


def with_square(picture: np.ndarray, x: float, side: int = 24) -> np.ndarray:
    """Draw a square of 1 % of the picture, light over dark, with its left edge at `x`."""
    picture, x = picture.copy(), round(x)
    picture[80 : 80 + side // 2, max(0, x) : max(0, x + side)] = 20
    picture[80 + side // 2 : 80 + side, max(0, x) : max(0, x + side)] = 230
    return picture


def verdicts(
    draw: Draw, seconds: float, ignored: Polygons = (), detector: MotionDetector | None = None
) -> list[Motion]:
    rng = np.random.default_rng(11)
    detector = detector or MotionDetector(0.005)
    detector.ignore(ignored)
    found = []
    for number in range(round(seconds * FPS)):
        picture = draw(number / FPS) + rng.normal(0, 2, (HEIGHT, WIDTH))
        found.append(detector.analyse(np.clip(picture, 0, 255).astype(np.uint8), number / FPS))
    return found


def moving(found: list[Motion]) -> list[float]:
    return [number / FPS for number, motion in enumerate(found) if motion.moving]


def test_what_moves_in_an_ignored_zone_counts_for_nothing() -> None:
    still = still_picture()
    assert moving(verdicts(lambda time: leaves(still, time), 30))
    found = verdicts(lambda time: leaves(still, time), 30, RIGHT)
    assert not moving(found)
    assert max(motion.share for motion in found) == 0


def test_an_object_that_walks_through_an_ignored_zone_and_out_of_it_is_seen_where_it_comes_out() -> None:
    """It comes in at the right edge, inside of the zone, at 20 s, and leaves the zone to the left."""
    still = still_picture()
    speed = WIDTH / 10
    found = moving(verdicts(lambda time: with_square(leaves(still, time), WIDTH - speed * (time - 20)), 32, RIGHT))
    comes_out = 20 + (WIDTH / 2) / speed
    assert comes_out <= found[0] <= comes_out + 1.0
    assert len([time for time in found if time <= comes_out + 1.5]) >= 2
    # on the rest of its way it is seen in each frame
    assert all(later - earlier < 1.5 / FPS for earlier, later in pairwise(found))


def test_the_share_is_that_of_the_whole_picture_as_without_zones() -> None:
    still = still_picture()

    def draw(time: float) -> np.ndarray:
        return with_square(still, 100) if time >= 20 else still

    everywhere, half = (verdicts(draw, 20.6, ignored)[-2] for ignored in ((), RIGHT))
    assert half.moving
    assert half.share == pytest.approx(everywhere.share)


def test_a_light_is_no_motion_where_half_of_the_picture_is_ignored() -> None:
    still = still_picture()
    found = verdicts(lambda time: np.clip(still * (1.6 if time >= 20 else 1.0), 0, 255), 40, RIGHT)
    assert [motion.light for motion in found].count(True) == 1
    assert not moving(found)


@pytest.mark.parametrize("ignored_from", [0.25, 0.5, 0.75])
def test_a_shadow_is_no_motion_beside_leaves(ignored_from: float) -> None:
    """The shadow of a cloud falls on all of the picture within 1.6 s, and takes two fifths of the light."""
    still = still_picture()
    polygons: Polygons = (((ignored_from, 0.0), (1.0, 0.0), (1.0, 1.0), (ignored_from, 1.0)),)

    def draw(time: float) -> np.ndarray:
        return leaves(still, time, round(ignored_from * WIDTH)) * max(0.6, 1.0 - max(0.0, time - 20) / 4)

    assert not moving(verdicts(draw, 40, polygons))


def test_an_object_that_fills_what_is_left_of_the_picture_is_no_light() -> None:
    """A door is all that is watched: 4 % of the picture, while leaves move in the rest."""
    still = still_picture()
    x1, x2, y1, y2 = 0.3, 0.4, 0.3, 0.7
    around: Polygons = (
        ((0, 0), (x1, 0), (x1, 1), (0, 1)),
        ((x2, 0), (1, 0), (1, 1), (x2, 1)),
        ((x1, 0), (x2, 0), (x2, y1), (x1, y1)),
        ((x1, y2), (x2, y2), (x2, 1), (x1, 1)),
    )
    assert watched_share(around) == pytest.approx(0.04, abs=0.002)

    def draw(time: float) -> np.ndarray:
        picture = leaves(still, time, 200)
        if time >= 20:
            picture[40:140, 80:140] = np.kron(np.indices((10, 6)).sum(0) % 2 * 200 + 20, np.ones((10, 10)))
        return picture

    found = verdicts(draw, 22, around)
    assert moving(found)[0] == pytest.approx(20)
    assert found[100].share > LIGHT_SHARE * 0.04


def test_a_new_revision_takes_effect_with_the_next_frame() -> None:
    still = still_picture()
    detector = MotionDetector(0.005)
    assert not moving(verdicts(lambda time: leaves(still, time), 20, RIGHT, detector))
    detector.ignore(())
    assert any(detector.analyse(leaves(still, time).astype(np.uint8), time).moving for time in (20.0, 20.2))
    detector.ignore(RIGHT)
    assert not detector.analyse(leaves(still, 20.4).astype(np.uint8), 20.4).moving


def test_what_was_ignored_has_been_learnt_when_it_is_watched_again() -> None:
    still = still_picture()
    detector = MotionDetector(0.005)
    verdicts(lambda _: still, 20, RIGHT, detector)
    detector.ignore(())
    assert not any(detector.analyse(still.astype(np.uint8), 20 + number / FPS).moving for number in range(20))


def test_the_mask_is_zero_in_the_polygons_alone() -> None:
    triangle = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    mask = watched_mask((triangle, RIGHT[0]), (180, 320))
    assert mask is not None
    assert mask[10, 10] == mask[179, 319] == mask[90, 160] == 0
    assert mask[175, 150] == 255
    assert watched_share((triangle,)) == pytest.approx(0.5, abs=0.01)
    assert watched_share(RIGHT) == pytest.approx(0.5, abs=0.005)
    assert watched_mask((), (180, 320)) is None
    assert watched_share(()) == 1.0
    whole: Polygons = (((0, 0), (1, 0), (1, 1), (0, 1)),)
    assert watched_share(whole) == 0


def test_zones_name_the_polygons() -> None:
    zones = Zones(1, "cam1", zones=(Zone("a", RIGHT[0], ignore_motion=True), Zone("b", RIGHT[0])))
    assert ignored_polygons(zones) == RIGHT
    assert ignored_polygons(None) == ()


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 s in which leaves move in the right half, and a square crosses from right to left at 14 to 22 s."""
    background = noise_background(640, 360)

    def draw(time: float) -> np.ndarray:
        picture = background.copy()
        rng = np.random.default_rng(round(time * 10))
        grey = np.kron(rng.integers(30, 220, (18, 16)), np.ones((20, 20))).astype(np.uint8)
        picture[:, 320:] = grey[..., None]
        if 14 <= time <= 22:
            x = int((22 - time) / 8 * 580)
            picture[150:210, x : x + 60] = (40, 60, 230)
        return picture

    return write_video(tmp_path_factory.mktemp("ignored") / "garden.mp4", draw, seconds=26)


def test_a_replay_records_what_comes_out_of_the_zone(garden: Path) -> None:
    rules = ClipRules(clip_seconds=4, pre_roll_seconds=1)
    everything = trace(garden, MotionSettings(), rules)
    assert everything.clips[0].trigger_s < 4
    found = trace(garden, MotionSettings(), rules, RIGHT)
    comes_out = 22 - 8 * (320 - 30) / 580
    assert found.clips[0].trigger_s == pytest.approx(comes_out, abs=0.8)
    assert all(not frame.mask[:, 161:].any() for frame in found.frames)
    assert found == trace(garden, MotionSettings(), rules, RIGHT)
    assert dataclasses.replace(everything, ignored=RIGHT) != found
