"""RTSP cameras on real sockets that send us elsewhere, or more than there is room for."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceUnauthorized
from tests.support.network.hosts import Call, Host, host
from vcam_worker.stream.opening import connect
from vcam_worker.stream.protocols.rtsp_messages import Message, ProtocolError, Splitter
from vcam_worker.stream.protocols.rtsp_relay import RtspRelay
from vcam_worker.stream.source_errors import Timeouts

SDP = (
    "v=0\r\no=- 0 0 IN IP4 {ip}\r\ns=x\r\nc=IN IP4 {ip}\r\nt=0 0\r\na=control:*\r\n"
    "m=video 0 RTP/AVP 96\r\nc=IN IP4 {ip}\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\na=control:track1\r\n"
)
METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY")


def reply(request: str, head: str = "200 OK", headers: str = "", body: str = "", length: int | None = None) -> str:
    number = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
    size = len(body) if length is None else length
    length_header = f"Content-Length: {size}\r\n" if size else ""
    return f"RTSP/1.0 {head}\r\n{number}\r\n{headers}{length_header}\r\n{body}"


def ordinary(request: str, call: Call, other: str = "127.0.0.1") -> str:
    """Return what an honest camera answers."""
    method = request.partition(" ")[0]
    if method == "OPTIONS":
        return reply(request, headers="Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n")
    if method == "DESCRIBE":
        base = f"Content-Type: application/sdp\r\nContent-Base: rtsp://{call.host.url}/live/\r\n"
        return reply(request, headers=base, body=SDP.replace("{ip}", other))
    if method == "SETUP":
        wanted = next(line for line in request.splitlines() if line.lower().startswith("transport"))
        more = "" if "TCP" in wanted else f";server_port=6000-6001;source={other}"
        return reply(request, headers=f"Session: 1234;timeout=60\r\n{wanted}{more}\r\n")
    return reply(request, headers="Session: 1234\r\n")


def serve(answer: Callable[[str, Call], str | None]) -> Callable[[Call], None]:
    def behave(call: Call) -> None:
        while request := call.request():
            call.host.requests.append(request)
            call.send(answer(request, call) or ordinary(request, call))

    return behave


def opened(here: Host, transport: str = "tcp", user: str = "") -> None:
    with connect(
        Camera("cam1", f"rtsp://{user}{here.url}/live"), transport, timeouts=Timeouts(open_s=2.0, stall_s=2.0)
    ):
        pass


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", ["301 Moved", "302 Moved Temporarily", "303 See Other", "305 Use Proxy"])
def test_a_redirect_to_another_host_is_refused_at_each_step(method: str, status: str) -> None:
    with host(ip="127.0.0.2") as other:

        def answer(request: str, _: Call) -> str | None:
            if request.startswith(method):
                return reply(request, status, f"Location: rtsp://{other.url}/live\r\n")
            return None

        with (
            host(serve(answer)) as here,
            pytest.raises(SourceError, match="redirects to another host"),
        ):
            opened(here)
        assert here.requests[-1].startswith(method)
    assert other.calls == 0


@pytest.mark.parametrize("location", ["http://{other}/", "rtsps://{other}/", "//{other}/", "file:///etc/passwd", ""])
def test_a_redirect_to_anything_else_is_refused(location: str) -> None:
    with host(ip="127.0.0.2") as other:
        there = location.replace("{other}", other.url)
        behave = serve(lambda request, _: reply(request, "302 Moved", f"Location: {there}\r\n"))
        with host(behave) as here, pytest.raises(SourceError, match="redirects to"):
            opened(here)
    assert other.calls == 0


def test_a_redirect_on_the_same_host_is_followed() -> None:
    with host(serve(lambda *_: None)) as there:

        def answer(request: str, _: Call) -> str | None:
            if request.startswith("DESCRIBE"):
                return reply(request, "302 Moved", f"Location: rtsp://{there.url}/other\r\n")
            return None

        with host(serve(answer)) as here, pytest.raises(SourceError, match="sent no picture parameters"):
            opened(here)  # it plays, but no packet comes
        assert here.calls == 1
    assert any(one.startswith(f"DESCRIBE rtsp://{there.url}/other ") for one in there.requests)
    assert any(one.startswith("PLAY") for one in there.requests)


def test_over_udp_nothing_is_sent_to_another_host_than_the_camera() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as elsewhere, socket.socket(type=socket.SOCK_DGRAM) as camera:
        elsewhere.bind(("127.0.0.2", 0))
        port = elsewhere.getsockname()[1]
        camera.bind(("127.0.0.1", port))

        def answer(request: str, call: Call) -> str | None:
            if request.startswith("DESCRIBE"):
                return ordinary(request, call, "127.0.0.2")
            if not request.startswith("SETUP"):
                return None
            wanted = next(line for line in request.splitlines() if line.lower().startswith("transport"))
            more = f";server_port={port}-{port + 1};source=127.0.0.2;destination=127.0.0.2"
            return reply(request, headers=f"Session: 1234\r\n{wanted}{more}\r\n")

        with host(serve(answer)) as here, pytest.raises(SourceError):
            opened(here, "udp")
        assert any(one.startswith("PLAY") for one in here.requests)
        camera.settimeout(5)
        assert camera.recv(2000)  # which opens the way through a firewall
        elsewhere.settimeout(0.2)
        with pytest.raises(TimeoutError):
            elsewhere.recv(2000)


@pytest.mark.parametrize("method", METHODS)
def test_an_answer_that_announces_more_than_there_is_room_for_is_refused(method: str) -> None:
    def answer(request: str, _: Call) -> str | None:
        return reply(request, length=2_000_000_000) if request.startswith(method) else None

    with host(serve(answer)) as here, pytest.raises(SourceError, match="announces an answer of 2000000000 bytes"):
        opened(here)


@pytest.mark.parametrize(
    "endless", ["RTSP/1.0 200 OK\r\n" + "X: y\r\n" * 30_000, "RTSP/1.0 200 OK\r\nX: " + "y" * 100_000]
)
def test_an_answer_whose_head_has_no_end_is_refused(endless: str) -> None:
    with host(serve(lambda *_: endless)) as here, pytest.raises(SourceError, match="headers that do not end"):
        opened(here)


def test_a_password_is_answered_by_the_relay_and_a_wrong_one_named() -> None:
    seen: list[str] = []

    def answer(request: str, _: Call) -> str | None:
        seen.append(request)
        if "Authorization: Basic YWRtaW46cEBzcw==" in request:
            return None
        return reply(request, "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n')

    with host(serve(answer)) as here:
        with pytest.raises(SourceError, match="sent no picture parameters"):
            opened(here, user="admin:p%40ss@")
        assert any(one.startswith("PLAY") for one in seen)
        with pytest.raises(SourceUnauthorized, match="wrong user name or password"):
            opened(here, user="admin:wrong@")


def test_nobody_else_gets_through_the_relay() -> None:
    with (
        host(serve(lambda *_: None)) as here,
        closing(RtspRelay(Camera("cam1", f"rtsp://a:b@{here.url}/live"))) as relay,
    ):
        address = relay.url.split("/")[2].split(":")
        with socket.create_connection((address[0], int(address[1])), 5) as foreign:
            foreign.sendall(f"OPTIONS rtsp://{relay.url.split('/')[2]}/live RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            foreign.settimeout(5)
            assert foreign.recv(1000) == b""
        assert here.requests == []
        with closing(relay), socket.create_connection((address[0], int(address[1])), 5) as ours:
            ours.sendall(f"OPTIONS {relay.url} RTSP/1.0\r\nCSeq: 7\r\n\r\n".encode())
            ours.settimeout(5)
            assert b"CSeq: 7" in ours.recv(1000)


def test_a_camera_that_closes_is_seen_at_once() -> None:
    with host(lambda call: bool(call.request())) as here:
        began = time.monotonic()
        with pytest.raises(SourceError):
            opened(here)
    assert time.monotonic() - began < 2.5


MESSAGE = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\n\r\nv=0\r\n"
PACKET = b"$\x00\x00\x04abcd"


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_messages_and_packets_are_distinguished(step: int) -> None:
    stream = (
        MESSAGE + PACKET * 3 + b"\x00\x01rubbish" + PACKET + b"GET_PARAMETER rtsp://x/ RTSP/1.0\nCSeq: 1\n\n" + PACKET
    )
    splitter = Splitter()
    items = [item for at in range(0, len(stream), step) for item in splitter.feed(stream[at : at + step])]
    messages = [one for one in items if isinstance(one, Message)]
    assert b"".join(one for one in items if isinstance(one, bytes)) == PACKET * 5
    assert [one.first for one in messages] == ["RTSP/1.0 200 OK", "GET_PARAMETER rtsp://x/ RTSP/1.0"]
    assert (messages[0].status, messages[0].body, messages[0].header("cseq")) == (200, b"v=0\r\n", "3")


def test_a_length_within_the_stream_is_bounded_too() -> None:
    splitter = Splitter()
    with pytest.raises(ProtocolError, match="2000000000"):
        list(splitter.feed(PACKET + b"RTSP/1.0 200 OK\r\nContent-Length: 2000000000\r\n\r\n"))
