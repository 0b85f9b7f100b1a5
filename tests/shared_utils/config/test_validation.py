"""What msgspec refuses, as errors of ours: their kind and place depend on the wording of the pinned version."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from shared_utils.config.setting import Declaration, Setting
from shared_utils.config.validation import Bounds, Fault, Invalid, Model, check_value, convert

Ratio = Annotated[float, Bounds(ge=0, le=1)]


class Inner(Model, frozen=True):
    """An entry of a list."""

    share: Ratio = 0.5
    pair: tuple[Ratio, Ratio] = (0, 0)
    word: Literal["left", "right"] = "left"
    names: Annotated[tuple[str, ...], Bounds(min_length=1, max_length=2)] = ("a",)
    name: Annotated[str, Bounds(min_length=2, max_length=3)] = "ab"


class Outer(Model, frozen=True):
    """What a file holds."""

    count: Annotated[int, Bounds(ge=1)]
    entries: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("value", "fault", "path", "expectation"),
    [
        ([], Fault.TYPE, (), "an object, not a list"),
        ({"count": "1"}, Fault.TYPE, ("count",), "a whole number, not text"),
        ({"count": True}, Fault.TYPE, ("count",), "a whole number, not true or false"),
        ({"count": 1.5}, Fault.TYPE, ("count",), "a whole number, not a number"),
        ({"count": None}, Fault.TYPE, ("count",), "a whole number, not null"),
        ({"count": 0}, Fault.BOUNDS, ("count",), "at least 1"),
        ({"count": 1, "entries": {}}, Fault.TYPE, ("entries",), "a list, not an object"),
        ({"count": 1, "entries": [{}, 5]}, Fault.TYPE, ("entries", 1), "an object, not a whole number"),
        ({"count": 1, "entries": [{"share": 1.5}]}, Fault.BOUNDS, ("entries", 0, "share"), "at most 1"),
        ({"count": 1, "entries": [{"share": float("nan")}]}, Fault.BOUNDS, ("entries", 0, "share"), "at least 0"),
        ({"count": 1, "entries": [{"share": 10**400}]}, Fault.BOUNDS, ("entries", 0, "share"), "a smaller number"),
        ({"count": 1, "entries": [{"pair": [0, 2]}]}, Fault.BOUNDS, ("entries", 0, "pair", 1), "at most 1"),
        ({"count": 1, "entries": [{"pair": [0]}]}, Fault.TYPE, ("entries", 0, "pair"), "2 entries"),
        ({"count": 1, "entries": [{"names": []}]}, Fault.BOUNDS, ("entries", 0, "names"), "at least 1 entry"),
        ({"count": 1, "entries": [{"names": list("abc")}]}, Fault.BOUNDS, ("entries", 0, "names"), "at most 2 entries"),
        ({"count": 1, "entries": [{"name": "a"}]}, Fault.BOUNDS, ("entries", 0, "name"), "at least 2 characters"),
        ({"count": 1, "entries": [{"name": "abcd"}]}, Fault.BOUNDS, ("entries", 0, "name"), "at most 3 characters"),
        ({"count": 1, "entries": [{"word": "up"}]}, Fault.CHOICE, ("entries", 0, "word"), ""),
    ],
)
def test_a_wrong_value_has_a_kind_a_path_and_an_expectation(
    value: Any, fault: Fault, path: tuple[str | int, ...], expectation: str
) -> None:
    with pytest.raises(Invalid) as caught:
        convert(value, Outer)
    assert (caught.value.fault, caught.value.path, caught.value.expectation) == (fault, path, expectation)


@pytest.mark.parametrize(
    ("value", "fault", "path", "key"),
    [
        ({}, Fault.MISSING, (), "count"),
        ({"count": 1, "other": 1}, Fault.UNKNOWN, (), "other"),
        ({"count": 1, "entries": [{"shape": 1}]}, Fault.UNKNOWN, ("entries", 0), "shape"),
        ({"count": 1, "a\n`b` - at `$.x`": 1}, Fault.UNKNOWN, (), "a\n`b` - at `$.x`"),
    ],
)
def test_a_missing_or_unknown_key_is_named(value: Any, fault: Fault, path: tuple[str | int, ...], key: str) -> None:
    with pytest.raises(Invalid) as caught:
        convert(value, Outer)
    assert (caught.value.fault, caught.value.path, caught.value.key) == (fault, path, key)


def test_a_whole_float_is_accepted_as_an_integer_and_a_word_in_any_case() -> None:
    count = Declaration("count", int, Setting("COUNT", "how many", ge=1, le=9))
    word = Declaration("word", str, Setting("WORD", "which", choices=("left", "Right")))
    assert check_value(3.0, count) == 3
    assert check_value("RIGHT", word) == "Right"
    for wrong in (3.5, True, "3", 10.0, float("nan"), float("inf"), 10**5000):
        with pytest.raises(Invalid):
            check_value(wrong, count)
