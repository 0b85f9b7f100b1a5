"""JupyterLab as the image starts it, for tests with a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Page

from devtools.paths import ROOT
from devtools.ports import free_port
from tests.support.programs import Programs

TOKEN = "a token & of the test's own"  # awkward on purpose: it has to be encoded
IDLE = "Python 3 (ipykernel) | Idle"
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its URL and its root folder."""

    url: str
    folder: Path

    def url_of(self, notebook: str, workspace: str) -> str:
        """Return the URL of a notebook of the root folder, with the token.

        In a workspace of its own a page has that notebook alone: JupyterLab opens again what was open in one.
        """
        path = f"{self.url}/lab/workspaces/{workspace}/tree/{notebook}"
        return str(httpx.URL(path, params={"token": TOKEN}))


def open_notebook(page: Page, url: str) -> None:
    """Open a notebook; before its kernel is there, JupyterLab would ask which one to take."""
    page.goto(url)
    page.get_by_text(IDLE).wait_for()


def run_all_cells(page: Page) -> None:
    """Run the open notebook as a person does, by the menu."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def _command_of_the_image(**replaced: str) -> list[str]:
    """Return the image's command with some of its options replaced, each of which it must have."""
    text = (ROOT / "Dockerfile.jupyter").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert found
    command = [str(argument) for argument in json.loads(found[1])]
    for name, value in replaced.items():
        [at] = [number for number, argument in enumerate(command) if argument.startswith(f"--{name}=")]
        command[at] = f"--{name}={value}"
    return command


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Run JupyterLab over `folder` by the image's command; our packages are on PYTHONPATH as they are there."""
    port = free_port()
    jupyter, *options = _command_of_the_image(ip="127.0.0.1", port=str(port), **{"ServerApp.root_dir": str(folder)})
    assert jupyter == "jupyter"
    if os.geteuid() == 0:  # in the image it is not
        options.append("--allow-root")
    private = {name: str(folder / ".private") for name in ("HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    # kernels' sockets lie there, and Linux takes paths of sockets up to 107 bytes
    private["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="lab-")
    # as in the image there is no node beside it
    env = {
        "PATH": str(Path(sys.executable).parent),
        "JUPYTER_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
        "VIDEO_DIR": str(folder / "video"),
        **private,
    }
    programs = Programs()
    try:
        program = programs.python("-m", "jupyter", *options, env=env)
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_TIMEOUT_S
        while not _answers(url):
            assert program.process.poll() is None, program.text
            assert time.monotonic() < deadline, program.text
            time.sleep(0.1)
        yield Lab(url, folder)
        assert TOKEN not in program.text
        # warnings that ask for nothing
        assert not re.search(r"is not trusted|nodejs|websocket_ping_timeout|closed stream", program.text), program.text
    finally:
        programs.end()
        shutil.rmtree(private["JUPYTER_RUNTIME_DIR"])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api").status_code == 200
    except httpx.TransportError:
        return False
