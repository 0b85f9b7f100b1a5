"""Folders that programs share: the volume of ``VIDEO_DIR``, models of ``MODELS_DIR``, modules of ``PLUGINS_DIR``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from shared_utils.config.env import get_text
from shared_utils.config.setting import Setting
from shared_utils.errors import SettingError


def _split(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


VIDEO_DIR = Setting("VIDEO_DIR", "the shared volume: clips, logs and all that belongs to them", parse=Path)
MODELS_DIR = Setting("MODELS_DIR", "folders of models, searched in turn", parse=_split)
PLUGINS_DIR = Setting("PLUGINS_DIR", "folder of modules of people's own for zones", parse=Path)
VIDEO_FOLDER = "video"
PLUGINS_FOLDER = "plugins"
MODELS_DEFAULTS = ("models", "../models")
"""In this order: programs run in the project's folder, notebooks in ``notebooks/``."""


def video_path(values: Mapping[str, str], project: Path = Path()) -> Path:
    """Return the path of the shared volume, whether it exists or not.

    Args:
        values: the environment.
        project: the project's folder, for the default: the working folder of programs, the parent of notebooks'.
    """
    return Path(get_text(values, VIDEO_DIR.name) or project / VIDEO_FOLDER)


def plugins_path(values: Mapping[str, str]) -> Path:
    """Return the folder of modules of people's own, whether it exists or not."""
    return Path(get_text(values, PLUGINS_DIR.name) or PLUGINS_FOLDER)


def video_dir(values: Mapping[str, str]) -> Path:
    """Return the shared volume of ``VIDEO_DIR``; make it if it is missing, and try to write to it.

    Raises:
        SettingError: it cannot be made, or nothing can be written there.
    """
    path = video_path(values)
    probe = path / f".writable-{id(values):x}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingError(
            f"VIDEO_DIR is {str(path)!r}, which cannot be written to ({reason}): "
            "give a folder this user owns, or change its owner or rights"
        ) from None
    return path


def models_dirs(values: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders in which models are looked up by name, in the order of the look-up.

    ``MODELS_DIR`` is a folder, or several with ``:`` between them: the user's before those that an image brings
    along. Without it, the first folder of :data:`MODELS_DEFAULTS` that exists.

    Args:
        values: names and raw values, such as ``os.environ``.
    """
    given = _split(get_text(values, MODELS_DIR.name) or "")
    if given:
        return given
    known = [Path(default) for default in MODELS_DEFAULTS]
    return (next((folder for folder in known if folder.is_dir()), known[0]),)


def find_model(name: str, values: Mapping[str, str]) -> Path | None:
    """Return the file of the model `name` in the first folder of :func:`models_dirs` that has it; None if none has."""
    return next((path for folder in models_dirs(values) if (path := folder / name).is_file()), None)
