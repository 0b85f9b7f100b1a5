"""The truth about a drawn panel as JSON: what each device displays in which frames, and where it is in the picture."""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import Any

from camera_emulator.panel.scene import DEVICES, PanelScene

SCHEMA = 1


def truth_of(scene: PanelScene, seconds: float) -> dict[str, Any]:
    """Return the truth about so many seconds from the scene's beginning, ready for JSON.

    ``displays`` has for each device its spans of frames: ``from`` the time of the first frame ``to`` that of the first
    one after it, ``value`` and ``state``, and while it changes ``before``. ``places`` has the corners of each device,
    shares of the picture, from ``from`` on: one entry, and one more for each nudge of the camera.
    """
    moments = [number / scene.fps for number in range(max(1, round(seconds * scene.fps)))]
    end = len(moments) / scene.fps
    readings = [scene.truth(t) for t in moments]
    displays: dict[str, list[dict[str, Any]]] = {}
    for name in DEVICES:
        spans: list[dict[str, Any]] = []
        frames = ((reading[name], t) for t, reading in zip(moments, readings, strict=True))
        for reading, group in itertools.groupby(frames, key=itemgetter(0)):
            begin = next(group)[1]
            entry = {"from": round(begin, 4), "to": round(end, 4), "value": reading.value, "state": reading.state}
            spans.append(entry | ({"before": reading.before} if reading.state == "changing" else {}))
        for span, following in itertools.pairwise(spans):
            span["to"] = following["from"]
        displays[name] = spans
    return {
        "schema": SCHEMA,
        "scene": "panel",
        "seed": scene.seed,
        "size": list(scene.size),
        "fps": scene.fps,
        "seconds": round(end, 4),
        "places": [
            {"from": moment, "corners": {name: _rounded(corners) for name, corners in scene.places(moment).items()}}
            for moment in (0.0, *(nudge.at_s for nudge in scene.nudges if 0 < nudge.at_s < end))
        ],
        "displays": displays,
    }


def _rounded(corners: list[tuple[float, float]]) -> list[list[float]]:
    return [[round(x, 5), round(y, 5)] for x, y in corners]
