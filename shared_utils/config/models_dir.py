"""The folders of models: ``MODELS_DIR``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from shared_utils.config.env import Env

DEFAULTS = ("models", "../models")
"""In this order: programs run in the project's folder, notebooks in ``notebooks/``."""


def models_dirs(values: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders in which models are looked up by name, in the order of the look-up.

    ``MODELS_DIR`` is a folder, or several with ``:`` between them: the user's before those that an image brings
    along. Without it, the first folder of :data:`DEFAULTS` that exists.

    Args:
        values: names and raw values, such as ``os.environ``.
    """
    given = tuple(Path(part) for part in Env(values).text("MODELS_DIR", "").split(os.pathsep) if part)
    if given:
        return given
    known = [Path(default) for default in DEFAULTS]
    return (next((folder for folder in known if folder.is_dir()), known[0]),)


def find_model(name: str, values: Mapping[str, str]) -> Path | None:
    """Return the file of the model `name` in the first folder of :func:`models_dirs` that has it; None if none has."""
    return next((path for folder in models_dirs(values) if (path := folder / name).is_file()), None)
