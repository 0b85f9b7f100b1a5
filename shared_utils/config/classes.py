"""Which labels are reported: ``YOLO_CLASSES``, a camera's ``classes``, a job's option. Empty means all.

Labels are a model's own words; those asked for are found among them whatever their case. An unknown one is an error
and never passed over: a slip would otherwise look as if nothing had been seen.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from shared_utils.errors import ModelError

MAX_CLASSES = 1000
MAX_LABEL = 100
"""Of a label, characters."""
SHOWN_LABELS = 100
"""Labels told in a message: all 80 of COCO; models may have thousands."""

SETTING = "YOLO_CLASSES"
OPTION = "option classes"


def split_classes(text: str) -> tuple[str, ...]:
    """Return the labels of a text such as ``person, car``, each once, in their order."""
    return tuple(dict.fromkeys(label for part in text.split(",") if (label := " ".join(part.split()))))


def check_classes(labels: Sequence[object]) -> tuple[str, ...]:
    """Return `labels` as a job carries them.

    Raises:
        ValueError: they are none; its text tells what is wrong.
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
        wanted: labels asked for; none for all.
        labels: the model's.
        model: its name, for the message.
        setting: what names the labels that are wanted, likewise.

    Raises:
        ModelError: the model does not know one of them.
    """
    found = [_find(label, labels) for label in wanted]
    unknown = [label for label, own in zip(wanted, found, strict=True) if own is None]
    if unknown:
        raise ModelError(f"{setting} names {_told(unknown, labels)}; the labels of model {model} are {_listed(labels)}")
    return tuple(dict.fromkeys(own for own in found if own is not None))


def usable_classes(wanted: Sequence[str], labels: Sequence[str], model: str) -> tuple[str, ...]:
    """Return those of ``YOLO_CLASSES`` that a job's own model knows.

    The setting is about the worker's own model, and was checked against it; a model that a job names may have fewer
    labels, or other ones.

    Raises:
        ModelError: it knows none of them, so that nothing would ever be reported.
    """
    found = tuple(label for label in wanted if _find(label, labels) is not None)
    if wanted and not found:
        raise ModelError(
            f"{SETTING} names {', '.join(wanted)}, and model {model} knows none of them: give the job classes=[], or "
            f"some of {_listed(labels)}"
        )
    return known_classes(found, labels, model, SETTING)


def _find(label: str, labels: Sequence[str]) -> str | None:
    if label in labels:
        return label
    folded = " ".join(label.split()).casefold()
    return next((one for one in labels if " ".join(one.split()).casefold() == folded), None)


def _told(unknown: Sequence[str], labels: Sequence[str]) -> str:
    parts = []
    for label in unknown:
        near = difflib.get_close_matches(label.casefold(), [one.casefold() for one in labels], n=1)
        meant = _find(near[0], labels) if near else None
        parts.append(f"{label!r}, which is unknown" + (f" (did you mean {meant!r}?)" if meant else ""))
    return ", and ".join(parts)


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - SHOWN_LABELS
    return ", ".join(labels[:SHOWN_LABELS]) + (f" and {more} more" if more > 0 else "")
