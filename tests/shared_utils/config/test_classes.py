"""Requested labels, among those of a model."""

from __future__ import annotations

import json

import pytest

from shared_utils.config.classes import known_classes, split_classes, usable_classes
from shared_utils.config.job_options import options_from_env, replace_options
from shared_utils.contracts.job_options import Options, options_as_dict
from shared_utils.errors import JobRefused, ModelError

LABELS = ("person", "bicycle", "car", "Cell Phone")


def test_a_setting_is_a_list_with_commas() -> None:
    assert split_classes(" person, car ,,person,cell   phone") == ("person", "car", "cell phone")
    assert split_classes("") == split_classes(" , ") == ()
    assert options_from_env({"YOLO_CLASSES": '"person, car"'}).classes == ("person", "car")
    assert options_from_env({"YOLO_CLASSES": ""}).classes == Options().classes == ()


def test_labels_are_found_in_any_case() -> None:
    assert known_classes(("PERSON", "cell phone", "person"), LABELS, "m", "X") == ("person", "Cell Phone")
    assert known_classes((), LABELS, "m", "X") == ()
    # where case tells two labels apart, it counts
    assert known_classes(("Apple", "apple"), ("apple", "Apple"), "m", "X") == ("Apple", "apple")


def test_an_unknown_label_is_named_with_those_of_the_model() -> None:
    with pytest.raises(ModelError) as caught:
        known_classes(("persn", "zebra", "car"), LABELS, "yolov8n", "YOLO_CLASSES")
    assert str(caught.value) == (
        "YOLO_CLASSES names 'persn', which is unknown (did you mean 'person'?), and 'zebra', which is unknown; "
        "the labels of model yolov8n are person, bicycle, car, Cell Phone"
    )


def test_a_model_with_thousands_of_labels_makes_no_endless_line() -> None:
    with pytest.raises(ModelError, match=r"and 4900 more$") as caught:
        known_classes(("x",), [f"label {number}" for number in range(5000)], "m", "X")
    assert len(str(caught.value)) < 2000


def test_another_model_must_know_some_labels_of_the_setting() -> None:
    assert usable_classes(("bus", "Car"), LABELS, "scene") == ("car",)
    assert usable_classes((), LABELS, "scene") == ()
    with pytest.raises(ModelError, match=r"YOLO_CLASSES names bus, and model scene knows none.*classes=\[\]"):
        usable_classes(("bus",), LABELS, "scene")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["person", " car ", "person"], ("person", "car")),
        (("person",), ("person",)),
        ("person, car", ("person", "car")),
        ([], ()),
        (None, ()),
    ],
)
def test_a_job_names_its_own(given: object, expected: tuple[str, ...]) -> None:
    own = Options(classes=("dog",))
    wanted = replace_options(own, {"classes": given})
    assert wanted.classes == expected
    assert replace_options(own, {"conf": 0.3}).classes == ("dog",)
    assert replace_options(Options(), json.loads(json.dumps(options_as_dict(wanted)))) == wanted


@pytest.mark.parametrize(
    "given", [5, True, {"person": 1}, [5], [""], [" "], ["a\nb"], ["x" * 101], ["x", None], ["a"] * 1001]
)
def test_anything_but_a_list_of_labels_is_refused(given: object) -> None:
    with pytest.raises(JobRefused, match="option classes"):
        replace_options(Options(), {"classes": given})
