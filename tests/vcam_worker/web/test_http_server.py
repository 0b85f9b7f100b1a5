"""The HTTP server: start, stop, ports and addresses, the date of its responses."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest

from shared_utils.errors import SettingError
from tests.support.network.http_site import Clock, FakeBoard, Site
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings


def test_stopping_is_quick_whoever_waits(site: Site) -> None:
    site.board.gate.clear()
    idle = socket.create_connection(("127.0.0.1", site.port), timeout=10)
    with idle, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(site.ask, "/snapshot/cam1.jpg")
        deadline = time.monotonic() + 10
        while not site.board.asked and time.monotonic() < deadline:
            pass
        began = time.monotonic()
        site.server.stop()
        assert time.monotonic() - began < 1
        assert waiting.result().status == 503
    site.server.stop()
    with pytest.raises(ConnectionRefusedError):
        site.ask("/healthz")
    assert not any(thread.name == "http" for thread in threading.enumerate())


def test_every_answer_carries_the_date_it_was_given(site: Site) -> None:
    dates: list[str] = []
    deadline = time.monotonic() + 20
    while len(set(dates)) < 2:
        dates.append(site.ask("/healthz").headers["date"])
        assert abs(parsedate_to_datetime(dates[-1]).timestamp() - time.time()) < 10
        assert time.monotonic() < deadline


def test_stop_without_start(board: FakeBoard) -> None:
    HttpServer(HttpSettings(), board, {}).stop()


def test_a_port_can_be_taken_again_at_once(board: FakeBoard) -> None:
    first = HttpServer(HttpSettings(port=0), board, {})
    first.start()
    again = Site(first, board, Clock(0), Clock(0))
    again.ask("/healthz")
    first.stop()
    second = HttpServer(HttpSettings(port=again.port), board, {})
    second.start()
    assert again.ask("/").status == 200
    second.stop()


def test_a_busy_port_is_named(site: Site) -> None:
    with pytest.raises(SettingError) as caught:
        HttpServer(HttpSettings(port=site.port), site.board, {}).start()
    assert str(caught.value) == (
        f"HTTP_PORT is {site.port}, which another program uses already on HTTP_HOST 127.0.0.1: "
        "set HTTP_PORT to a free port"
    )


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "not a host", "x" * 100])
def test_a_host_that_is_none_is_named(board: FakeBoard, host: str) -> None:
    with pytest.raises(
        SettingError, match=r"^HTTP_HOST is '.*', which is not an address of this machine: use 127\.0\.0\.1"
    ):
        HttpServer(HttpSettings(host, 0), board, {}).start()


def test_all_addresses(board: FakeBoard) -> None:
    names = frozenset({"vm.lab.example"})
    server = HttpServer(HttpSettings("0.0.0.0", 0, names), board, {})
    server.start()
    try:
        reached = Site(server, board, Clock(0), Clock(0))
        assert server.address == f"http://0.0.0.0:{reached.port}"
        assert reached.ask("/", headers={"Host": "vm.lab.example"}).status == 200
        assert reached.ask("/", headers={"Host": "evil.example"}).status == 421
    finally:
        server.stop()
