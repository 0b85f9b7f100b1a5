"""ZoneEditor as it is saved, and its arguments."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from notebooks.lab.jobs.places import Places
from notebooks.lab.zone_editor import edit_zones
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.errors import SettingError
from tests.notebooks.conftest import RunNotebook

NO_CAPTURE = "http://127.0.0.1:1"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, RedisSettings.from_env({}), NO_CAPTURE)


def test_the_notebook_is_saved_with_a_picture(run_notebook: RunNotebook, sample_volume: Path) -> None:
    done = run_notebook("ZoneEditor", sample_volume)
    [output] = list(done.outputs("execute_result"))
    saved = cv2.imdecode(np.frombuffer(base64.b64decode(output.data["image/jpeg"]), np.uint8), cv2.IMREAD_COLOR)
    assert saved is not None
    assert max(saved.shape) <= 960


def test_wrong_arguments_are_one_line(places: Places, tmp_path: Path) -> None:
    for arguments, message in [
        ({}, "there is no clip in .* yet: give the name of a camera"),
        ({"camera": "door"}, "there is no clip of camera 'door' in .*, and no live frame .*: give picture="),
        ({"camera": "../door"}, "camera is '../door': use 1 to 32 letters"),
        ({"camera": "door", "picture": "a.jpg", "clip": "b.mp4"}, "picture and clip are both given"),
        ({"camera": "door", "picture": tmp_path / "none.jpg"}, "picture: .*none.jpg: No such file"),
    ]:
        with pytest.raises(SettingError, match=message):
            edit_zones(places=places, **arguments)  # type: ignore[arg-type]
    write_zones(zones_path(tmp_path, "door"), {"zones": [{"name": "gate"}]})
    with pytest.raises(SettingError, match="zone 'gate': give either points or line"):
        edit_zones("door", places)
