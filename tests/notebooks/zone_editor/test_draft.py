"""What is drawn, and the file that others change meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from notebooks.lab.zone_editor.draft import Draft
from shared_utils.contracts.zones import write_zones, zones_path
from shared_utils.errors import ZonesChanged

GATE = {"name": "gate", "points": [[0, 0], [1, 0], [1, 1.0]]}


def test_an_edit_by_hand_that_keeps_the_revision_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = zones_path(tmp_path, "door")
    write_zones(path, {"zones": [GATE]})
    draft = Draft(tmp_path, "door")
    draft.draw([{**GATE, "name": "ours"}])
    draft.save()
    draft.draw([GATE])
    draft.save()
    edited = {"schema": 1, "camera": "door", "revision": draft.revision, "zones": [{**GATE, "name": "theirs"}]}
    path.write_text(json.dumps(edited))
    draft.draw([{**GATE, "name": "ours"}])
    with pytest.raises(ZonesChanged, match="was changed meanwhile, without a new revision"):
        draft.save()
    assert json.loads(path.read_text()) == edited
    draft.save(over_others=True)
    assert json.loads(path.read_text())["zones"][0]["name"] == "ours"
