"""Zones drawn on a picture: polygons, and lines with the directions in which they are crossed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shared_utils.config.zones.model import CrossTask, Line, Zone, Zones
from shared_utils.media.draw import ShapeMark, draw
from shared_utils.media.palette import GREY, SERIES
from shared_utils.media.picture import Picture

ARROW_SHARE = 0.1
"""Length of the arrows of a line, as a share of the picture's shorter side."""
HEAD_SHARE, HEAD_ANGLE = 0.35, math.radians(28)
"""Length of an arrow's head, as a share of its arrow, and the angle between both."""

Place = tuple[float, float]
"""(x, y) in pixels."""


def draw_zones(picture: Picture, zones: Zones) -> Picture:
    """Return a copy of a picture (height×width×3, blue green red) with a camera's zones, their names and directions."""
    height, width = picture.shape[:2]
    note = f"{zones.camera}, revision {zones.revision}"
    return draw(picture, zone_marks(zones, (width, height)), note)


def zone_marks(zones: Zones, size: tuple[int, int]) -> list[ShapeMark]:
    """Return what is drawn of a camera's zones on a picture of width and height `size`, pixels; lines last, on top."""
    marks = [ShapeMark(_pixels(page.points, size), f"page {page.name}", GREY) for page in zones.pages]
    coloured = [(zone, SERIES[number % len(SERIES)]) for number, zone in enumerate(zones.zones)]
    for zone, colour in sorted(coloured, key=lambda one: one[0].line is not None):
        marks += _marks(zone, size, colour)
    return marks


def _marks(zone: Zone, size: tuple[int, int], colour: str) -> Iterator[ShapeMark]:
    if zone.line is None:
        text = f"{zone.name} (motion ignored)" if zone.ignore_motion else zone.name
        yield ShapeMark(_pixels(zone.points or (), size), text, GREY if zone.ignore_motion else colour)
        return
    start, end = _pixels(zone.line, size)
    # lines often begin at a corner of a zone, where its name stands
    yield ShapeMark([end, start], zone.name, colour, closed=False)
    if any(isinstance(task, CrossTask) for task in zone.tasks):
        for name, tip in _tips((start, end), ARROW_SHARE * min(size)).items():
            yield _arrow(_middle(start, end), tip, name, colour)


def _tips(line: Line, length: float) -> dict[str, Place]:
    """Return where the arrows of both directions end: to the left and right of the way from first to second point."""
    (x1, y1), (x2, y2) = line
    share = length / max(math.dist(*line), 1e-9)
    across = (y2 - y1) * share, (x1 - x2) * share
    x, y = _middle(*line)
    return {"left": (x + across[0], y + across[1]), "right": (x - across[0], y - across[1])}


def _arrow(start: Place, tip: Place, text: str, colour: str) -> ShapeMark:
    x, y = tip
    angle, length = math.atan2(start[1] - y, start[0] - x), HEAD_SHARE * math.dist(start, tip)
    sides = [
        (x + length * math.cos(angle + turn), y + length * math.sin(angle + turn)) for turn in (HEAD_ANGLE, -HEAD_ANGLE)
    ]
    return ShapeMark([tip, sides[0], tip, sides[1], tip, start], text, colour, closed=False)


def _middle(one: Place, other: Place) -> Place:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _pixels(points: tuple[Place, ...], size: tuple[int, int]) -> list[Place]:
    return [(x * size[0], y * size[1]) for x, y in points]
