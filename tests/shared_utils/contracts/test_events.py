"""Events: on disk and back."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared_utils.contracts.events import (
    MAX_REFERENCES,
    SEARCH_BYTES,
    Event,
    append_event,
    clip_events_path,
    event_from_dict,
    event_id_time,
    event_to_dict,
    events_log_path,
    find_live_objects,
    make_event_id,
    read_clip_events,
    read_events,
    read_last_events,
    write_clip_events,
)
from shared_utils.contracts.sidecars import list_sidecars
from shared_utils.errors import FormatError

AT = datetime(2026, 2, 23, 12, 48, 31, 120000, UTC)
READING = Event("reading", AT, "press-3", "pressure", "12.4", 0.97, picture="events/x.jpg", more={"unit": "bar"})
CLIP = "20260223-144819-door.mp4"
RUN = "0195c6a2-7c1e-7000-8000-000000000000"


def test_a_line_has_the_keys_of_the_contract_in_their_order() -> None:
    line = event_to_dict(READING)
    assert list(line) == [
        "schema", "id", "type", "at", "camera", "zone", "value", "confidence", "source", "run_id", "filename", "t",
        "picture", "unit",
    ]  # fmt: skip
    assert line["schema"] == 1
    assert datetime.fromisoformat(line["at"]) == AT


def test_live_events_are_appended_and_read(tmp_path: Path) -> None:
    path = events_log_path(tmp_path)
    assert list(read_events(path)) == []
    events = [READING, Event("object", AT, "door", value="seen")]
    for event in events:
        append_event(path, event)
    assert list(read_events(path)) == events


def test_the_events_of_a_clip_are_a_sidecar(tmp_path: Path) -> None:
    path = clip_events_path(tmp_path, CLIP, RUN)
    event = Event("item", AT, "till", "counter", "in", source="clip", run_id=RUN, filename=CLIP, t=4.8)
    write_clip_events(path, [event])
    header = json.loads(path.read_text().splitlines()[0])
    assert header["schema"] == 1
    assert header["columns"][:3] == ["schema", "id", "type"]
    assert read_clip_events(path) == [event]
    assert list_sidecars(tmp_path, CLIP) == [path]
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    assert read_clip_events(path) == [event]


def test_a_run_without_events_leaves_an_empty_list(tmp_path: Path) -> None:
    path = clip_events_path(tmp_path, CLIP, RUN)
    write_clip_events(path, [])
    assert read_clip_events(path) == []


def test_unknown_types_and_keys_are_kept() -> None:
    line = event_to_dict(READING) | {"type": "earthquake", "magnitude": 3}
    event = event_from_dict(line, Path("x"))
    assert event is not None
    assert (event.type, event.more) == ("earthquake", {"unit": "bar", "magnitude": 3})


def test_torn_and_foreign_lines_are_skipped(tmp_path: Path) -> None:
    torn = ['{"schema": 1, "id": "', "[1]", '{"id": "x", "type": "light"}', '{"id": "x", "type": "light", "at": 5}']
    log, sidecar = events_log_path(tmp_path), clip_events_path(tmp_path, CLIP, RUN)
    append_event(log, READING)
    write_clip_events(sidecar, [READING])
    for path in (log, sidecar):
        with path.open("a") as file:
            file.write("\n".join(torn))
    assert list(read_events(log)) == read_clip_events(sidecar) == [READING]


def test_a_later_version_is_an_error_and_no_empty_result(tmp_path: Path) -> None:
    log, sidecar = events_log_path(tmp_path), clip_events_path(tmp_path, CLIP, RUN)
    log.write_text(json.dumps(event_to_dict(READING) | {"schema": 2}) + "\n")
    sidecar.parent.mkdir()
    sidecar.write_text('{"schema": 2, "columns": ["a"]}\n{"a": 1}\n')
    with pytest.raises(FormatError, match=r"events_log\.jsonl is of schema 2.*update vcam"):
        list(read_events(log))
    with pytest.raises(FormatError, match=r"events/.* is of schema 2.*update vcam"):
        read_clip_events(sidecar)


def test_ids_are_uuids_that_sort_by_time() -> None:
    ids = [make_event_id(1_770_000_000 + number) for number in range(100)]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert len({make_event_id(0) for _ in range(100)}) == 100


def test_a_number_beyond_all_bounds_is_none() -> None:
    event = event_from_dict(event_to_dict(READING) | {"confidence": 10**400}, Path("x"))
    assert event is not None
    assert event.confidence is None


def live(at_s: float, camera: str = "door", type: str = "object") -> Event:
    return Event(type, AT + timedelta(seconds=at_s), camera, value="seen")


def test_live_objects_between_two_times(tmp_path: Path) -> None:
    path = events_log_path(tmp_path)
    assert find_live_objects(path, "door", AT, AT + timedelta(seconds=30)) == []
    events = [live(-1), live(0), live(12, "garden"), live(12, type="light"), live(10), live(30), live(30.5), live(3600)]
    for event in events:
        append_event(path, event)
    with path.open("a") as file:
        file.write(json.dumps(event_to_dict(live(5)) | {"schema": 2}) + '\n[1]\n{"schema": 1, "id": "to')
    found = find_live_objects(path, "door", AT, AT + timedelta(seconds=30))
    assert found == [events[1].id, events[4].id, events[5].id]


def test_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    path = events_log_path(tmp_path)
    wanted = [live(number) for number in range(3)]
    lines = [json.dumps(event_to_dict(event)) for event in [live(-3600)] * 5000 + wanted + [live(3600)] * 5000]
    path.write_text("\n".join(["x" * 200_000, *lines]) + "\n")
    assert find_live_objects(path, "door", AT, AT + timedelta(seconds=10)) == [event.id for event in wanted]
    many = [live(number / 100) for number in range(500)]
    path.write_text("".join(json.dumps(event_to_dict(event)) + "\n" for event in many))
    found = find_live_objects(path, "door", AT, AT + timedelta(seconds=10))
    assert found == [event.id for event in many[:MAX_REFERENCES]]


def test_an_event_that_is_reported_late_hides_none_before_it(tmp_path: Path) -> None:
    path = events_log_path(tmp_path)
    wanted = replace(live(5), id=make_event_id(AT.timestamp() + 6))
    # a camera that comes back: who was there has left when it was seen last
    late = replace(live(-900, "garden"), value="left", id=make_event_id(AT.timestamp() + 8))
    for event in (wanted, late):
        append_event(path, event)
    assert find_live_objects(path, "door", AT, AT + timedelta(seconds=30)) == [wanted.id]


def test_the_last_events_are_those_in_its_last_bytes(tmp_path: Path) -> None:
    path = events_log_path(tmp_path)
    assert read_last_events(path, 1000) == []
    events = [live(number) for number in range(5)]
    for event in events:
        append_event(path, event)
    line = len(path.read_bytes()) // 5
    with path.open("a") as file:
        file.write(json.dumps(event_to_dict(live(5)) | {"schema": 2}) + '\n{"schema": 1, "id": "to')
    size = path.stat().st_size
    assert read_last_events(path, size) == read_last_events(path, 10**9) == events
    assert read_last_events(path, size - 3 * line + 10) == events[3:]


def test_the_time_of_an_id() -> None:
    assert event_id_time(make_event_id(1771850911.12)) == 1771850911.12
    assert event_id_time(make_event_id(1771850911.12).upper()) is None
    assert event_id_time("holiday") is event_id_time("0" * 8 + "-0000-4000-8000-" + "0" * 12) is None


def test_a_log_is_searched_up_to_a_bound(tmp_path: Path) -> None:
    path = events_log_path(tmp_path)
    later = json.dumps(event_to_dict(live(3600))) + "\n"
    with path.open("w") as file:
        file.write(json.dumps(event_to_dict(live(1))) + "\n")
        file.write(later * (SEARCH_BYTES // len(later) + 1))
    assert find_live_objects(path, "door", AT, AT + timedelta(seconds=10)) == []
    path.write_bytes(b"x" * (SEARCH_BYTES + 5))
    assert find_live_objects(path, "door", AT, AT + timedelta(seconds=10)) == []
