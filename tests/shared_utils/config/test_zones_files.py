"""The zones of cameras on the volume: read again when a file changes, and the last good revision of a wrong one."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import pytest

from shared_utils.config.zones.files import ZonesFiles, read_zones_file
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.errors import SettingError

SHARED_MEMORY = Path("/dev/shm")
GATE = {"name": "gate", "points": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], "tasks": [{"do": "objects"}]}


class Reader:
    """Reads the zones of a volume, and keeps what was reported."""

    def __init__(self, folder: Path) -> None:
        self.reports: list[tuple[str, str | None]] = []
        self.files = ZonesFiles(folder, lambda camera, problem: self.reports.append((camera, problem)))

    def names(self, camera: str = "yard") -> list[str] | None:
        loaded = self.files.get(camera)
        return None if loaded is None else [zone.name for zone in loaded.zones.zones]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_each_revision_is_taken_over_with_its_hash(tmp_path, reader):
    assert reader.names() is None
    path = zones_path(tmp_path, "yard")
    write_zones(path, {"zones": [GATE]})
    assert reader.names() == ["gate"]
    loaded = reader.files.get("yard")
    assert loaded is not None
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reader.files.get("yard") is loaded
    write_zones(path, {"zones": [{**GATE, "name": "door"}]})
    assert reader.names() == ["door"]
    path.unlink()
    assert reader.names() is None
    assert reader.names("other") is None
    assert reader.reports == []


def test_a_wrong_file_is_reported_once_and_the_last_good_revision_stays(tmp_path, reader):
    path = zones_path(tmp_path, "yard")
    write_zones(path, {"zones": [GATE]})
    assert reader.names() == ["gate"]
    path.write_text(path.read_text().replace('"objects"', '"objcts"'))
    assert [reader.names() for _ in range(3)] == [["gate"]] * 3
    [(camera, problem)] = reader.reports
    assert camera == "yard"
    assert "yard.json: zone 'gate': tasks[0].do is \"objcts\"" in str(problem)
    # another fault is another report, the same one in a file that was written again is none
    path.write_text(path.read_text() + " ")
    assert reader.names() == ["gate"]
    assert len(reader.reports) == 1
    path.write_text("{")
    assert reader.names() == ["gate"]
    assert "is not JSON" in str(reader.reports[-1][1])
    write_zones_again(path, {**GATE, "name": "door"})
    assert reader.names() == ["door"]
    assert reader.reports[-1] == ("yard", None)
    assert len(reader.reports) == 3


def test_a_file_that_was_never_right_gives_no_zones(tmp_path, reader):
    zones_path(tmp_path, "yard").parent.mkdir()
    zones_path(tmp_path, "yard").write_text("[]")
    assert reader.names() is None
    assert len(reader.reports) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path, reader):
    write_zones(zones_path(tmp_path, "yard"), {"zones": [GATE]})
    zones_path(tmp_path, "yard").chmod(0)
    assert reader.names() is None
    assert "cannot be read" in str(reader.reports[0][1])


def test_a_folder_in_place_of_the_file_is_reported(tmp_path, reader):
    zones_path(tmp_path, "yard").mkdir(parents=True)
    assert reader.names() is None
    assert "cannot be read: Is a directory" in str(reader.reports[0][1])


def test_on_the_volume_a_file_is_named_after_its_camera(tmp_path):
    path = tmp_path / "draft.json"
    write_zones_again(path, GATE)
    with pytest.raises(SettingError, match="named after camera 'draft'"):
        read_zones_file(path)
    assert read_zones_file(path, named_after_camera=False).zones.camera == "yard"


def write_zones_again(path: Path, *zones: object) -> None:
    path.write_text(json.dumps({"schema": 1, "camera": "yard", "zones": zones}))


def test_zones_stay_while_the_volume_is_away(tmp_path):
    mounted, place = tmp_path / "mounted", tmp_path / "video"
    mounted.mkdir()
    place.symlink_to(mounted)
    reader = Reader(place)
    write_zones(zones_path(place, "yard"), {"zones": [GATE]})
    assert reader.names() == ["gate"]
    place.unlink()
    assert reader.names() == ["gate"]
    # what is left of a mount point whose volume has gone: an empty folder of another file system
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as empty:
        if Path(empty).stat().st_dev != mounted.stat().st_dev:
            place.symlink_to(empty)
            assert reader.names() == ["gate"]
            place.unlink()
    place.symlink_to(mounted)
    zones_path(place, "yard").unlink()
    assert reader.names() is None
    assert reader.reports == []
