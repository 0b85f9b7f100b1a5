"""Clients that take more than their share: half-sent requests, unread answers, many connections; and foreign names."""

from __future__ import annotations

import contextlib
import http.client
import resource
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared_utils.config.web_hosts import is_own_host, own_names
from shared_utils.errors import SettingError
from tests.support.network.http_site import CAM, NOW, Clock, FakeBoard, Site
from tests.support.programs import Programs
from vcam_worker import messages
from vcam_worker.web.server import HttpServer
from vcam_worker.web.settings import HttpSettings
from vcam_worker.web.uvicorn_adapter import HttpLimits

SHORT = HttpLimits(request_timeout_s=0.5, read_timeout_s=0.5)
HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@contextlib.contextmanager
def serving(board: FakeBoard, limits: HttpLimits) -> Iterator[Site]:
    clock, now = Clock(1000.0), Clock(NOW)
    server = HttpServer(HttpSettings(port=0), board, {}, clock=clock, now=now, limits=limits)
    server.start()
    try:
        yield Site(server, board, clock, now)
    finally:
        board.gate.set()
        server.stop()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(FakeBoard(CAM), SHORT) as site:
        yield site


def _is_closed(client: socket.socket, seconds: float) -> bool:
    """Tell whether the server closes the connection within `seconds`, skipping what it still sends."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([client], [], [], left)[0]:
            try:
                if not client.recv(65536):
                    return True
            except ConnectionError:
                return True
    return False


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GE",
        HALF,
        b"POST /snapshot/cache/clear HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc",
        b"POST /snapshot/cache/clear HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nabc",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["nothing", "a method", "a head", "a body", "a chunk", "the second of two", "no second one"],
)
def test_a_request_that_does_not_end_is_dropped_however_often_a_byte_comes(site: Site, beginning: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as client:
        client.sendall(beginning)
        deadline = time.monotonic() + 20
        while not _is_closed(client, 0.1):
            assert time.monotonic() < deadline
            if beginning and not beginning.endswith(b"\r\n\r\n"):
                with contextlib.suppress(ConnectionError):
                    client.send(b"a")
    assert site.ask("/healthz").status == 200


def test_who_waits_for_an_answer_is_not_cut_off(site: Site) -> None:
    site.board.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(site.ask, "/snapshot/cam1.jpg")
        deadline = time.monotonic() + 3 * SHORT.request_timeout_s
        while time.monotonic() < deadline:
            assert site.ask("/healthz").status == 200  # others are answered meanwhile
        site.board.gate.set()
        assert waiting.result().body.startswith(b"jpeg")


def test_a_connection_serves_one_request_after_the_other(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    for _ in range(20):
        connection.request("GET", "/metrics")
        assert connection.getresponse().read()
        time.sleep(SHORT.request_timeout_s / 10)  # longer in all than one request may take
    connection.close()


def test_an_answer_that_is_not_read_is_given_up(site: Site) -> None:
    site.board.size = 20_000_000
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", site.port))
        client.sendall(b"GET /snapshot/cam1.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        time.sleep(3 * SHORT.read_timeout_s)  # the client's own slowness is what is tested
        received = 12
        with contextlib.suppress(ConnectionError):
            while data := client.recv(1 << 20):
                received += len(data)
    assert received < site.board.size


def test_when_there_are_too_many_the_one_that_waits_longest_goes() -> None:
    board = FakeBoard(CAM)
    with serving(board, HttpLimits(max_connections=5)) as site, contextlib.ExitStack() as stack:
        board.gate.clear()
        busy = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=20))
        busy.sendall(b"GET /snapshot/cam1.jpg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        deadline = time.monotonic() + 20
        while not board.asked:
            assert time.monotonic() < deadline
        clients = []
        for _ in range(4):
            clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=20)))
            clients[-1].sendall(HALF)
        assert site.ask("/healthz").status == 200
        assert _is_closed(clients[0], 10)
        assert not any(_is_closed(one, 0.1) for one in clients[1:])
        board.gate.set()
        assert busy.recv(12) == b"HTTP/1.1 200"


def test_two_thousand_half_sent_requests_keep_nobody_from_an_answer(programs: Programs, env: dict[str, str]) -> None:
    wanted, (soft, hard) = 2000, resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted + 500:
        pytest.skip(f"this user may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 500), hard))
    port = int(env["HTTP_PORT"])
    program = programs.python("-m", "vcam_worker", env={**env, "RTSP_URL": "rtsp://127.0.0.1:9/x"})
    program.wait_for(messages.PAGES_SERVED)
    with contextlib.ExitStack() as stack:
        for number in range(wanted):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            client.sendall(HALF)
            if number % 400 == 399:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/healthz")
                assert b"cam1" in connection.getresponse().read()
                connection.close()
    assert program.stop() == 0, program.text
    assert "ERROR" not in program.text
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("LocalHost.:8080", True),
        ("cams.localhost", True),
        ("capture:8080", True),
        ("vcam-capture-1:8080", True),
        ("my_lab-jupyter-2", True),
        ("vcam-capture-1.evil.example", False),
        (f"{socket.gethostname()}:8080", True),
        ("192.168.1.5:8080", True),
        ("[fe80::1]", True),
        ("cams.example.org", True),
        ("Cams.Example.ORG:443", True),
        ("evil.example", False),
        ("capture.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example@localhost", False),
        ("localhost@evil.example", False),
        ("evil.example#localhost", False),
        ("2130706433", False),
        ("localhost:port", False),
        ("[", False),
        ("", False),
    ],
)
def test_names_of_ours(host: str, own: bool) -> None:
    assert is_own_host(host, own_names({"HTTP_NAMES": "vcam.lan, Cams.example.org."})) is own


@pytest.mark.parametrize("wrong", ["http://cams", "cams:8080", "*", "a/b", "bücher"])
def test_what_is_no_name_is_refused(wrong: str) -> None:
    with pytest.raises(SettingError, match="HTTP_NAMES holds"):
        HttpSettings.from_env({"HTTP_NAMES": f"good.example, {wrong}"})
