"""Numbers of displays, how fast they may change, and counters that roll."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal

import pytest

from shared_utils.config.zones.model import CounterRules
from video_worker.values.numbers import CounterRule, Number, StepRule, parse_number


@pytest.mark.parametrize(
    ("text", "value", "digits", "decimals"),
    [
        ("12.4", "12.4", 3, 1),
        ("12,4", "12.4", 3, 1),
        ("001284", "1284", 6, 0),
        (" 1 284 ", "1284", 4, 0),
        ("-0.50", "-0.50", 3, 2),
        ("\u22123", "-3", 1, 0),
        ("+7", "7", 1, 0),
        (".5", "0.5", 1, 1),
        ("5.", "5", 1, 0),
        ("1,234.5", "1234.5", 5, 1),
        ("1.234,5", "1234.5", 5, 1),
    ],
)
def test_numbers_of_displays(text, value, digits, decimals):
    assert parse_number(text) == Number(Decimal(value), digits, decimals)


@pytest.mark.parametrize(
    "text",
    ["", "-", ".", "12a", "1.2.3", "1,2,3", "--1", "1e5", "nan", "inf", "0x10", "1_000", "\u0661", "9" * 16, "12:30"],
)
def test_anything_else_is_no_number(text):
    assert parse_number(text) is None


def number(text: str) -> Number:
    found = parse_number(text)
    assert found is not None
    return found


def test_a_number_changes_by_at_most_so_much_per_second():
    rule = StepRule(0.5)
    assert rule.accepts(0.0, number("12.0"))
    assert rule.accepts(1.0, number("12.5"))
    # the last digit may change at any time
    assert rule.accepts(1.0, number("12.6"))
    assert not rule.accepts(2.0, number("72.6"))
    assert rule.accepts(3.0, number("13.6"))
    # time that passes makes room
    assert rule.accepts(23.0, number("3.6"))


def test_what_says_the_same_three_times_is_believed():
    rule = StepRule(0.1)
    rule.accepts(0.0, number("90"))
    assert [rule.accepts(time_s, number("10")) for time_s in (1.0, 2.0, 3.0, 4.0)] == [False, False, True, True]
    # readings that contradict one another are not
    assert [rule.accepts(5.0 + one, number(text)) for one, text in enumerate(["50", "30", "50", "30", "50"])] == [
        False
    ] * 5


def counter(start: float | None = None, max_per_min: float = 60, every_s: float = 1.0) -> CounterRule:
    return CounterRule(CounterRules(max_per_min=max_per_min, start=start), every_s)


def fed(rule: CounterRule, *texts: str, start_s: float = 0.0, every_s: float = 1.0) -> list[str | None]:
    found = [rule.take(start_s + place * every_s, number(text)) for place, text in enumerate(texts)]
    return [None if value is None else str(value) for value in found]


def test_a_counter_begins_with_two_readings_that_agree():
    assert fed(counter(), "1284", "1284", "1285") == [None, "1284", "1285"]
    assert fed(counter(), "7284", "1284", "1284") == [None, None, "1284"]
    assert fed(counter(), "1284", "7284", "1284", "1285") == [None, None, None, "1285"]


def test_a_counter_only_rises_and_by_so_much():
    rule = counter()
    fed(rule, "100", "100")
    assert fed(rule, "99", "100", "103", "101", "200", start_s=2) == [None, "100", None, "101", None]
    # in ten seconds it may rise by ten, and by one digit more
    assert fed(rule, "113", start_s=15) == [None]
    assert fed(rule, "112", start_s=16) == ["112"]


def test_a_counter_never_falls_however_often_that_is_read():
    rule = counter()
    fed(rule, "1284", "1284")
    assert fed(rule, *["1264"] * 100, start_s=2) == [None] * 100
    assert fed(rule, "1284", start_s=200) == ["1284"]


def test_a_counter_begins_at_what_a_person_has_set():
    rule = counter(start=1000)
    assert fed(rule, "900", "900", "900") == [None] * 3
    assert fed(rule, "1007", "1007", start_s=3) == [None, "1007"]


def test_a_rise_after_a_gap_is_confirmed_by_a_second_reading():
    rule = counter()
    fed(rule, "100", "100")
    assert fed(rule, "800", "300", "300", start_s=1000) == [None, None, "300"]


def test_a_counter_that_is_read_seldom_needs_no_second_reading_each_time():
    rule = counter(max_per_min=1, every_s=3600)
    assert fed(rule, "100", "110", "150", "200", every_s=3600) == [None, "110", "150", "200"]


@pytest.mark.parametrize(
    ("last", "read", "value"),
    [
        ("1299", "1399", "1299"),  # the third digit is half rolled, and read as the next one
        ("1299", "1200", "1299"),  # the others are through, the third one is not
        ("1299", "1290", "1299"),
        ("1299", "1209", "1299"),
        ("1298", "1290", "1299"),  # it has gone on
        ("1299", "1300", "1300"),  # it is through
        ("0999", "0900", "0999"),
        ("0999", "1999", "0999"),
        ("12.99", "12.90", "12.99"),
        ("1299", "1250", None),
        ("1299", "2300", None),
        ("1305", "1300", None),  # a 5 that was read as a 0
        ("1305", "1309", None),
    ],
)
def test_a_half_rolled_digit_is_the_lower_one(last, read, value):
    rule = counter(max_per_min=30 if "." not in last else 0.3)
    fed(rule, last, last)
    assert fed(rule, read, start_s=2) == [None if value is None else str(Decimal(value))]


def test_a_counter_that_rolls_is_read_within_what_it_may_rise():
    """Each digit that rolls is read as the one before, the one behind, or something else."""
    rng = random.Random(5)
    ahead: Counter[int] = Counter()
    for _ in range(30):
        rule = counter(max_per_min=20)
        exact = rng.uniform(0, 99_000)
        for second in range(300):
            exact += 0.2 * rng.random()
            value = rule.take(float(second), number(rolled(exact, rng)))
            if value is not None:
                ahead[int(value) - int(exact)] += 1
    assert ahead[0] + ahead[1] >= 0.99 * ahead.total()
    assert max(ahead) <= 5
    assert min(ahead) >= -5
    # all digits that roll, in every third reading, and some that do not
    assert ahead.total() >= 0.8 * 30 * 300


def rolled(exact: float, rng: random.Random) -> str:
    """Return a reading of a counter of five digits, of which those that roll may be read in any way."""
    whole, part = divmod(exact, 1)
    digits = []
    for place in range(5):
        now, following = (int((whole + more) // 10**place % 10) for more in (0, 1))
        digit = now
        if part > 0.66 and now != following:
            digit = rng.choice([now, now, following, following, rng.randrange(10)])
        elif rng.random() < 0.002:
            digit = rng.randrange(10)
        digits.append(str(digit))
    return "".join(reversed(digits))


def test_rules_go_on_after_a_restart():
    step, rule = StepRule(0.5), counter()
    step.accepts(10.0, number("12.5"))
    fed(rule, "100", "100", start_s=9)
    states = json.loads(json.dumps([step.state(), rule.state()]))
    later_step, later_rule = StepRule(0.5), counter()
    later_step.resume(states[0], -10.0)
    later_rule.resume(states[1], -10.0)
    assert not later_step.accepts(1.0, number("14.5"))
    assert later_step.accepts(2.0, number("13.5"))
    assert fed(later_rule, "103", "101", start_s=1) == [None, "101"]


@pytest.mark.parametrize("pair", [["x", 1.0], ["1", "y"], [1], "z", ["1e999999999", 0.0]])
def test_a_state_that_is_none_is_refused(pair):
    with pytest.raises((ValueError, TypeError, KeyError)):
        counter().resume({"last": pair, "unconfirmed": None}, 0.0)
    with pytest.raises((ValueError, TypeError, KeyError)):
        StepRule(1.0).resume({"last": None, "refused": pair, "agreeing": 0}, 0.0)
