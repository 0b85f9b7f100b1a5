"""An extension of JupyterLab's server: accepted host names, the login form, copies of the notebooks.

Loaded by the image's command (``Dockerfile.jupyter``).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader
from jupyter_server.serverapp import ServerApp
from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, PathMatches, Rule
from tornado.web import RequestHandler

from notebooks.lab import messages
from notebooks.lab.copies import bring_copies
from shared_utils.config.web_hosts import is_own_host, own_names

ORIGINALS = "NOTEBOOKS_FROM"
"""Setting of the image: where our notebooks are, of which people get copies."""
TEMPLATES = Path(__file__).parent / "templates"
STYLE = Path(__file__).parent / "lab.css"
"""What JupyterLab's pages look like on a phone; they ask for it at `STYLE_PATH` with ``--LabApp.custom_css=True``."""
STYLE_PATH = "/custom/custom.css"
LAB_NOTEBOOK, PHONE_NOTEBOOK = "/lab/tree/", "/doc/workspaces/phone/tree/"
"""JupyterLab's addresses of a notebook: among others, and alone. A workspace remembers which side bars were open."""
NOT_FOR_PEOPLE = (
    "is not trusted",
    "build status without nodejs",
    "websocket_ping_timeout",
    "Got events for closed stream",
)
"""Warnings that ask for nothing: a notebook that was saved before the container was made anew (its outputs show, its
scripts run once the cell has run), that JupyterLab cannot be built anew here, that one of Jupyter's own defaults does
not fit another, and that a browser left a kernel."""
LOGGERS = ("ServerApp", "LabApp", "tornado.general", "tornado.application")
"""Whose warnings they are. A logger's filter does not see what others hand on to it, and Jupyter shows those of tornado
(of pyzmq, too) under its own name."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "notebooks.lab.server"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Add what is ours to a server that is about to serve."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_is_for_people)
    _answer_own_names_only(app)
    app.web_app.default_router.rules.insert(1, Rule(_NotebookOnPhone(), _ToSingleDocument, {}, "phone"))
    app.web_app.default_router.rules.insert(1, Rule(PathMatches(STYLE_PATH), _Style))
    environment = app.web_app.settings["jinja2_env"]
    environment.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), environment.loader])
    originals = os.environ.get(ORIGINALS, "")
    if originals:
        for line in bring_copies(Path(originals), Path(app.root_dir) / "notebooks"):
            app.log.warning(messages.NOTEBOOK_COPIES, line)


def _is_for_people(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(part in text for part in NOT_FOR_PEOPLE)


def _answer_own_names_only(app: ServerApp) -> None:
    """Refuse names that are not ours, against DNS rebinding.

    Jupyter's own check is off where it listens at all addresses, as in a container, and where it is on it refuses every
    address but this machine's.
    """
    app.web_app.settings["allow_remote_access"] = True
    app.web_app.default_router.rules.insert(0, Rule(_ForeignName(own_names(os.environ)), _Refusal, {}, "foreign name"))


class _NotebookOnPhone(Matcher):
    """Matches a phone's request for a notebook in the full JupyterLab, whose side bars leave it no room there."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        phone = "Mobi" in request.headers.get("User-Agent", "")
        return {} if phone and request.method == "GET" and LAB_NOTEBOOK in request.path else None


class _ToSingleDocument(RequestHandler):
    """Sends the browser to the same notebook alone."""

    def get(self) -> None:
        self.redirect(str(self.request.uri).replace(LAB_NOTEBOOK, PHONE_NOTEBOOK, 1))


class _Style(RequestHandler):
    """Answers with `STYLE`."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.finish(STYLE.read_bytes())


class _ForeignName(Matcher):
    """Matches requests for a name that is not ours."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None if is_own_host(request.headers.get("Host", "localhost"), self._names) else {}


class _Refusal(RequestHandler):
    """Says so, whatever was asked for."""

    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "refused: Jupyter answers to localhost, to IP addresses and to the names of HTTP_NAMES; if this is one of "
            "this machine, add it to HTTP_NAMES in .env, then: docker compose up -d\n"
        )
