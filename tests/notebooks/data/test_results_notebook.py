"""ViewProcessResults, run by a real kernel: on the sample volume, and on logs that hold nothing good, or much."""

from __future__ import annotations

import base64
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from notebooks.lab.data.results import latest, load_log, objects
from shared_utils.contracts.detections_log import LOG_NAME
from tests.notebooks.conftest import RunNotebook
from tests.notebooks.data.test_activity import clip

NAME = "ViewProcessResults"
ASKED = [
    "len(clips)",
    "activity.part(activity.by_day(clips, watched), 'clips').to_numpy().sum()",
    "activity.label_by_camera(seen).sum(axis=1)",
    "str(answers.how_often(log, 'person', day='last', watched=watched))",
]


def _is_a_picture(encoded: str) -> bool:
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("L"))
    return pixels.shape[1] > 500 and int(pixels.min()) < 100 and int(pixels.max()) > 250


def test_on_the_sample_volume_it_tells_what_the_log_holds(run_notebook: RunNotebook, sample_volume: Path) -> None:
    seen = objects(latest(load_log(sample_volume)))
    counts = seen[seen["detected"]].groupby("label", observed=True)["filename"].nunique().to_dict()
    done = run_notebook(
        NAME, sample_volume, values=[*ASKED, "view.one_day.title"], changes={"DayView(": "view = DayView("}
    )
    clips, by_day, labels, sentence, title = done.values.values()
    assert clips == by_day == 7
    assert labels == counts
    assert sentence.startswith("Person: once on Monday 23 February, at 12:01 (yard); in sight for ")
    assert title == "Monday 23 February 2026"
    assert "1 run failed" in done.text
    assert "no video that can be read" in done.text
    assert len(done.pictures) == 5  # and the timeline's, where it is shown
    assert all(map(_is_a_picture, done.pictures))
    assert "Warning" not in done.text


def test_the_timeline_plays_clips_and_says_what_it_cannot(run_notebook: RunNotebook, sample_volume: Path) -> None:
    broken = min(sample_volume.glob("*.mp4"), key=lambda path: path.stat().st_size).name
    (sample_volume / "20260223-120127-yard.mp4").unlink()
    play = "view = DayView(log, watched, places.video, day='2026-02-22'); displayed = {}\n"
    play += "def click(name):\n    view.timeline.chosen = name; view.timeline.clicks += 1\n"
    play += "    displayed[name] = (view.player.about['name'], view.message.value)\n"
    play += f"for name in ('20260222-143912-street.mp4', {broken!r}): click(name)\n"
    play += "view.picker.value = view.picker.value.replace(day=23); click('20260223-120127-yard.mp4')\n"
    play += "view._go(-1); before = view.one_day.day.day; view._go(1); after = view.one_day.day.day\n"
    done = run_notebook(
        NAME,
        sample_volume,
        values=["displayed", "before", "after", "len(view.timeline.day['rows'])"],
        changes={'DayView(log, watched, places.video, day="last")': play},
    )
    displayed = done.values["displayed"]
    assert displayed["20260222-143912-street.mp4"] == ["20260222-143912-street.mp4", ""]
    assert displayed[broken][0] == ""
    assert "cannot be read" in displayed[broken][1] or "no video" in displayed[broken][1]
    assert displayed["20260223-120127-yard.mp4"] == [
        "",
        "20260223-120127-yard.mp4 is not there (any more): choose another clip",
    ]
    assert (done.values["before"], done.values["after"]) == (22, 23)


def _month() -> list[dict[str, Any]]:
    first = datetime(2026, 1, 1, 0, 0).astimezone()
    labels = ("person", "car", "dog")
    return [
        clip((first + timedelta(minutes=2 * number)).isoformat(), f"cam{number % 3}", (labels[number % 3], 1.0, 20.0))
        for number in range(21_600)
    ]


FAILURE = {
    "ok": False,
    "filename": "20260223-100000-door.mp4",
    "error": "torn",
    "timestamp": "2026-02-23T10:00:40+00:00",
}


@pytest.mark.parametrize(
    ("lines", "clips", "displayed"),
    [
        ([], 0, "Nothing has been analysed yet"),
        ([FAILURE], 0, "1 run failed"),
        ([clip("2026-02-23T10:00:00+00:00", "door", ("cat", 1.0, 2.0))], 1, "1 run of 1 file from 1 camera"),
        (_month(), 21_600, "21,600 runs of 21,600 files from 3 cameras"),
    ],
    ids=["nothing", "failures only", "one line", "a huge month"],
)
def test_it_runs_to_the_end_whatever_the_log_holds(
    run_notebook: RunNotebook, tmp_path: Path, lines: list[dict[str, Any]], clips: int, displayed: str
) -> None:
    (tmp_path / "video").mkdir()
    if lines:
        (tmp_path / "video" / LOG_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run_notebook(NAME, tmp_path / "video", values=ASKED[:2])
    assert list(done.values.values()) == ([clips, clips] if clips else [0, 0])
    assert displayed in done.text
    if not clips:
        assert "No label has been seen so far." in done.text
    assert "Warning" not in done.text
    assert "nan" not in done.text.lower()
