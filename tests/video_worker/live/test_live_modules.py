"""Modules of people's own in a live worker that runs: their values, their faults, and edits of their files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.log_lines import line_of
from shared_utils.contracts.events import Event
from shared_utils.contracts.zones import write_zones, zones_path
from tests.support.network.frame_server import FrameServer, Still
from tests.video_worker.live.conftest import Live, standing
from video_worker import messages

pytestmark = pytest.mark.slow

EVERYWHERE = [[0, 0], [1, 0], [1, 1], [0, 1]]
HANGING = "import time\n\ndef read(picture, zone):\n    time.sleep(600)\n"


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text)
    fresh.replace(path)


def _says(value: str) -> str:
    return f"def read(picture, zone):\n    return {value!r}, 0.8\n"


def _wait_for(live: Live, zone: str, condition: Callable[[Event], object]) -> Event:
    deadline = time.monotonic() + 60
    while True:
        for event in live.events("door"):
            if event.zone == zone and condition(event):
                return event
        assert time.monotonic() < deadline, live.events("door")
        time.sleep(0.1)


def test_a_module_that_is_wrong_hangs_or_changes(live: Live, serve: Callable[..., FrameServer], tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    _replace(folder / "good.py", _says("one"))
    _replace(folder / "stuck.py", HANGING)
    _replace(folder / "wrong.py", "def read(picture, zone):\n    return zone.nothing, 1\n")
    zones = [
        {"name": name, "points": EVERYWHERE, "tasks": [{"do": name, "when": "live", "every_s": 0.5}]}
        for name in ("stuck", "wrong", "good")
    ]
    write_zones(zones_path(live.video_dir, "door"), {"zones": zones})
    server = serve(door=Still(standing(1)[0]))
    server.settings["door"] = {"live_objects": "off"}
    program = live.start(server.url, PLUGINS_DIR=str(folder))
    first = _wait_for(live, "good", lambda event: event.value == "one")
    assert (first.type, first.confidence, first.more["module"]) == ("reading", 0.8, "good")
    wrong = _wait_for(live, "wrong", lambda event: event.more.get("reason") == "error")
    assert str(wrong.more["error"]).startswith("wrong.py, line 2: AttributeError: ")
    # an edit is taken over, and so is one that repairs
    _replace(folder / "good.py", _says("two"))
    _replace(folder / "wrong.py", _says("right"))
    _wait_for(live, "good", lambda event: event.value == "two")
    _wait_for(live, "wrong", lambda event: event.value == "right")
    stuck = _wait_for(live, "stuck", lambda event: event.more.get("reason") == "error")
    assert "stuck.py, line 4: it takes more than 10 s, and was ended" in str(stuck.more["error"])
    program.wait_for(line_of(messages.ZONE_NOT_READ, "stuck", "stuck.py, line 4: .*"))
    assert program.stop() == 0
    # each error once; a busy machine may say as well that looks take longer than their interval
    errors = re.findall(r"(\w+\.py), line \d+: ", program.text)
    assert sorted(errors) == ["stuck.py", "wrong.py"]
