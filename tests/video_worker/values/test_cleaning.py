"""What becomes of raw readings: cleaned values, and reasons why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared_utils.config.zones.model import CounterRules, NumberRules, ReadTask
from video_worker.readers.base import RawReading
from video_worker.values.cleaning import Cleaner
from video_worker.values.patterns import Pattern
from video_worker.values.reports import Value

METER: dict[str, Any] = {"counter": CounterRules(max_per_min=60), "majority": 3}


def clean(*texts: str, confidence: float = 0.9, every_s: float = 1.0, **rules: Any) -> list[Value]:
    cleaner = Cleaner(ReadTask(**rules))
    return [cleaner.clean(place * every_s, RawReading(text, confidence)) for place, text in enumerate(texts)]


def said(values: list[Value]) -> list[str | None]:
    return [value.value if value.reason is None else f"({value.reason})" for value in values]


def test_a_reading_without_rules_is_its_text():
    [value] = clean("  P-101 \n")
    assert (value.value, value.confidence, value.reason, value.number) == ("P-101", 0.9, None, None)
    assert value.more == {"text": "  P-101 \n"}


def test_unreadable_is_a_state_of_its_own_with_the_raw_text_kept():
    [value] = clean("12x4", pattern=r"\d+\.\d")
    assert (value.value, value.reason, value.state, value.confidence) == (None, "pattern", "unreadable", 0.9)
    assert value.more == {"text": "12x4"}


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        ("", {}, "(empty)"),
        (" \n", {}, "(empty)"),
        ("---", {"replace": (("-", ""),)}, "(empty)"),
        ("I2.O", {"replace": (("I", "1"), ("O", "0"))}, "12.0"),
        ("A", {"replace": (("A", "B"), ("B", "C"))}, "C"),
        ("A", {"replace": (("", "x"),)}, "A"),
        ("12.4", {"pattern": r"\d+\.\d"}, "12.4"),
        ("12.4 bar", {"pattern": r"\d+\.\d"}, "(pattern)"),
        ("12.4 bar", {"pattern": r"\d+\.\d", "number": NumberRules(unit="bar")}, "12.4"),
        ("12.4BAR", {"pattern": r"\d+\.\d *bar|\d+\.\dBAR", "number": NumberRules(unit="bar")}, "12.4"),
        ("Total: 12.4 kg", {"pattern": r"Total: (?P<value>.*) kg"}, "12.4"),
        ("lines\n12.4", {"pattern": r"(?s).*?(?P<value>[\d.]+)"}, "12.4"),
        ("12a", {"number": NumberRules()}, "(number)"),
        ("12,4", {"number": NumberRules()}, "12.4"),
        ("12. 4", {"number": NumberRules()}, "12.4"),
        ("1 234", {"number": NumberRules()}, "1234"),
        ("1.234,50", {"number": NumberRules()}, "1234.50"),
        ("\u22125", {"number": NumberRules()}, "-5"),
        ("-0,05", {"number": NumberRules()}, "-0.05"),
        ("Total:  kg", {"pattern": r"Total: (?P<value>\d*) kg"}, "(pattern)"),
        ("Total:   kg", {"pattern": r"Total: (?P<value>.*) kg"}, "(pattern)"),
        ("Total:  84 kg", {"pattern": r"Total: (?P<value>.*) kg"}, "84"),
        ("off", {"pattern": r"Total: (?P<value>\d+) kg|off"}, "off"),
        ("12,4", {"number": NumberRules(), "replace": ((",", "."),)}, "12.4"),
        ("101", {"number": NumberRules(max=100)}, "(range)"),
        ("100", {"number": NumberRules(max=100)}, "100"),
        ("-1", {"number": NumberRules(min=0)}, "(range)"),
        ("12", {"counter": CounterRules(max_per_min=1)}, "(counter)"),
    ],
)
def test_cleaning(text, rules, expected):
    assert said(clean(text, **rules)) == [expected]


@pytest.mark.parametrize("pattern", [r"(\d+)+x", r"(\d|\d\d)+x", r"(?:.*)*x"])
def test_a_pattern_that_would_take_for_ever_does_not_match(pattern):
    assert said(clean("1" * 60, pattern=pattern)) == ["(pattern)"]


@pytest.mark.parametrize("pattern", ["(", "[", "a**", "(" * 5000])
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match="no regular expression"):
        Pattern(pattern)


def test_a_reading_below_the_confidence_is_unreadable():
    assert said(clean("1", confidence=0.49)) == ["(confidence)"]
    assert said(clean("1", confidence=0.5)) == ["1"]
    assert said(clean("1", confidence=0.1, min_confidence=0.0)) == ["1"]


def test_a_number_comes_with_the_text_and_its_unit():
    [value] = clean("07.50 bar", number=NumberRules(unit="bar"))
    assert (value.value, value.number, value.more) == ("07.50", 7.5, {"text": "07.50 bar", "unit": "bar"})


def test_the_greatest_step_per_second():
    rules = NumberRules(max_step_per_s=1)
    assert said(clean("10", "11", "91", "12", number=rules)) == ["10", "11", "(step)", "12"]


def test_a_counter_that_is_half_rolled_is_shown_as_the_display_would():
    values = clean("001299", "001299", "001399", "001300", counter=CounterRules(max_per_min=60))
    assert said(values) == ["(counter)", "001299", "001299", "001300"]
    assert values[2].number == 1299.0
    assert values[2].more["text"] == "001399"


def test_the_majority_of_the_last_readings_decides():
    values = clean("7", "7", "1", "7", "7", "1", "1", "", "4", majority=3)
    assert said(values) == ["(majority)", "7", "7", "7", "7", "7", "1", "1", "(majority)"]
    assert values[2].more["text"] == "1"


def test_unreadable_ones_count_in_the_majority_and_keep_their_reason():
    assert said(clean("7", "7", "", "", "", majority=3)) == ["(majority)", "7", "7", "(empty)", "(empty)"]


def test_a_look_that_failed_counts_in_the_majority():
    cleaner = Cleaner(ReadTask(majority=3))
    for time_s in (0.0, 1.0):
        cleaner.clean(time_s, RawReading("7", 0.9))
    cleaner.miss(2.0)
    cleaner.miss(3.0)
    assert cleaner.clean(4.0, RawReading("7", 0.9)).reason == "majority"


@pytest.mark.parametrize("texts", [("12.4", "12. 4", "12,4"), ("-7", "\u22127", "- 7")])
def test_the_same_number_written_in_other_ways_has_a_majority(texts):
    assert clean(*texts, number=NumberRules(), majority=3)[-1].value == clean(texts[0], number=NumberRules())[0].value


def test_what_a_display_said_before_it_was_not_looked_at_has_no_part_in_the_majority():
    cleaner = Cleaner(ReadTask(majority=3))
    for time_s in (0.0, 1.0, 2.0):
        cleaner.clean(time_s, RawReading("7", 0.9))
    cleaner.interrupt()
    assert cleaner.clean(9.0, RawReading("8", 0.9)).reason == "majority"
    assert cleaner.clean(10.0, RawReading("8", 0.9)).value == "8"


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_display_said_long_ago_has_no_part_in_the_majority(restarted):
    cleaner = Cleaner(ReadTask(majority=3))
    for time_s in (0.0, 1.0, 2.0):
        cleaner.clean(time_s, RawReading("7", 0.9))
    if restarted:
        state = json.loads(json.dumps(cleaner.state()))
        cleaner = Cleaner(ReadTask(majority=3))
        cleaner.resume(state, 0.0)
    assert cleaner.clean(3600.0, RawReading("8", 0.9)).reason == "majority"


def test_a_state_holds_the_smallest_numbers():
    rules = ReadTask(number=NumberRules(max_step_per_s=1e-7))
    before, after = Cleaner(rules), Cleaner(rules)
    before.clean(0.0, RawReading("0.0000001", 0.9))
    after.resume(json.loads(json.dumps(before.state())), 0.0)
    assert said([after.clean(1.0, RawReading(text, 0.9)) for text in ("0.0000009", "0.0000002")]) == [
        "(step)",
        "0.0000002",
    ]


def test_a_restart_changes_nothing():
    texts = ["1298", "1298", "1299", "1399", "1300", "1300", "1300", "1301", "1281", "1301", "1301"]
    rules = ReadTask(**METER)
    whole = Cleaner(rules)
    expected = [whole.clean(float(second), RawReading(text, 0.9)) for second, text in enumerate(texts)]
    for killed in range(1, len(texts)):
        before, after = Cleaner(rules), Cleaner(rules)
        found = [before.clean(float(second), RawReading(text, 0.9)) for second, text in enumerate(texts[:killed])]
        after.resume(json.loads(json.dumps(before.state())), -float(killed))
        found += [after.clean(float(second), RawReading(text, 0.9)) for second, text in enumerate(texts[killed:])]
        assert found == expected, killed


def test_what_was_reported_before_a_restart_is_known():
    cleaner = Cleaner(ReadTask(counter=CounterRules(max_per_min=60)))
    cleaner.note(-1.0, Value("1299", 0.9, number=1299.0))
    assert said([cleaner.clean(0.0, RawReading("1300", 0.9))]) == ["1300"]


@pytest.mark.parametrize("state", [{}, {"step": 1, "counter": 1, "window": 1}, {"step": None, "counter": None}])
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises((ValueError, TypeError, KeyError)):
        Cleaner(ReadTask(**METER)).resume(state, 0.0)
