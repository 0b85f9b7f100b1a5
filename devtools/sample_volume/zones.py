"""Zones of a sample volume's streets: pavements, the road, and a line across both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devtools.sample_volume.plan import CAMERAS
from shared_utils.config.zones.file import load_zones
from shared_utils.contracts.zones import write_zones, zones_path

PEOPLE, VEHICLES = ["person", "cat", "dog"], ["car", "bicycle"]


def _zones() -> list[dict[str, Any]]:
    return [
        {
            "name": "pavement",
            "points": [[0.2, 0.82], [0.8, 0.82], [0.88, 1.0], [0.12, 1.0]],
            "tasks": [{"do": "objects", "labels": PEOPLE, "min_s": 0.4, "loiter_s": 4}],
        },
        {
            "name": "road",
            "points": [[0.25, 0.6], [0.75, 0.6], [0.8, 0.82], [0.2, 0.82]],
            "tasks": [{"do": "objects", "labels": VEHICLES, "min_s": 0.4}],
        },
        {"name": "middle", "line": [[0.5, 1.0], [0.5, 0.5]], "tasks": [{"do": "cross", "labels": PEOPLE + VEHICLES}]},
        {"name": "sky", "points": [[0.0, 0.0], [1.0, 0.0], [1.0, 0.2], [0.0, 0.2]], "ignore_motion": True},
    ]


def write_street_zones(folder: Path) -> None:
    """Write the zones of all cameras with clips; the worker counts by them."""
    for camera in CAMERAS:
        path = zones_path(folder, camera)
        write_zones(path, {"zones": _zones()})
        load_zones(path)
