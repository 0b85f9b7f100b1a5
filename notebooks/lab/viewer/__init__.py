"""ViewVideo: the player and the list of clips."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Return a name that ``notebooks.lab.viewer`` had when it was a module: notebooks of users import it from here."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(import_module("notebooks.lab.viewer.viewer"), name)
