"""Paths in the repository and beside it, and the environment of started programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE_FOLDERS = (
    "shared_utils",
    "vcam_worker",
    "video_worker",
    "camera_emulator",
    "notebooks",
    "devtools",
    "scripts",
    "tests",
)
"""All folders of Python code in the repository."""
SCENE_MODEL = ROOT / "camera_emulator" / "scene_model" / "scene.onnx"
"""Weights that know the drawn scene; they are in the repository."""
REAL_MODEL = ROOT / "models" / "yolov8n.onnx"
INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
"""Environment variables that a started program gets from the caller; everything else would be the user's settings."""


def shared_folder() -> Path:
    """Return the folder with real footage and weights: ``VCAM_SHARED``, else beside the repository."""
    return Path(os.environ.get("VCAM_SHARED", ROOT.parent / "shared"))


def program_env(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a program: `settings` alone, whatever the user's environment or .env holds."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    ours = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHON_DOTENV_DISABLED": "1"}
    return {**inherited, **ours, **(settings or {})}
