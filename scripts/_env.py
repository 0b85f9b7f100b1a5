"""The virtual environment that the scripts share. Standard library only: this runs before anything is installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VCAM_VENV", ROOT / ".venv"))
MIN_PYTHON = (3, 11)
CONSTRAINTS = ROOT / "constraints.txt"
"""The version of every package that ours need in turn; made by scripts/pins."""

RUNTIME = (
    "requirements.base.txt",
    "requirements.capture.txt",
    "requirements.video.txt",
    "scripts/requirements.demo.txt",
)
DEV = (*RUNTIME, "requirements.jupyter.txt", "requirements.dev.txt")


def fail(message: str, code: int = 1) -> None:
    """Say what is wrong, in one line, and end."""
    print(message, file=sys.stderr)
    raise SystemExit(code)


def ensure_venv(requirements: Sequence[str]) -> Path:
    """Return the Python of a virtual environment that holds `requirements` (files, relative to the repository).

    Made and filled the first time, and whenever a file has changed; otherwise this takes no time.
    """
    if sys.version_info < MIN_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        fail(f"Python {MIN_PYTHON[0]}.{MIN_PYTHON[1]} or newer is needed; this is {found}: run me with python3.11", 2)
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    files = [ROOT / name for name in requirements]
    digest = hashlib.sha256(
        b"".join(file.read_bytes() for file in (*files, CONSTRAINTS)) + sys.version.encode()
    ).hexdigest()
    stamp = VENV / f".vcam-{digest[:16]}"
    if stamp.exists() and python.exists():
        return python
    began = time.monotonic()
    print(f"setting up {VENV} (the first time only) ...", flush=True)
    if not python.exists() and subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode:
        fail("python -m venv failed: install it (Debian, Ubuntu: apt install python3-venv)")
    options = ["-c", str(CONSTRAINTS), *(argument for file in files for argument in ("-r", str(file)))]
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    if subprocess.run(command, check=False).returncode:
        fail("pip could not install what is needed: see its message above")
    stamp.touch()
    print(f"ready after {time.monotonic() - began:.0f} s", flush=True)
    return python


def run_in_venv(requirements: Sequence[str], *arguments: str) -> None:
    """Become the venv's Python with `arguments`; our packages are importable, the folder stays the user's."""
    python = ensure_venv(requirements)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    os.execve(python, [str(python), *arguments], {**os.environ, "PYTHONPATH": path})  # noqa: S606  # no shell wanted
