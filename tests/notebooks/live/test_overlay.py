"""Boxes that belong on a picture, the note where there are none, and events as rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import pytest

from notebooks.lab.live.absence import LATE, LONG_S, NOTE, BoxesAbsence
from notebooks.lab.live.event_rows import MAX_TEXT, event_row, picture_name
from notebooks.lab.live.frames import LiveFrame
from notebooks.lab.live.overlay import KEPT, BoxTrail, FrameBoxes, is_own
from notebooks.lab.live.poster import poster
from shared_utils.contracts.events import Event
from tests.notebooks.live.capture_server import picture
from tests.notebooks.live.test_pages import Clock

NOW = datetime(2026, 2, 23, 14, 48, 31, tzinfo=UTC)
CAR = ("car", 0.9, 0.1, 0.2, 0.3, 0.4, 2)


def test_boxes_of_the_very_frame_come_before_nearer_and_farther_ones() -> None:
    trail = BoxTrail()
    trail.add([FrameBoxes(at, ()) for at in (10.0, 10.2, 10.4)])
    assert trail.nearest(10.19) == FrameBoxes(10.2, ())
    assert trail.nearest(10.2) == FrameBoxes(10.2, ())
    assert trail.nearest(10.9) == FrameBoxes(10.4, ())
    assert trail.nearest(10.91) is None
    assert trail.nearest(9.4) is None
    assert is_own(FrameBoxes(10.2, ()), 10.2004)
    assert not is_own(FrameBoxes(10.2, ()), 10.22)


def test_only_the_last_frames_are_kept() -> None:
    trail = BoxTrail()
    trail.add(FrameBoxes(float(number), ()) for number in range(1000))
    assert trail.nearest(999.0)
    assert trail.nearest(999.0 - KEPT) is None


def test_missing_boxes_are_noted_only_while_something_moves_for_long() -> None:
    clock = Clock()
    absence = BoxesAbsence(clock)

    def pictures(seconds: float, motion: float | None, boxes: bool = False, late: bool = False) -> str:
        for _ in range(int(seconds * 5)):
            clock.now += 0.2
            absence.picture(motion)
            if boxes:
                absence.boxes(late)
        return absence.note()

    assert pictures(600, 0.0) == ""  # nothing moves: nobody looks for objects
    assert pictures(600, None) == ""
    assert pictures(LONG_S - 1, 0.02) == ""
    assert pictures(2, 0.02) == NOTE
    assert pictures(0.4, 0.02, boxes=True) == ""
    assert pictures(600, 0.02, boxes=True) == ""
    assert pictures(2, 0.0) == ""
    assert pictures(LONG_S + 1, 0.02) == NOTE  # a short pause is none
    assert pictures(5, 0.0) == ""
    assert pictures(LONG_S - 1, 0.02, boxes=True, late=True) == ""
    assert pictures(2, 0.02, boxes=True, late=True) == LATE
    assert pictures(0.4, 0.02, boxes=True) == ""
    assert pictures(LONG_S + 1, 0.02) == NOTE


def test_an_event_is_a_row_of_time_what_happened_and_details() -> None:
    more: dict[str, Any] = {"label": "person", "track": 3, "score": 0.914, "box": [0, 0, 1, 1]}
    seen = Event("object", NOW, "door", value="seen", picture="events/01.jpg", more=more)
    row = event_row(seen, NOW)
    assert (row["clock"], row["what"], row["detail"]) == ("14:48:31", "object seen", "person #3 0.91")
    assert row["picture"]
    reading = Event("reading", NOW.replace(day=22), "door", zone="pressure", value=12.4)
    row = event_row(reading, NOW)
    assert (row["clock"], row["what"], row["detail"]) == ("22 Feb 14:48:31", "reading", "12.4 in pressure")
    assert not row["picture"]
    for kind, value, more, detail in (
        ("motion", "started", {"share": 0.0087}, "0.9 % of the picture"),
        ("motion", "ended", {"duration_s": 12.34}, "after 12.3 s"),
        ("clip", "analysed", {"ok": True, "detected": ["car", "person"], "duration_s": 30.0}, "car, person"),
        ("clip", "analysed", {"ok": True, "detected": []}, "nothing found"),
        ("clip", "analysed", {"ok": False, "error": "no video"}, "no video"),
        ("camera", "down", {"reason": "no connection"}, "no connection"),
        ("object", "crossed", {"label": "car", "track": 1, "score": 0.5, "direction": "in"}, "car #1 0.50 in"),
        ("object", "seen", {"label": 5, "track": "x", "score": "high", "direction": {}, "detected": "x"}, ""),
    ):
        row = event_row(Event(kind, NOW, "door", value=value, more=more), NOW)
        assert (row["what"], row["detail"]) == (f"{kind} {value}", detail)
    odd = event_row(Event("x" * 500, NOW, value={"a": ["<b>"] * 500}), NOW)
    assert len(odd["what"]) == len(odd["detail"]) == MAX_TEXT


@pytest.mark.parametrize(
    "path",
    [None, "", "01.jpg", "events/", "events/01.png", "events/../x.jpg", "/events/1.jpg", "events/a\\b.jpg", "x/1.jpg"],
)
def test_only_pictures_in_the_folder_of_events_are_read(path: str | None) -> None:
    assert picture_name(Event("object", NOW, picture=path)) is None


def test_the_saved_picture_has_its_boxes() -> None:
    frame = LiveFrame(picture(0), 10.0)
    plain, boxed = poster(frame, None, ""), poster(frame, FrameBoxes(10.0, (CAR,)), "door")
    assert plain
    assert boxed
    first, second = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR).astype(int) for one in (plain, boxed))
    changed = np.abs(first - second).max(axis=2) > 60
    assert changed[36:72, 30:34].any()  # the left edge of the box, 0.1 of 320 pixels
    assert not changed[100:150, 150:300].any()
    assert poster(LiveFrame(b"no JPEG", 10.0), None, "") is None
