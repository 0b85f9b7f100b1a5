"""Run notebooks as a user would, top to bottom: ``python -m devtools.run_notebooks [NAME…]`` saves them with their
outputs.

They run in a copy, on a new sample volume, with a Redis, a worker and a web site of their own. The copy replaces the
notebook when all of its cells have passed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import nbformat
from nbclient import NotebookClient

from devtools.live_street import live_street
from devtools.paths import INHERITED, ROOT, SCENE_MODEL, program_env
from devtools.redis_server import running_redis
from devtools.sample_volume.plan import LABELLED, Plan
from devtools.sample_volume.volume import make_volume
from shared_utils.cli import run_program
from shared_utils.errors import EXIT_OK, SettingError

FOLDER = ROOT / "notebooks"
LIVE = ("WatchLive",)
"""Notebooks that need a camera, capture and the live worker."""
SITE_CLIP = "a-street.mp4"
"""A clip on the web site, for DownloadProcessFile."""
CELL_TIMEOUT_S = 180
WIDGET = "application/vnd.jupyter.widget-view+json"
SAMPLE = "*Sample output, not of your cameras: run the cell to see yours.*"
"""Stands above saved outputs; it goes when the cell is run."""
INTERACTIVE = "(interactive: run this cell)"
_MARK = "vcam-values"
_PROBE = """
import json as _json
import pandas as _pd
def _plain(value):
    if isinstance(value, _pd.DataFrame):
        return _json.loads(value.to_json(orient="records", date_format="iso"))
    if isinstance(value, _pd.Series):
        return _json.loads(value.to_json(orient="index", date_format="iso"))
    return value.item() if hasattr(value, "item") else str(value)
_json.dump({{text: eval(text) for text in {expressions!r}}}, open({path!r}, "w"), default=_plain)
"""


@dataclass(frozen=True)
class Executed:
    """A notebook that has run.

    Attributes:
        notebook: with its outputs.
        values: what the expressions asked for were at its end; frames as lists of rows.
    """

    notebook: nbformat.NotebookNode
    values: dict[str, Any] = field(default_factory=dict)

    def outputs(self, kind: str | None = None) -> Iterator[nbformat.NotebookNode]:
        """Yield the cells' outputs, in order; `kind`: ``stream``, ``display_data``, ``execute_result``."""
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                if kind in (None, output.output_type):
                    yield output

    @property
    def text(self) -> str:
        """All that was printed, errors and warnings included, and the results' plain texts."""
        parts = []
        for output in self.outputs():
            parts.append(output.get("text") or output.get("data", {}).get("text/plain") or "")
        return "\n".join(parts)

    @property
    def pictures(self) -> list[str]:
        """The PNG outputs, base64."""
        return [output.data["image/png"] for output in self.outputs() if "image/png" in output.get("data", {})]


