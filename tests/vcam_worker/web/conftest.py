"""Fixtures of the HTTP server's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from shared_utils.redact import Redactor
from tests.support.chromium import chromium, new_page
from tests.support.network.http_site import CAM, NOW, SECRET, Clock, FakeBoard, Site
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings


@pytest.fixture
def board() -> FakeBoard:
    return FakeBoard(CAM)


@pytest.fixture
def site(board: FakeBoard) -> Iterator[Site]:
    clock, now = Clock(1000.0), Clock(NOW)
    server = HttpServer(
        HttpSettings(port=0), board, {"versions": {"vcam": "1.2"}}, Redactor([SECRET]), clock=clock, now=now
    )
    server.start()
    yield Site(server, board, clock, now)
    board.gate.set()
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own."""
    with new_page(browser) as opened:
        yield opened
