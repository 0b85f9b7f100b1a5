"""LabelReview: judging detections, data sets, fine-tuning."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Return what ``notebooks.lab.review`` held when it was a module: notebooks of users import it from here."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(import_module("notebooks.lab.review.review"), name)
