"""Labels to report: ``YOLO_CLASSES``, a camera's ``classes``, a job's option. Empty means all.

Labels are a model's own words; requested labels are found among them in any case. An unknown label is an error and
never ignored: a typing error would otherwise look as if nothing had been detected.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from shared_utils.errors import ModelError

MAX_CLASSES = 1000
MAX_LABEL = 100
"""Characters of a label."""
MAX_LISTED_LABELS = 100
"""Labels listed in a message: all 80 of COCO; models may have thousands."""

SETTING = "YOLO_CLASSES"
OPTION = "option classes"


def split_classes(text: str) -> tuple[str, ...]:
    """Return the labels of a text such as ``person, car``, without duplicates, in their order."""
    return tuple(dict.fromkeys(label for part in text.split(",") if (label := " ".join(part.split()))))


def check_classes(labels: Sequence[object]) -> tuple[str, ...]:
    """Return `labels` as a job carries them.

    Raises:
        ValueError: one is not a label, or there are too many; the text says which.
    """
    if len(labels) > MAX_CLASSES:
        raise ValueError(f"holds {len(labels)} labels, more than {MAX_CLASSES}")
    for label in labels:
        if not isinstance(label, str) or not 0 < len(label.strip()) <= MAX_LABEL or not label.isprintable():
            raise ValueError(f"holds {str(label)[:40]!r}, which is no label")
    return tuple(dict.fromkeys(str(label).strip() for label in labels))


def known_classes(wanted: Sequence[str], labels: Sequence[str], model: str, setting: str) -> tuple[str, ...]:
    """Return those of a model's `labels` that are `wanted`, in the model's spelling.

    Args:
        wanted: requested labels; none for all.
        labels: those of the model.
        model: its name, for the message.
        setting: where the requested labels come from, for the message.

    Raises:
        ModelError: the model does not know one of them.
    """
    found = [find_label(label, labels) for label in wanted]
    unknown = [label for label, own in zip(wanted, found, strict=True) if own is None]
    if unknown:
        problem = f"{setting} names {_describe_unknown(unknown, labels)}"
        raise ModelError(f"{problem}; the labels of model {model} are {_list_labels(labels)}")
    return tuple(dict.fromkeys(own for own in found if own is not None))


def usable_classes(wanted: Sequence[str], labels: Sequence[str], model: str) -> tuple[str, ...]:
    """Return those of ``YOLO_CLASSES`` that a job's own model knows.

    The setting is meant for the worker's own model, and was checked against it; a model that a job names may have fewer
    labels, or others.

    Raises:
        ModelError: it knows none of them, so that nothing would ever be reported.
    """
    found = tuple(label for label in wanted if find_label(label, labels) is not None)
    if wanted and not found:
        raise ModelError(
            f"{SETTING} names {', '.join(wanted)}, and model {model} knows none of them: give the job classes=[], or "
            f"some of {_list_labels(labels)}"
        )
    return known_classes(found, labels, model, SETTING)


def find_label(label: str, labels: Sequence[str]) -> str | None:
    """Return a label in the spelling that a model's `labels` have; None if they have no such label."""
    if label in labels:
        return label
    folded = " ".join(label.split()).casefold()
    return next((one for one in labels if " ".join(one.split()).casefold() == folded), None)


def _describe_unknown(unknown: Sequence[str], labels: Sequence[str]) -> str:
    parts = []
    for label in unknown:
        near = difflib.get_close_matches(label.casefold(), [one.casefold() for one in labels], n=1)
        meant = find_label(near[0], labels) if near else None
        parts.append(f"{label!r}, which is unknown" + (f" (did you mean {meant!r}?)" if meant else ""))
    return ", and ".join(parts)


def _list_labels(labels: Sequence[str]) -> str:
    more = len(labels) - MAX_LISTED_LABELS
    return ", ".join(labels[:MAX_LISTED_LABELS]) + (f" and {more} more" if more > 0 else "")
