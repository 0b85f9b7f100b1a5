"""The drawn panel: deterministic, its truth fits its pixels, and its zones are a valid file."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from camera_emulator.panel.dot_matrix import dots_of
from camera_emulator.panel.scene import DEVICES, Corners, Nudge, PanelScene
from camera_emulator.panel.schedules import ALARM, OVERVIEW, PAGES
from camera_emulator.panel.segments import DIGITS, DigitLook, masks
from camera_emulator.panel.truth import truth_of
from camera_emulator.panel.zones_file import write_zones_file
from shared_utils.config.zones.file import load_zones
from shared_utils.errors import SettingError

SIZE = (640, 360)
LOOK = DigitLook("mitred", 0.18, 0.03, 0.1, 1.9, False, 1.5)


def _crop(frame: np.ndarray, corners: Corners) -> np.ndarray:
    points = np.array(corners, np.float32) * (frame.shape[1], frame.shape[0])
    wanted = np.array([(0, 0), (200, 0), (200, 80), (0, 80)], np.float32)
    return cv2.warpPerspective(frame, cv2.getPerspectiveTransform(points.astype(np.float32), wanted), (200, 80))


def test_same_seed_and_time_give_the_same_picture_and_truth_in_any_order() -> None:
    one, other = PanelScene(3, SIZE), PanelScene(3, SIZE)
    times = [0.0, 7.4, 31.2]
    pictures = [one.frame(t) for t in times]
    for t, picture in reversed(list(zip(times, pictures, strict=True))):
        assert np.array_equal(other.frame(t), picture)
        assert other.truth(t) == one.truth(t)


def test_seeds_differ() -> None:
    assert not np.array_equal(PanelScene(1, SIZE).frame(0.0), PanelScene(2, SIZE).frame(0.0))
    assert truth_of(PanelScene(1, SIZE), 20.0)["displays"] != truth_of(PanelScene(2, SIZE), 20.0)["displays"]


@pytest.mark.parametrize("seed", range(4))
def test_a_display_changes_when_the_truth_says_so_and_not_else(seed: int) -> None:
    scene = PanelScene(seed, SIZE, noise=0.0, glare=False)
    displays = truth_of(scene, 20.0)["displays"]
    # beside it, ambient light and the curve on a page change
    for name in ("pressure", "temperature", "message", "order", "counter", "alarm", "run"):
        spans = [span for span in displays[name] if span["state"] == "shown"]
        for before, after in itertools.pairwise(spans):
            old, last, new = (
                _crop(scene.frame(t), scene.places()[name]).astype(int)
                for t in (before["from"], before["to"] - 1 / scene.fps, after["from"])
            )
            assert np.abs(old - last).max() < 40 or before["to"] - before["from"] > 4, (name, before)
            assert np.abs(last - new).max() > 60, (name, before, after)


def test_every_change_is_in_the_truth_with_both_values() -> None:
    displays = truth_of(PanelScene(0, SIZE), 60.0)["displays"]
    assert set(displays) == set(DEVICES)
    for name, spans in displays.items():
        assert spans[0]["from"] == 0
        assert spans[-1]["to"] == 60
        for before, after in itertools.pairwise(spans):
            assert before["to"] == after["from"]
            if name != "speed" and before["value"] != after["value"]:
                assert after["state"] == "changing" or name == "pressure"
            if after["state"] == "changing":
                assert after["before"] == before["value"] or name == "speed"


def test_glare_hides_displays_now_and_then() -> None:
    spans = [
        span for seed in range(5) for one in truth_of(PanelScene(seed, SIZE), 60.0)["displays"].values() for span in one
    ]
    hidden = sum(span["to"] - span["from"] for span in spans if span["state"] == "glare")
    assert 0.002 < hidden / (5 * 60 * len(DEVICES)) < 0.1


def test_speed_is_on_its_page_only() -> None:
    displays = truth_of(PanelScene(2, SIZE), 120.0)["displays"]
    pages = {span["value"] for span in displays["screen"]}
    assert pages == {*PAGES, None}
    for span in displays["speed"]:
        moment = (span["from"] + span["to"]) / 2
        page = next(one for one in displays["screen"] if one["from"] <= moment < one["to"])
        if span["state"] == "absent":
            assert page["value"] != OVERVIEW
        elif span["state"] == "shown":
            assert page["value"] == OVERVIEW


def test_a_nudge_moves_the_displays_and_their_places_alike() -> None:
    still, nudged = (
        PanelScene(1, SIZE, noise=0.0, glare=False, nudges=nudges)
        for nudges in ((), (Nudge(5.0, right=0.02, down=-0.01, turn=2.0, zoom=1.03),))
    )
    assert np.array_equal(still.frame(4.9), nudged.frame(4.9))
    assert np.array_equal(nudged.nudged(4.9), np.eye(3))
    for name in ("pressure", "order", "message"):
        before, after = (_crop(scene.frame(6.0), scene.places(6.0)[name]).astype(int) for scene in (still, nudged))
        assert np.abs(before - after).mean() < 6
    assert len(truth_of(nudged, 10.0)["places"]) == 2


@pytest.mark.parametrize("outline", ["mitred", "pointed", "round"])
def test_digits_light_their_segments(outline: Any) -> None:
    look = DigitLook(outline, 0.18, 0.08, 0.1, 1.9, False, 1.5)
    for digit, names in DIGITS.items():
        lit, every = masks(digit, 1, 400, look)
        count, _ = cv2.connectedComponents((lit > 128).astype(np.uint8))
        assert count - 1 == len(names), digit
        assert np.all(every >= lit)


def test_a_point_belongs_to_its_digit() -> None:
    with_point, without = masks("1.2", 3, 100, LOOK)[0], masks("12", 3, 100, LOOK)[0]
    assert with_point.shape == without.shape
    assert np.count_nonzero(with_point > 128) > np.count_nonzero(without > 128)


def test_characters_of_dots_differ() -> None:
    drawn = {dots_of(character, 1).tobytes() for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-.% "}
    assert len(drawn) == 40


def test_zones_are_a_valid_file_with_its_pictures(tmp_path: Path) -> None:
    scene = PanelScene(4, SIZE)
    write_zones_file(scene, tmp_path / "press.json")
    zones = load_zones(tmp_path / "press.json")
    assert {zone.name for zone in zones.zones} == set(DEVICES)
    assert {page.name for page in zones.pages} == set(PAGES)
    for name in (zones.reference, *(page.reference for page in zones.pages)):
        assert cv2.imread(str(tmp_path / str(name))).shape == (SIZE[1], SIZE[0], 3)
    assert scene.truth(scene.moment_of(ALARM))["screen"].value == ALARM


def test_a_file_that_is_named_after_no_camera(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="camera"):
        write_zones_file(PanelScene(0, SIZE), tmp_path / "a panel.json")


def test_the_command_writes_truth_and_zones(start_camera: Callable[..., Any], free_port: int, tmp_path: Path) -> None:
    truth, zones = tmp_path / "truth.json", tmp_path / "zones" / "panel.json"  # a folder to be made
    camera = start_camera(
        "panel", f"http://127.0.0.1:{free_port}/video", "--seed", "5", "--size", "320x180", "--fps", "5",
        "--truth", str(truth), "--zones-out", str(zones),
    )  # fmt: skip
    assert "panel, 320x180" in camera.ready
    assert json.loads(truth.read_text())["seed"] == 5
    assert load_zones(zones).camera == "panel"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "scene", "--truth", "t.json"), "--truth goes with --source gate or panel, not with scene"),
        (("--source", "webcam", "--zones-out", "z.json"), "goes with --source gate or panel, not with webcam"),
        (("--source", "panel", "--truth", "no/such/folder/t.json"), "no/such/folder/t.json cannot be written"),
    ],
)  # fmt: skip
def test_wrong_use(
    run_emulator: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...], message: str
) -> None:
    found = run_emulator(*arguments, "--url", "http://127.0.0.1:1/video")
    assert found.returncode == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
