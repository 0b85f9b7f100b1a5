"""What the benchmark of the gate takes for exact, missing and invented."""

from __future__ import annotations

from camera_emulator.gate.truth import GateEvent
from devtools.benchmarks.zones.gate import NEAR_S, Reported, compare
from devtools.benchmarks.zones.gate_clips import PER_CLIP, gate_clips

ENTERED = GateEvent(10.0, 10.0, "yard", "entered", "person", 1)
CROSSED = GateEvent(12.0, 14.0, "gate", "crossed", "person", 1, "left")


def reported(event: GateEvent, t: float, direction: str | None = None) -> Reported:
    return Reported(t, event.zone, event.value, event.label, direction or event.direction)


def test_each_event_is_found_once_near_its_time() -> None:
    found = compare([ENTERED, CROSSED], [reported(ENTERED, 10.0 + NEAR_S), reported(CROSSED, 14.0 + NEAR_S)])
    assert found.exact == found.true == {"entered": 1, "crossed": 1}
    assert not found.missing
    assert not found.invented


def test_what_is_late_or_goes_the_other_way_is_missing_and_invented() -> None:
    given = [reported(ENTERED, 10.1 + NEAR_S), reported(CROSSED, 12.0, "right")]
    found = compare([ENTERED, CROSSED], given)
    assert list(found.missing) == [ENTERED, CROSSED]
    assert list(found.invented) == given


def test_a_second_report_is_invented() -> None:
    found = compare([ENTERED], [reported(ENTERED, 10.2), reported(ENTERED, 10.1)])
    assert [one.t for one in found.invented] == [10.2]


def test_clips_have_as_many_passages_as_are_wanted() -> None:
    clips = list(gate_clips(3 * PER_CLIP))
    assert sum(len(clip.passages) for clip in clips) >= 3 * PER_CLIP
    assert len({clip.seed for clip in clips}) == len(clips)
    assert all(max(event.until for event in clip.events) < clip.seconds for clip in clips)
