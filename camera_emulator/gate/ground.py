"""Where things are in the scene of the gate: its zones, and between them places to stop.

x counts in shares of the picture's width, y in shares of its height. Places to stop lie so far from all edges and lines
that it is beyond doubt on which side of them somebody stands.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.zones import SCHEMA

YARD, GATE, PAVEMENT, ROAD = "yard", "gate", "pavement", "road"
MIN_S, LOITER_S = 0.6, 6.0

Point = tuple[float, float]

POLYGONS: dict[str, tuple[Point, ...]] = {YARD: ((0.36, 0.35), (0.70, 0.35), (0.72, 1.0), (0.34, 1.0))}
"""The yard reaches above the ground: a car hides the feet of who walks behind it, and the box ends at its roof."""
LINES: dict[str, tuple[Point, Point]] = {
    GATE: ((0.52, 1.0), (0.50, 0.35)),
    PAVEMENT: ((0.27, 1.0), (0.285, 0.75)),
    ROAD: ((0.275, 0.87), (0.302, 0.58)),
}
"""Both short lines reach beyond where people walk and cars drive, as boxes are a little too high or too low."""
LABELS: dict[str, tuple[str, ...]] = {
    YARD: ("person", "car"), GATE: ("person", "car"), PAVEMENT: ("person",), ROAD: ("car",),
}  # fmt: skip

STOPS: tuple[tuple[float, float], ...] = ((0.12, 0.21), (0.42, 0.44), (0.575, 0.63), (0.79, 0.87))
"""Places to stop: before the yard, in it before the gate, in it behind the gate, behind it."""
MEETING = (0.435, 0.58)
"""Where two people stand who meet, one on each side of the gate."""


def write_zones_file(scene: object, path: Path) -> None:
    """Write the zones, which are those of every such scene, for a camera named after the file.

    Raises:
        SettingError: the file's name cannot be a camera's.
    """
    del scene
    path.write_text(json.dumps(zones_of(path.stem), indent=1) + "\n")
    load_zones(path)


def zones_of(camera: str) -> dict[str, Any]:
    """Return the zones for a camera, ready for JSON."""
    found: list[dict[str, Any]] = []
    for name, corners in POLYGONS.items():
        task = {"do": "objects", "when": "both", "labels": list(LABELS[name]), "min_s": MIN_S, "loiter_s": LOITER_S}
        found.append({"name": name, "points": [list(point) for point in corners], "tasks": [task]})
    for name, ends in LINES.items():
        task = {"do": "cross", "when": "both", "labels": list(LABELS[name])}
        found.append({"name": name, "line": [list(point) for point in ends], "tasks": [task]})
    return {"schema": SCHEMA, "camera": camera, "revision": 1, "zones": found}


def line_at(name: str, y: float) -> float | None:
    """Return at which x a line is met at height `y`; None where it does not reach it."""
    (x1, y1), (x2, y2) = LINES[name]
    return _meet((x1, y1), (x2, y2), y)


def edges_at(name: str, y: float) -> tuple[float, float]:
    """Return between which x a polygon lies at height `y`."""
    corners = POLYGONS[name]
    met = [_meet(one, other, y) for one, other in zip(corners, (*corners[1:], corners[0]), strict=True)]
    found = [x for x in met if x is not None]
    return min(found), max(found)


def _meet(one: Point, other: Point, y: float) -> float | None:
    (x1, y1), (x2, y2) = one, other
    if y1 == y2 or not min(y1, y2) <= y <= max(y1, y2):
        return None
    return x1 + (x2 - x1) * (y - y1) / (y2 - y1)
