"""Tasks that modules of people's own carry out: in a file of zones, ``do`` is the module's name.

A word that is nearly one of ours is a typing error, and no module's name: the file would be taken, and nothing counted.
Whether there is such a module is no matter of the file: where it is missing, its zone says so, and others go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from shared_utils.config.validation import Fault, Invalid
from shared_utils.config.zones.model import PluginTask
from shared_utils.contracts.clips import CAMERA_PATTERN

PLUGIN = str(PluginTask.__struct_config__.tag)
MODULE = "module"
TYPO_RATIO = 0.75
"""Likeness from which a word is taken for one of ours, as ``raed`` for ``read``. ``gauge`` and ``page`` have 0.67."""


def with_own_modules(found: Any, words: Sequence[str]) -> Any:
    """Return a file's content with tasks of own modules as their model takes them, with the name in ``module``.

    Args:
        found: the content, parsed, whether it is right or not.
        words: that ``do`` takes for tasks of ours.

    Raises:
        Invalid: a name is too like one of the words, or none that a file can have.
    """
    if not isinstance(found, dict) or not isinstance(found.get("zones"), list):
        return found
    zones = [
        {**zone, "tasks": list(_tasks(zone["tasks"], words, ("zones", number, "tasks")))}
        if isinstance(zone, dict) and isinstance(zone.get("tasks"), list)
        else zone
        for number, zone in enumerate(found["zones"])
    ]
    return {**found, "zones": zones}


def _tasks(tasks: Sequence[Any], words: Sequence[str], path: tuple[str | int, ...]) -> Iterator[Any]:
    for number, task in enumerate(tasks):
        name = task.get("do") if isinstance(task, Mapping) else None
        if not isinstance(name, str) or name in words:
            yield task
            continue
        place = (*path, number)
        if get_close_matches(name.casefold(), words, 1, TYPO_RATIO) or not re.fullmatch(CAMERA_PATTERN, name):
            raise Invalid(Fault.CHOICE, (*place, "do"))
        if MODULE in task:
            raise Invalid(Fault.UNKNOWN, place, MODULE)
        yield {**task, "do": PLUGIN, MODULE: name}
