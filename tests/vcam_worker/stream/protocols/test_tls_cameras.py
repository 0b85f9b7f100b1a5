"""Cameras over TLS, whose certificates are their own: encrypted, and redirected to nothing less."""

from __future__ import annotations

import select
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from devtools.rtsp.camera import RtspCamera, Send
from devtools.rtsp.rtp import VIDEO_CLOCK_HZ, access_units, nal_units, parameter_sets
from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError
from tests.support.footage.video import moving_box, noise_background, write_video
from tests.support.network.hosts import Call, Host, host, jpeg
from vcam_worker.stream.opening import connect
from vcam_worker.stream.protocols.rtsp_relay import RtspRelay
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts

PICTURES = [jpeg(noise_background(160, 120, seed)) for seed in range(5)]
Behave = Callable[[Call], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A camera's: signed by itself, and of a name that is not its address."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl command here")
    folder = tmp_path_factory.mktemp("certificate")
    key, signed = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", signed, "-subj",
         "/CN=camera.example", "-days", "1"], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, key)
    return context


def encrypted(behave: Behave, context: ssl.SSLContext) -> Behave:
    def over_tls(call: Call) -> None:
        with context.wrap_socket(call.socket, server_side=True) as call.socket:
            behave(call)

    return over_tls


def mjpeg(call: Call) -> None:
    call.host.requests.append(call.request())
    call.answer("200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame")
    while True:
        for picture in PICTURES:
            call.send(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", picture, b"\r\n")
            time.sleep(0.02)


def moved(there: str, status: str = "302 Found") -> Behave:
    def behave(call: Call) -> None:
        call.host.requests.append(call.request())
        call.answer(f"{status}\r\nLocation: {there}\r\nContent-Length: 0")

    return behave


def pictures(url: str, number: int = 5, timeouts: Timeouts = TIMEOUTS) -> int:
    with connect(Camera("cam1", url), "tcp", timeouts=timeouts) as connection:
        return len([packet for packet, _ in zip(connection.packets(), range(number), strict=False)])


def test_a_camera_over_https_is_read_whatever_its_certificate(certificate: ssl.SSLContext) -> None:
    with host(encrypted(mjpeg, certificate)) as here:
        assert pictures(f"https://{here.url}/video") == 5


@pytest.mark.parametrize("begins", ["http", "https"])
def test_a_redirect_to_https_on_the_same_host_is_followed(certificate: ssl.SSLContext, begins: str) -> None:
    with host(encrypted(mjpeg, certificate)) as there:
        first = moved(f"https://{there.url}/video")
        with host(first if begins == "http" else encrypted(first, certificate)) as here:
            assert pictures(f"{begins}://{here.url}/") == 5
    assert there.requests[0].startswith("GET /video ")


@pytest.mark.parametrize("begins", ["http", "https"])
def test_a_redirect_to_https_on_another_host_is_refused(certificate: ssl.SSLContext, begins: str) -> None:
    with host(ip="127.0.0.2") as other:
        first = moved(f"https://{other.url}/video")
        with (
            host(first if begins == "http" else encrypted(first, certificate)) as here,
            pytest.raises(SourceError, match="redirects to another host"),
        ):
            pictures(f"{begins}://{here.url}/")
    assert other.calls == 0


def test_a_redirect_from_https_to_http_is_refused(certificate: ssl.SSLContext) -> None:
    with (
        host(mjpeg) as there,
        host(encrypted(moved(f"http://{there.url}/video"), certificate)) as here,
        pytest.raises(SourceError, match="redirects from https to http"),
    ):
        pictures(f"https://{here.url}/")
    assert there.calls == 0


# -- RTSP


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = write_video(tmp_path_factory.mktemp("film") / "film.mp4", moving_box(320, 180, side=20), seconds=4, fps=25)
    return [unit for unit, _ in access_units(path)]


@pytest.fixture
def camera(units: list[bytes]) -> Iterator[RtspCamera]:
    def script() -> Iterator[Send]:
        for number, unit in enumerate(units):
            yield Send(number / 250, "video", unit, number * VIDEO_CLOCK_HZ // 25)

    with RtspCamera(script, parameter_sets(nal_units(units[0])), sound="") as camera:
        yield camera


def to(port: int) -> Behave:
    """Pass everything on to a port, and back."""

    def behave(call: Call) -> None:
        with socket.create_connection(("127.0.0.1", port)) as behind, suppress(OSError):
            ends = {call.socket: behind, behind: call.socket}
            while True:
                for one in select.select(list(ends), [], [], 10)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    ends[one].sendall(data)

    return behave


def sent_to(there: str) -> Behave:
    def behave(call: Call) -> None:
        request = call.request()
        if not request:
            return
        number = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
        call.send(f"RTSP/1.0 302 Moved Temporarily\r\n{number}\r\nLocation: {there}\r\n\r\n")
        call.request()

    return behave


def test_a_camera_over_rtsps_is_read_whatever_its_certificate(camera: RtspCamera, certificate: ssl.SSLContext) -> None:
    with host(encrypted(to(camera.port), certificate)) as here:
        assert pictures(f"rtsps://{here.url}/cam", 40) == 40
    assert all("rtsps://" in one.splitlines()[0] for one in camera.requests)


@pytest.mark.parametrize("begins", ["rtsp", "rtsps"])
def test_a_redirect_to_rtsps_on_the_same_host_is_followed(
    camera: RtspCamera, certificate: ssl.SSLContext, begins: str
) -> None:
    with host(encrypted(to(camera.port), certificate)) as there:
        first = sent_to(f"rtsps://{there.url}/other")
        with host(first if begins == "rtsp" else encrypted(first, certificate)) as here:
            assert pictures(f"{begins}://{here.url}/cam", 40) == 40
    assert there.calls == 1


def test_what_tls_says_for_itself_keeps_no_request_waiting(camera: RtspCamera, certificate: ssl.SSLContext) -> None:
    # with TLS 1.3 a server sends tickets right after the handshake
    with (
        host(encrypted(to(camera.port), certificate)) as here,
        closing(RtspRelay(Camera("cam1", f"rtsps://{here.url}/cam"))) as relay,
    ):
        address, port = relay.url.split("/")[2].split(":")
        with socket.create_connection((address, int(port)), 5) as library:
            time.sleep(0.3)  # they arrive before the first request
            library.sendall(f"OPTIONS {relay.url} RTSP/1.0\r\nCSeq: 7\r\n\r\n".encode())
            assert b"CSeq: 7" in library.recv(1000)


def refused(first: Behave, begins: str, says: str) -> None:
    with host(first) as here, pytest.raises(SourceError, match=says):
        pictures(f"{begins}://{here.url}/cam")


def test_a_redirect_from_rtsps_to_rtsp_or_to_another_host_is_refused(
    camera: RtspCamera, certificate: ssl.SSLContext
) -> None:
    refused(encrypted(sent_to(camera.url), certificate), "rtsps", "redirects from rtsps to rtsp ")
    with host(ip="127.0.0.2") as other:
        refused(encrypted(sent_to(f"rtsps://{other.url}/cam"), certificate), "rtsps", "redirects to another host")
        refused(sent_to(f"rtsps://{other.url}/cam"), "rtsp", "redirects to another host")
    assert other.calls == 0
    assert camera.requests == []


# -- ports where no TLS is spoken


def not_tls(here: Host, scheme: str) -> str:
    with pytest.raises(SourceError) as caught:
        pictures(f"{scheme}://{here.url}/cam", timeouts=Timeouts(open_s=0.5))
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["https", "rtsps"])
def test_a_port_without_tls_is_named(scheme: str) -> None:
    with host(lambda call: call.send("HTTP/1.1 400 Bad Request\r\n\r\n")) as plain:
        assert "does not speak TLS (" in not_tls(plain, scheme)
    with host(lambda call: [call.socket.recv(1000) for _ in range(2)]) as silent:
        began = time.monotonic()
        assert "does not speak TLS (no answer)" in not_tls(silent, scheme)
        assert time.monotonic() - began < 2
    with host(drips) as slow:
        began = time.monotonic()
        assert "does not speak TLS (no answer)" in not_tls(slow, scheme)
        assert time.monotonic() - began < 2


def drips(call: Call) -> None:
    """Begin a record of 16 KiB, and send a byte of it now and then."""
    call.send(b"\x16\x03\x03\x40\x00")
    for _ in range(15):
        call.send(b"\0")
        time.sleep(0.1)
