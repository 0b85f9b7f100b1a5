"""The file of zones that belongs to a drawn panel, with its reference pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from camera_emulator.panel.scene import Corners, PanelScene
from camera_emulator.panel.schedules import OVERVIEW, PAGES
from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.zones import SCHEMA
from shared_utils.errors import SettingError

EVERY_S = 1.0
"""Time between two looks of a task, seconds."""
_LENS = 0.62  # share of a lamp's half width that its zone covers
_LENS_CORNERS = 8


def write_zones_file(scene: PanelScene, path: Path, every_s: float = EVERY_S) -> None:
    """Write the zones of the scene, for a camera named after the file, and the reference pictures beside it.

    Args:
        scene: the panel.
        path: of the file.
        every_s: time between two looks of each task, seconds.

    Raises:
        SettingError: the file's name cannot be a camera's.
    """
    begin = scene.moment_of(OVERVIEW)
    pictures = {"reference": begin} | {page: scene.moment_of(page) for page in PAGES}
    for name, moment in pictures.items():
        if not cv2.imwrite(str(path.with_name(f"{path.stem}.{name}.png")), scene.frame(moment)):
            raise SettingError(f"{path}: the reference pictures beside it cannot be written")
    path.write_text(json.dumps(zones_of(scene, path.stem, every_s), indent=1) + "\n")
    load_zones(path)


def zones_of(scene: PanelScene, camera: str, every_s: float = EVERY_S) -> dict[str, Any]:
    """Return the zones of the panel for a camera, ready for JSON."""
    places = scene.places()
    common = {"every_s": every_s, "when": "both"}
    read = {"do": "read", "mode": "line", **common}
    seven = {**read, "engine": "sevensegment"}
    digits = scene.look.decimals
    tasks: dict[str, dict[str, Any]] = {
        "pressure": {
            **seven,
            "pattern": rf"\d{{1,2}}\.\d{{{digits}}}",
            "number": {"unit": "bar", "min": 0, "max": 100},
        },
        "temperature": {**seven, "pattern": r"-?\d{1,3}\.\d", "number": {"unit": "°C", "min": -40, "max": 140}},
        "counter": {**read, "pattern": r"\d{6}", "replace": [[" ", ""]], "counter": {"max_per_min": 120}},
        "message": {**read},
        "order": {**read, "pattern": r"[A-Z]\d{4}-\d\d"},
        "speed": {**read, "pattern": r"\d{3,4}", "number": {"min": 500, "max": 2500}, "page": OVERVIEW},
        "alarm": {"do": "light", "colour": "red", "on_above": 100, **common},
        "run": {"do": "light", "colour": "green", "on_above": 60, **common},
        "screen": {"do": "page", **common},
    }
    lamps = ("alarm", "run")
    return {
        "schema": SCHEMA,
        "camera": camera,
        "revision": 1,
        "reference": f"{camera}.reference.png",
        "pages": [
            {"name": page, "points": _rounded(places["screen"]), "reference": f"{camera}.{page}.png"} for page in PAGES
        ],
        "zones": [
            {"name": name, "points": _rounded(_lens(places[name]) if name in lamps else places[name]), "tasks": [task]}
            for name, task in tasks.items()
        ],
    }


def _lens(corners: Corners) -> list[tuple[float, float]]:
    """Return the corners of a polygon in the lens of a lamp."""
    around: npt.NDArray[np.float64] = np.array(corners)
    middle = around.mean(axis=0)
    right, down = (around[1] - around[0]) / 2, (around[3] - around[0]) / 2
    angles = np.arange(_LENS_CORNERS) * 2 * np.pi / _LENS_CORNERS
    points = middle + _LENS * (np.cos(angles)[:, None] * right + np.sin(angles)[:, None] * down)
    return [(float(x), float(y)) for x, y in points]


def _rounded(points: list[tuple[float, float]]) -> list[list[float]]:
    return [[round(x, 5), round(y, 5)] for x, y in points]
