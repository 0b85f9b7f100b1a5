"""RTSP cameras that speak in ways of their own are recorded all the same."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator

import pytest

from devtools.rtsp.camera import RtspCamera, Send, Speak
from devtools.rtsp.rtp import VIDEO_CLOCK_HZ, access_units, nal_units, parameter_sets
from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceUnauthorized
from tests.support.footage.video import moving_box, write_video
from vcam_worker.stream.opening import connect

RATE = 25
HURRY = 10
"""Times as fast as in reality pictures are sent: the video library looks at some before it begins."""
PICTURES = 40
"""Pictures that a test reads."""
PACKET = b"$\0\0\x0c\x80\x7f" + bytes(10)
"""Of a payload that was never announced."""


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = write_video(tmp_path_factory.mktemp("film") / "film.mp4", moving_box(320, 180, side=20), seconds=8, fps=RATE)
    return [unit for unit, _ in access_units(path)]


def camera_of(units: list[bytes], speak: Speak, hurry: float = HURRY) -> RtspCamera:
    def script() -> Iterator[Send]:
        for number, unit in enumerate(units):
            yield Send(number / RATE / hurry, "video", unit, number * VIDEO_CLOCK_HZ // RATE)

    return RtspCamera(script, parameter_sets(nal_units(units[0])), sound="", speak=speak)


def pictures(camera: RtspCamera, user: str = "", count: int = PICTURES) -> int:
    """Return how many pictures of the first `count` come."""
    with connect(Camera("cam1", camera.url.replace("://", f"://{user}")), "tcp") as connection:
        for number, _ in enumerate(connection.packets(), 1):
            if number == count:
                return number
    return 0


def methods(camera: RtspCamera) -> list[str]:
    return [request.split(" ")[0] for request in camera.requests]


def with_header(answer: bytes, name: str, value: str | None) -> bytes:
    """Return the answer with another value of a header; without it for None."""
    line = b"" if value is None else f"{name}: {value}\r\n".encode()
    return re.sub(rf"(?im)^{name}:.*\r\n".encode(), lambda _: line, answer)


def header(name: str, value: str | None) -> Speak:
    return lambda _, answer: with_header(answer, name, value)


def control(value: str) -> Speak:
    """Have the description name the video's address in another way."""

    def speak(_: str, answer: bytes) -> bytes:
        head, end, body = answer.partition(b"\r\n\r\n")
        body = body.replace(b"a=control:video", b"a=control:" + value.encode())
        return with_header(head + end, "Content-Length", str(len(body))) + body if body else answer

    return speak


def at(method: str, change: Callable[[bytes], bytes]) -> Speak:
    return lambda request, answer: change(answer) if request.startswith(method) else answer


def late(_: str, answer: bytes) -> bytes:
    time.sleep(1)
    return answer


def lower_case(_: str, answer: bytes) -> bytes:
    return re.sub(rb"(?m)^[A-Z][A-Za-z-]*: ", lambda name: name[0].lower().strip(), answer)


def line_feeds(request: str, answer: bytes) -> bytes:
    head, end, body = answer.partition(b"\r\n\r\n")
    return (head + end).replace(b"\r\n", b"\n") + body


def folded(_: str, answer: bytes) -> bytes:
    begun = re.sub(rb"(?m)^(Transport|Session|Content-Base): ", rb"\1:\r\n  ", answer)
    return begun.replace(b";inter", b";\r\n\tinter")


def with_own_requests(request: str, answer: bytes) -> bytes:
    if request.startswith("RTSP/"):
        return b""
    ping = b"PING rtsp://x/ RTSP/1.0\r\nCSeq: 900\r\nSession: 1\r\n\r\n"
    news = b"ANNOUNCE rtsp://x/ RTSP/1.0\r\nCSeq: 901\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    return ping + news + answer


def with_interim(_: str, answer: bytes) -> bytes:
    return answer.splitlines()[0].replace(b"200 OK", b"100 Continue") + b"\r\nCSeq: 1\r\n\r\n" + answer


