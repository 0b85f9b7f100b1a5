"""The import rules of docs/architecture.md, read from the source itself."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from devtools.paths import CODE_FOLDERS, ROOT

PROGRAMS = {"vcam_worker", "video_worker", "camera_emulator", "notebooks", "devtools", "scripts", "tests"}

HEAVY = {"cv2", "av", "numpy", "torch", "openvino", "onnxruntime", "ultralytics"}
FORBIDDEN = {
    # what all programs share stays light, except in its media room
    "shared_utils": HEAVY | PROGRAMS,
    "shared_utils/media": (HEAVY | PROGRAMS) - {"cv2", "av", "numpy"},
    # the workers know of each other by the queue alone
    "vcam_worker": {"openvino", "onnxruntime", "torch", "ultralytics", "pandas"} | PROGRAMS - {"vcam_worker"},
    "video_worker": {"torch", "ultralytics", "pandas"} | PROGRAMS - {"video_worker"},
    "camera_emulator": {"torch", "ultralytics", "pandas"} | PROGRAMS - {"camera_emulator"},
    # the analysis layer may use both workers: its image holds them
    "notebooks": {"torch", "ultralytics"} | PROGRAMS - {"notebooks", "vcam_worker", "video_worker"},
    "devtools": {"scripts", "tests"},
    # they start before anything is installed, and start the rest by its name
    "scripts": HEAVY | PROGRAMS - {"scripts"},
    "tests": {"scripts"},
}
EXCEPTIONS = {
    "camera_emulator/scene_model/train.py": {"torch", "ultralytics"},
    "video_worker/export.py": {"ultralytics"},
    # only to say how many threads easyocr may take
    "video_worker/readers/easyocr.py": {"torch"},
    "video_worker/readers/seven_segment_model/network.py": {"torch"},
    "video_worker/readers/seven_segment_model/train.py": {"torch"},
}
CONTRACTS_MAY = {"shared_utils", *sys.stdlib_module_names}

ADAPTERS = {
    # one foreign library each: whoever replaces it finds it in these files
    ("vcam_worker", "av"): {
        "stream/connection.py",
        "stream/info.py",
        "stream/source_errors.py",
        "stream/opening.py",
        "stream/selection.py",
        "stream/protocols/hls/segments.py",
        "motion/decoder.py",
        "live/frames/decoder.py",
        "recording/clip_writer.py",
    },
    ("shared_utils", "msgspec"): {"config/validation.py"},
    ("notebooks", "msgspec"): {
        "lab/data/boxes_files.py",
        "lab/data/line_types.py",
        "lab/data/log_lines.py",
        "lab/data/log_objects.py",
        "lab/events/event_lines.py",
    },
    ("shared_utils", "dotenv"): {"config/env_file.py"},
    ("vcam_worker", "uvicorn"): {"web/uvicorn_adapter.py"},
    ("vcam_worker", "starlette"): {"web/routes.py", "web/live_routes.py", "web/frame_routes.py", "web/video_routes.py"},
    ("vcam_worker", "prometheus_client"): {"web/metrics.py"},
    ("video_worker", "openvino"): {"engines/openvino.py"},
    ("video_worker", "onnxruntime"): {"engines/onnxruntime.py"},
    ("video_worker", "rapidocr"): {"readers/rapidocr.py"},
    ("video_worker", "pytesseract"): {"readers/tesseract.py"},
    ("video_worker", "easyocr"): {"readers/easyocr.py"},
    ("vcam_worker", "rq"): {"recording/storage/queue_sender.py"},
    ("vcam_worker", "redis"): {"recording/storage/queue_sender.py"},
}
QUEUE_ROOM = "shared_utils/queue/"
RQ_ADAPTER = "shared_utils/queue/rq_adapter/"
RQ_PUBLIC = {"rq"}
"""What may be imported outside the adapter: RQ's top-level names."""


def _files() -> list[Path]:
    scripts = [path for path in sorted((ROOT / "scripts").iterdir()) if _is_python(path)]
    return [path for package in CODE_FOLDERS for path in sorted((ROOT / package).rglob("*.py"))] + scripts


def _is_python(path: Path) -> bool:
    return path.is_file() and not path.suffix and "python" in path.read_text(encoding="utf-8").splitlines()[0]


def _modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", _files(), ids=_name)
def test_imports_follow_the_design(path: Path) -> None:
    name = _name(path)
    imports = {module.split(".")[0] for module in _modules(path)}
    rule = max((one for one in FORBIDDEN if name.startswith(f"{one}/")), key=len)
    assert not imports & (FORBIDDEN[rule] - EXCEPTIONS.get(name, set()))
    if name.startswith("shared_utils/contracts/"):
        assert imports <= CONTRACTS_MAY
    if name.startswith("shared_utils/") and {"rq", "redis"} & imports:
        assert name.startswith(QUEUE_ROOM), f"RQ and Redis belong into {QUEUE_ROOM}"
    if not name.startswith((RQ_ADAPTER, "tests/")):
        rq = {module for module in _modules(path) if module.split(".")[0] == "rq"}
        assert rq <= RQ_PUBLIC, f"RQ's internals belong into {RQ_ADAPTER}"
    for (owner, library), files in ADAPTERS.items():
        if name.startswith(f"{owner}/") and library in imports:
            assert name.removeprefix(f"{owner}/") in files, f"{library} belongs into {', '.join(sorted(files))}"


def test_every_package_is_checked() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in _files()} == set(CODE_FOLDERS)


def _imported_modules(path: Path, known: set[str]) -> set[str]:
    """Return the modules of ours that a file imports, at its top and within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                # a module of the package, or a name in it
                module = f"{node.module}.{alias.name}"
                found.add(module if module in known else node.module or "")
    return found & known


def test_no_modules_import_each_other_in_a_circle() -> None:
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in _files()
    }
    graph = TopologicalSorter({name: _imported_modules(path, set(paths)) for name, path in paths.items()})
    try:
        graph.prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_nothing_reads_the_environment_at_import() -> None:
    for path in _files():
        if any(path.is_relative_to(ROOT / folder) for folder in ("tests", "devtools", "scripts")):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            read = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
            assert not read & {"environ", "getenv"}, f"{path}: {ast.unparse(node)}"
