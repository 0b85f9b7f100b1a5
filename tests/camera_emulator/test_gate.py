"""The drawn gate: deterministic, its truth is what its figures do, and its zones are a valid file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from camera_emulator.drawn import make_scene
from camera_emulator.gate.ground import LINES, POLYGONS, zones_of
from camera_emulator.gate.programme import Passage, Programme, walk
from camera_emulator.gate.scene import GateScene
from camera_emulator.gate.truth import GateEvent, events_of, truth_of
from shared_utils.config.zones.file import load_zones, parse_zones
from video_worker.zones.geometry import crossings, in_polygon

SIZE = (320, 180)
STEP_S = 0.01


def feet(one: Passage) -> tuple[np.ndarray, np.ndarray]:
    """Return times and places of somebody's feet, every hundredth of a second."""
    times = np.arange(one.start_s, one.end_s, STEP_S)
    at_s, places = np.array(one.points).T
    x = np.interp(times, at_s, places)
    return times, np.stack([x, np.full_like(x, one.ground)], axis=1)


def visits(seed: int, count: int) -> list[Passage]:
    programme = Programme(seed, 16 / 9)
    return [one for index in range(count) for one in programme.visit(index)]


def test_same_seed_and_time_give_the_same_picture_in_any_order() -> None:
    one, other = GateScene(3, SIZE), GateScene(3, SIZE)
    times = [0.0, 7.4, 21.2]
    pictures = [one.frame(t) for t in times]
    for t, picture in reversed(list(zip(times, pictures, strict=True))):
        assert np.array_equal(other.frame(t), picture)
        assert other.truth(t) == one.truth(t)


def test_seeds_differ() -> None:
    assert not np.array_equal(GateScene(1, SIZE).frame(0.0), GateScene(2, SIZE).frame(0.0))
    assert [one.points for one in visits(1, 3)] != [one.points for one in visits(2, 3)]


@pytest.mark.parametrize("seed", range(4))
def test_the_truth_is_what_feet_and_wheels_do(seed: int) -> None:
    """Counted step by step from the way of each one. Who stands on an edge does so for at most a few steps less."""
    for one in visits(seed, 12):
        _, places = feet(one)
        counted: Counter[tuple[str, str, str | None]] = Counter()
        for name, polygon in POLYGONS.items():
            inside = in_polygon(places, polygon).astype(int)
            counted["entered", name, None] += int((np.diff(inside) == 1).sum())
            counted["left", name, None] += int((np.diff(inside) == -1).sum())
        for name, line in LINES.items():
            if one.kind == ("car" if name == "pavement" else "person" if name == "road" else ""):
                continue
            signs, _ = crossings(places[:-1], places[1:], line)
            counted["crossed", name, "right"] += int((signs == 1).sum())
            counted["crossed", name, "left"] += int((signs == -1).sum())
        truth = Counter(
            (event.value, event.zone, event.direction) for event in events_of([one]) if event.value != "loitering"
        )
        assert truth == +counted, one
        assert all(one.start_s <= event.t <= event.until <= one.end_s for event in events_of([one]))


def test_there_is_every_way_and_nobody_takes_longer_than_a_minute() -> None:
    found = [one for seed in range(6) for one in visits(seed, 40)]
    assert {one.kind for one in found} == {"person", "car"}
    assert {
        "passes", "lingers", "stands on an edge", "goes to and fro", "meets and passes", "meets and goes back",
        "turns back before the yard", "turns back before the gate", "turns back behind the gate",
        "turns back behind the yard",
    } == {one.way for one in found}  # fmt: skip
    assert max(one.end_s - one.start_s for one in found) < 60


def test_nobody_stops_or_starts_at_once() -> None:
    points = walk(0.0, -0.1, [(0.44, 2.0), (1.1, 0.0)], 0.12)
    times, places = np.array(points).T
    speeds = np.diff(places) / np.diff(times)
    assert speeds.max() == pytest.approx(0.12)
    assert np.abs(np.diff(speeds)).max() <= 0.12 * 0.2 + 1e-9
    assert np.diff(times)[speeds == 0].tolist() == pytest.approx([2.0])
    assert places[-1] == 1.1


def test_boxes_are_where_the_feet_are() -> None:
    scene = GateScene(5, SIZE, noise=0.0)
    one = scene.programme.visit(0)[0]
    times, places = feet(one)
    middle = len(times) // 2
    boxes = [found.xyxy for found in scene.truth(float(times[middle]))]
    x, y = places[middle] * SIZE
    assert any(abs((x0 + x1) / 2 - x) < 0.05 * SIZE[0] and abs(y1 - y) < 0.04 * SIZE[1] for x0, _, x1, y1 in boxes)


def test_truth_and_zones_are_written_for_a_camera(tmp_path: Path) -> None:
    truth, zones = tmp_path / "truth.json", tmp_path / "yard.json"
    scene = make_scene("gate", 3, SIZE, 15.0, truth, zones)
    assert load_zones(zones).camera == "yard"
    written = json.loads(truth.read_text())
    assert written == truth_of(scene, written["seconds"])  # type: ignore[arg-type]
    assert {event["value"] for event in written["events"]} >= {"entered", "left", "crossed"}
    assert all(stay["left_s"] is None or stay["left_s"] > stay["entered_s"] for stay in written["stays"])
    zones_known = {zone.name for zone in parse_zones(json.dumps(zones_of("yard")).encode()).zones}
    assert {GateEvent(**event).zone for event in written["events"]} <= zones_known