def execute(
    name: str,
    folder: Path,
    env: Mapping[str, str],
    *,
    values: Sequence[str] = (),
    changes: Mapping[str, str] | None = None,
) -> Executed:
    """Run the notebook `name` from top to bottom in a kernel of its own; the original is left as it is.

    Args:
        name: without its suffix.
        folder: where the copy is put, and the kernel's working folder.
        env: the kernel's environment, beside PATH and the like: ``VIDEO_DIR``, ``RDS_HOST``, …
        values: Python expressions to evaluate at the end.
        changes: text of cells to be replaced beforehand, such as ``{"CONF = 0.5": "CONF = 0.3"}``.

    Raises:
        CellExecutionError: a cell failed.
        KeyError: a text to be replaced is in no cell.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    _change(notebook, changes or {})
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as private:
        found = Path(private) / "values.json"
        if values:
            probe = _PROBE.format(expressions=list(values), path=str(found))
            notebook.cells.append(nbformat.v4.new_code_cell(probe, metadata={"tags": [_MARK]}))
        client = NotebookClient(
            notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
        # IPYTHONDIR: neither the user's start-up files nor a history that kernels would wait for each other with
        ours = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": private}
        client.execute(env={**inherited, **ours, **env})
        results = json.loads(found.read_text(encoding="utf-8")) if values else {}
    notebook.cells = [cell for cell in notebook.cells if _MARK not in cell.metadata.get("tags", [])]
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return Executed(notebook, results)


def _change(notebook: nbformat.NotebookNode, changes: Mapping[str, str]) -> None:
    for old, new in changes.items():
        cells = [cell for cell in notebook.cells if cell.cell_type == "code" and old in cell.source]
        if not cells:
            raise KeyError(f"no cell has the text {old!r}")
        for cell in cells:
            cell.source = cell.source.replace(old, new)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return `notebook` as it is to be saved: without times of cells, and without widgets.

    Widgets live with their kernel: without one a page shows an error in their place. A widget leaves its picture where
    it has one, else a line that says to run the cell; a progress bar leaves nothing.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_bar(output)]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET, None) is None:
                continue
            shown = any(kind.startswith("image/") or kind == "text/html" for kind in data)
            data["text/plain"] = "" if shown else INTERACTIVE
        if cell.get("outputs"):
            cell.outputs.insert(0, nbformat.v4.new_output("display_data", {"text/markdown": SAMPLE}))
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _is_bar(output: nbformat.NotebookNode) -> bool:
    data = output.get("data", {})
    return WIDGET in data and "%|" in data.get("text/plain", "")


@contextmanager
def services(folder: Path, video_dir: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a Redis and a worker, with the scene's model, over `video_dir`; both end with it."""
    with (folder / "services.log").open("w") as log, running_redis(folder / "redis", durable=False) as redis:
        env = {**redis.env, "MODELS_DIR": str(SCENE_MODEL.parent), "YOLO_MODEL": SCENE_MODEL.name}
        worker = subprocess.Popen(
            [sys.executable, "-m", "video_worker"],
            env=program_env({**env, "VIDEO_DIR": str(video_dir)}),
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
        try:
            yield env
        finally:
            worker.terminate()
            worker.wait()


@contextmanager
def clip_site(folder: Path, clip: Path) -> Iterator[str]:
    """Serve a copy of `clip` over HTTP on 127.0.0.1; yield its URL."""
    folder.mkdir()
    shutil.copy(clip, folder / SITE_CLIP)
    # SimpleHTTPRequestHandler writes a line per request to stderr
    handler = type("Handler", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{SITE_CLIP}"
        finally:
            server.shutdown()
            thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m devtools.run_notebooks",
        description="Run notebooks on a sample volume; save them with their outputs.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a notebook, without .ipynb (all)")
    parser.add_argument("--volume", type=Path, metavar="DIR", help="a sample volume to copy, instead of making one")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    for name in names:
        if not (FOLDER / f"{name}.ipynb").is_file():
            raise SettingError(f"{name}: no such notebook")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sample = arguments.volume or folder / "sample"
        if arguments.volume is None:
            sample.mkdir()
            end = datetime.now().replace(second=0, microsecond=0).astimezone()
            make_volume(sample, Plan(end, 7.0, 24, 1, LABELLED))
        for number, name in enumerate(names):
            work = folder / str(number)
            shutil.copytree(sample, work / "video")
            clip = max(sample.glob("*.mp4"))
            with ExitStack() as running:
                env = running.enter_context(services(work, work / "video"))
                if name in LIVE:
                    env["CAPTURE_URL"] = running.enter_context(live_street(work, work / "video", env))
                url = running.enter_context(clip_site(work / "site", clip))
                env |= {"VIDEO_DIR": "../video", "VIDEO_URL": url}
                done = execute(name, work / "notebooks", env)
            target = FOLDER / f"{name}.ipynb"
            nbformat.write(tidy(done.notebook), target)
            print(f"{name}: {len(done.pictures)} pictures, {target.stat().st_size / 1000:.0f} kB")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_program("devtools.run_notebooks", main))