INFO = b'\r\nRTP-Info: url=track9;seq=;rtptime=-5, ;;,url="rtsp://a,b/;seq=1";seq=99999999999;rtptime=x\r\n\r\n'
WAYS: dict[str, Speak] = {
    "headers in lower case": lower_case,
    "lines without carriage return": line_feeds,
    "folded headers": folded,
    "no CSeq": header("CSeq", None),
    "a CSeq of its own": header("CSeq", "0"),
    "CSeq with zeros": lambda _, answer: answer.replace(b"CSeq: ", b"CSeq: 000"),
    "requests of its own": with_own_requests,
    "100 Continue": with_interim,
    "no reason": lambda _, answer: answer.replace(b" 200 OK", b" 200"),
    "RTSP/2.0": lambda _, answer: answer.replace(b"RTSP/1.0", b"RTSP/2.0"),
    "empty lines and zeros in between": lambda _, answer: answer + b"\r\n\r\n\0\0",
    "a body longer than announced": at("DESCRIBE", lambda answer: answer + b"\r\nm=x RTP/AVP 96\r\n"),
    "packets around the answer to PLAY": at("PLAY", lambda answer: PACKET + answer + PACKET),
    "PLAY answered late": lambda request, answer: late(request, answer) if request.startswith("PLAY") else answer,
    "an odd RTP-Info": at("PLAY", lambda answer: answer.replace(b"\r\n\r\n", INFO, 1)),
    "an odd Session": header("Session", "  a-b_c$d.e+f%20;timeout=60 ; x=y"),
    "no Content-Type": header("Content-Type", None),
    "no Content-Base": header("Content-Base", None),
    "an empty Content-Base": header("Content-Base", ""),
    "a relative Content-Base": header("Content-Base", "cam/"),
    "a Content-Base of a path": header("Content-Base", "/cam/"),
    "a Content-Base of another port": header("Content-Base", "rtsp://127.0.0.1:5540/cam/"),
    "a Content-Base of a host name": header("Content-Base", "rtsp://camera.local/cam/"),
    "control with a query": control("video?x=1&y=video"),
    "control of another port": control("rtsp://127.0.0.1:99/cam/video"),
    "control of a host name": control("rtsp://camera.local/video"),
    "control of a path": control("/video"),
    "control *": control("*"),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_camera_sends_comes_through_in_whatever_way_it_speaks(units: list[bytes], way: str) -> None:
    with camera_of(units, WAYS[way]) as camera:
        assert pictures(camera) == PICTURES
    if way == "requests of its own":
        assert sum(one.startswith("RTSP/1.0 501") for one in camera.requests) >= 8  # each is answered


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def is_right(request: str, nonce: str) -> bool:
    """Tell whether a request carries the digest of admin's password, pw."""
    line = next((one for one in request.split("\r\n") if one.lower().startswith("authorization: digest")), "")
    found = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', line)
    fields = {name: quoted or bare for name, quoted, bare in found}
    method, uri = request.split(" ")[:2]
    if fields.get("nonce") != nonce or fields["uri"] != uri:
        return False
    first = md5(f"admin:{fields['realm']}:pw")
    if fields.get("algorithm") == "MD5-sess":
        first = md5(f"{first}:{nonce}:{fields['cnonce']}")
    middle = f"{nonce}:{fields['nc']}:{fields['cnonce']}:auth" if "qop" in fields else nonce
    return fields["response"] == md5(f"{first}:{middle}:{md5(f'{method}:{uri}')}")


def guarded(challenge: str, *, changes: bool = False, accepts: bool = True) -> Speak:
    """Answer 401 with `challenge` unless a request has the right digest; the nonce may change with each request."""
    number = 0

    def speak(request: str, answer: bytes) -> bytes:
        nonlocal number
        nonce = f"nonce{number}"
        number += changes
        if request.startswith("OPTIONS") or (accepts and is_right(request, nonce)):
            return answer
        challenged = challenge.replace("NONCE", f"nonce{number}").encode()
        return b"\r\n".join([b"RTSP/1.0 401 Unauthorized", answer.splitlines()[1], challenged, b"", b""])

    return speak


CHALLENGES = {
    "both": 'WWW-Authenticate: Basic realm="x"\r\nWWW-Authenticate: Digest realm="y", nonce="NONCE"',
    "both in one line": 'WWW-Authenticate: Basic realm="x", Digest realm="y", nonce="NONCE", qop="auth,auth-int"',
    "lower case": 'www-authenticate:digest realm="y",nonce="NONCE",algorithm="MD5",stale=FALSE',
    "folded": 'WWW-Authenticate: Digest realm="y",\r\n  nonce="NONCE",\r\n\tqop="auth"',
    "MD5-sess": 'WWW-Authenticate: Digest realm="y", nonce="NONCE", qop="auth", algorithm=MD5-sess',
    "a scheme in a realm": 'WWW-Authenticate: Digest realm="Login, Basic realm", nonce="NONCE"',
    "unknown ones too": 'WWW-Authenticate: Negotiate, Digest realm="z", nonce="no", algorithm=SHA-512-256\r\n'
    'WWW-Authenticate: Digest realm="y", nonce="NONCE"',
}


@pytest.mark.parametrize("kind", CHALLENGES)
def test_a_password_is_answered_however_it_is_asked_for(units: list[bytes], kind: str) -> None:
    with camera_of(units, guarded(CHALLENGES[kind])) as camera:
        assert pictures(camera, "admin:pw@") == PICTURES


@pytest.mark.parametrize("stale", ["", ", stale=true"])
def test_a_nonce_may_change_with_each_request(units: list[bytes], stale: str) -> None:
    challenge = f'WWW-Authenticate: Digest realm="y", nonce="NONCE"{stale}'
    with camera_of(units, guarded(challenge, changes=True)) as camera:
        assert pictures(camera, "admin:pw@") == PICTURES


def test_a_camera_that_calls_each_nonce_stale_is_not_asked_for_ever(units: list[bytes]) -> None:
    challenge = 'WWW-Authenticate: Digest realm="y", nonce="NONCE", stale=true'
    with (
        camera_of(units, guarded(challenge, changes=True, accepts=False)) as camera,
        pytest.raises(SourceUnauthorized, match="wrong user name or password"),
    ):
        pictures(camera, "admin:pw@")
    assert methods(camera).count("DESCRIBE") == 3


def test_a_session_is_kept_alive_and_ended(units: list[bytes]) -> None:
    with camera_of(units, header("Session", "77;timeout=2"), hurry=2.5) as camera:
        count = len(units) - 1  # nothing may be left unread at the end, or TCP forgets the last request
        assert pictures(camera, count=count) == count
        deadline = time.monotonic() + 10
        while methods(camera)[-1] != "TEARDOWN" and time.monotonic() < deadline:
            time.sleep(0.01)
    assert methods(camera).count("GET_PARAMETER") >= 1
    assert methods(camera)[-1] == "TEARDOWN"


def test_a_port_where_http_is_spoken_is_named(units: list[bytes]) -> None:
    with (
        camera_of(units, lambda *_: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as camera,
        pytest.raises(SourceError, match=f"{camera.url} speaks HTTP at this port, not RTSP: check the port"),
    ):
        pictures(camera)
