"""The import rules of the design, read from the source itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("shared_utils", "vcam_worker", "video_worker", "camera_emulator", "notebooks")

HEAVY = {"cv2", "av", "numpy", "torch", "openvino", "onnxruntime", "ultralytics"}
FORBIDDEN = {
    # what both workers and the notebooks share stays light
    "shared_utils": HEAVY | {"vcam_worker", "video_worker", "camera_emulator", "notebooks"},
    # the workers know of each other by the queue alone
    "vcam_worker": {
        "video_worker",
        "camera_emulator",
        "torch",
        "openvino",
        "onnxruntime",
        "ultralytics",
        "pandas",
        "notebooks",
    },
    "video_worker": {"vcam_worker", "camera_emulator", "torch", "pandas", "notebooks"},
    "camera_emulator": {"vcam_worker", "video_worker", "torch", "pandas", "notebooks"},
    # the analysis layer may use both workers: its image holds them
    "notebooks": {"camera_emulator", "torch", "ultralytics"},
}
QUEUE_ROOM = {"jobs.py", "connection.py", "figures.py", "order.py", "orphans.py", "recovery.py", "repair.py"}
PANDAS_ONLY_IN = "notebooks/lab/data/results.py"
ADAPTERS = {
    # one foreign library each: whoever replaces it finds it in these files
    ("vcam_worker", "av"): {"source.py", "source_errors.py", "opening.py", "decoder.py", "recorder.py", "selection.py"},
    ("vcam_worker", "uvicorn"): {"http.py"},
    ("vcam_worker", "starlette"): {"routes.py"},
    ("vcam_worker", "prometheus_client"): {"metrics.py"},
    ("vcam_worker", "rq"): {"outbox.py"},
    ("vcam_worker", "redis"): {"outbox.py"},
    ("shared_utils", "rq"): QUEUE_ROOM,
    ("shared_utils", "redis"): QUEUE_ROOM,
}


def _files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return {name.split(".")[0] for name in found}


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_design(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    imports = _imports(path)
    allowed_here = {"torch", "ultralytics"} if path.name in {"train.py", "export.py"} else set()
    assert not imports & (FORBIDDEN[package] - allowed_here)
    if package != "notebooks" and str(path.relative_to(ROOT)) != PANDAS_ONLY_IN:
        assert "pandas" not in imports
    for (owner, library), files in ADAPTERS.items():
        if package == owner and library in imports:
            assert path.name in files, f"{library} belongs into {', '.join(sorted(files))}"


def test_every_package_is_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in _files()} == set(PACKAGES)


def test_nothing_reads_the_environment_at_import() -> None:
    for path in _files():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            read = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
            assert not read & {"environ", "getenv"}, f"{path}: {ast.unparse(node)}"
