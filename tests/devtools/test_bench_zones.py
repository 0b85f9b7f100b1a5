"""The benchmark of zones: its arithmetic, its pictures, and a short run over a drawn panel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera_emulator.panel.scene import DEVICES, Nudge, Reading
from devtools.benchmarks.zones import __main__ as bench
from devtools.benchmarks.zones.beside import rates_of
from devtools.benchmarks.zones.failures import MOST, Failure, write_sheet
from devtools.benchmarks.zones.judging import KINDS, Look, Score, judge
from devtools.benchmarks.zones.panel import looks
from devtools.benchmarks.zones.panel_clips import PanelClip
from shared_utils.contracts.events import Event
from video_worker.readers.registry import ReaderRegistry
from video_worker.readers.settings import ReaderSettings

SHOWN = Reading("12.4", "shown")
CHANGING = Reading("12.4", "changing", before="12.3")
GLARE = Reading("12.4", "glare")


def _look(value: str | None, reason: str | None = None) -> Look:
    return Look("pressure", 1.0, value, reason)


@pytest.mark.parametrize(
    ("look", "truth", "outcome"),
    [
        (_look("12.4"), SHOWN, "exact"),
        (_look("124"), SHOWN, "wrong"),
        (_look(None, "pattern"), SHOWN, "unreadable"),
        (_look(None), SHOWN, "wrong"),  # none of the pages, which is a value
        (_look(None), Reading(None, "shown"), "exact"),
        (_look("12.3"), CHANGING, "exact"),
        (_look("12.4"), CHANGING, "exact"),
        (_look("12.8"), CHANGING, "wrong"),
        (_look(None, "confidence"), CHANGING, "exact"),
        (_look("2.4"), GLARE, "wrong"),
        (_look(None, "confidence"), GLARE, "exact"),
        (_look("12.4"), Reading(None, "absent"), None),
    ],
)
def test_a_look_is_worth(look: Look, truth: Reading, outcome: str | None) -> None:
    assert judge(look, truth) == outcome


def test_a_value_of_a_moment_ago_is_late() -> None:
    assert judge(_look("12.3"), SHOWN, {"12.3", "12.4"}) == "late"
    assert judge(_look("12.2"), SHOWN, {"12.3", "12.4"}) == "wrong"


def test_scores_keep_what_is_readable_apart() -> None:
    score = Score()
    for outcome, truth in (("exact", SHOWN), ("wrong", SHOWN), ("wrong", GLARE), ("exact", CHANGING)):
        score.add(outcome, truth)  # type: ignore[arg-type]
    total = score + score
    assert (total.readable, total.share("exact"), total.share("wrong")) == (4, 50, 50)
    assert total.wrong_while_marked == 25


def test_every_device_is_of_one_kind() -> None:
    assert sorted(name for names in KINDS.values() for name in names) == sorted(DEVICES)


def test_readings_per_second_count_those_without_an_event() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        Event("reading", begin + timedelta(seconds=at), "panel", zone="a", value="1", more=more)
        for at, more in ((0, {}), (1, {}), (20, {"readings": 19}))
    ]
    assert rates_of(events) == {"a": pytest.approx(1.0)}


def test_failures_become_a_sheet(tmp_path: Path) -> None:
    failure = Failure(np.full((40, 200, 3), 90, np.uint8), "order 1 2.0s: Ä12", "wrong: A12 [A12] 0.91")
    path = tmp_path / "pictures" / "text.png"
    write_sheet([failure] * (MOST + 3), path)
    assert cv2.imread(str(path)).shape == (1300, 1440, 3)
    write_sheet([], path)
    assert not path.exists()


def test_a_panel_is_read_from_its_clip(tmp_path: Path) -> None:
    clip = PanelClip(3, seconds=3.0)
    path, zones = clip.ensure(tmp_path / "streams"), clip.write_zones(tmp_path)
    assert clip.ensure(tmp_path / "streams") == path
    found = list(looks(path, zones, ReaderRegistry(ReaderSettings())))
    order = [look for look, _ in found if look.zone == "order"]
    assert [look.t for look in order] == pytest.approx([0.4 * number for number in range(8)])
    outcomes = [judge(look, clip.scene.truth(look.t)["order"]) for look in order]
    assert outcomes == ["exact"] * 8
    assert {picture.ndim for _, picture in found} == {3}


def test_a_nudged_clip_is_another_file(tmp_path: Path) -> None:
    still, nudged = (PanelClip(1, 0.2, nudges, (320, 180)) for nudges in ((), (Nudge(0.1, right=0.02),)))
    assert still.ensure(tmp_path) != nudged.ensure(tmp_path)


def test_an_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.parse(["pannel"])
    assert "there is no part 'pannel': choose from panel" in capsys.readouterr().err
