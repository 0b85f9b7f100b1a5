"""A record: one line of the detections log. Its fields are declared once; writer and readers are held to that."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from notebooks.lab.data import line_types, log_objects
from shared_utils.contracts.job_options import Options
from shared_utils.contracts.json_lines import to_line
from shared_utils.contracts.record import ClipEntry, ModelEntry, ObjectEntry, Record, SizeEntry, TimingEntry
from shared_utils.media.frames import ClipFacts
from tests.video_worker.conftest import SquareDetector
from video_worker.models.registry import LoadedModel
from video_worker.pipeline import record as records
from video_worker.pipeline.run_names import RunNames
from video_worker.steps import STEPS

READERS: tuple[tuple[type[msgspec.Struct], type], ...] = (
    (line_types.KnownLine, Record),
    (line_types.Clip, ClipEntry),
    (line_types.Model, ModelEntry),
    (line_types.Timing, TimingEntry),
    (line_types.Options, Options),
    (log_objects.ObjectEntry, ObjectEntry),
)
"""What the notebooks read of a line, and its declaration."""


def declared(kind: type) -> dict[str, Any]:
    """Return the fields of a TypedDict or a dataclass, with their types."""
    return get_type_hints(kind)


def plain(hint: Any) -> frozenset[Any]:
    """Return the types that a value may have, without None, bounds and what containers hold."""
    origin = get_origin(hint)
    if origin in (Annotated, NotRequired):
        return plain(get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return frozenset().union(*(plain(one) for one in get_args(hint))) - {type(None)}
    kind = origin or hint
    # JSON knows one kind of list
    return frozenset({list if kind is tuple else kind})


@pytest.mark.parametrize(("reader", "declaration"), READERS, ids=[one.__name__ for one, _ in READERS])
def test_what_is_read_of_a_line_is_declared(reader: type[msgspec.Struct], declaration: type) -> None:
    hints = declared(declaration)
    for field in msgspec.structs.fields(reader):
        assert field.encode_name in hints, f"{reader.__name__}.{field.name} is not a field of {declaration.__name__}"
        if field.type is msgspec.Raw or (isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)):
            continue
        assert plain(field.type) == plain(hints[field.encode_name]), f"{reader.__name__}.{field.name}"


def test_all_that_is_declared_of_an_object_is_read() -> None:
    assert set(log_objects.ObjectEntry.__struct_fields__) == set(declared(ObjectEntry))


def check_keys(entry: Mapping[str, Any], declaration: type) -> None:
    hints = get_type_hints(declaration, include_extras=True)
    assert set(entry) <= set(hints), declaration.__name__
    # not __required_keys__, which takes annotations that are text as they stand (PEP 563)
    assert set(entry) >= {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}


def test_what_is_written_is_declared() -> None:
    names = RunNames("20260223-144819-cam1.mp4", "run", "job")
    facts = ClipFacts(1920, 1080, 600, 150, 30.0, None, sizes=((1.0, 640, 360),), notes=("odd",))
    now = datetime.now(UTC)
    model = LoadedModel("yolov8n", "f" * 64, SquareDetector(), device="GPU", fixed_wh=(640, 384))
    clip, timing = records.clip_entry(names.filename, facts, "c" * 64), records.timing_entry(0.1, 0.7, 1.4, 2.2)
    entry = records.model_entry(model, Options())
    found: dict[str, object] = {key.name: [] for step in STEPS for key in step.adds.keys}
    record = records.success(names, Options(), clip, entry, timing, found, now)
    assert set(record) <= set(declared(Record)) | set(found)
    check_keys(clip, ClipEntry)
    check_keys(clip["sizes"][0], SizeEntry)
    check_keys(entry, ModelEntry)
    check_keys(timing, TimingEntry)
    check_keys(records.failure(names, "no video", now), Record)


def test_a_line_is_one_line_of_json() -> None:
    line = to_line({"filename": "ä\n.mp4", "ok": True})
    assert "\n" not in line
    assert "ä" in line
    assert json.loads(line)["filename"] == "ä\n.mp4"
    with pytest.raises(ValueError, match="JSON"):
        to_line({"score": float("nan")})
