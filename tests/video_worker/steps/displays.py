"""Drawn displays in front of a camera, and zones that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from shared_utils.media.picture import Picture

SIZE = (640, 360)
PLACES = ((60, 60), (360, 60), (60, 220), (360, 220))
WIDTH_PX, HEIGHT_PX = 220, 80
NAMES = ("pressure", "flow", "level", "heat")


def displays(*texts: str, shift: tuple[int, int] = (0, 0)) -> Picture:
    """Return a picture of a panel with up to four displays."""
    picture = np.full((SIZE[1], SIZE[0], 3), 70, np.uint8)
    for text, (x, y) in zip(texts, PLACES, strict=False):
        left, top = x + shift[0], y + shift[1]
        picture[top : top + HEIGHT_PX, left : left + WIDTH_PX] = (205, 220, 215)
        cv2.putText(picture, text, (left + 16, top + 58), cv2.FONT_HERSHEY_DUPLEX, 1.8, (30, 30, 30), 3, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def read_zones(*tasks: dict[str, Any], **all_tasks: Any) -> Sequence[dict[str, Any]]:
    """Return a zone per task, over the displays in their order."""
    zones = []
    for name, task, (x, y) in zip(NAMES, tasks, PLACES, strict=False):
        left, top, right, bottom = x, y, x + WIDTH_PX, y + HEIGHT_PX
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        points = [[across / SIZE[0], down / SIZE[1]] for across, down in corners]
        whole: dict[str, Any] = {"do": "read", **all_tasks, **task}
        zones.append({"name": name, "points": points, "tasks": [whole]})
    return zones
