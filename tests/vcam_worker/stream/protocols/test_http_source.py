"""Cameras over HTTP on real sockets: MJPEG with odd framing, single pictures, passwords, redirects, hostile answers."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count, pairwise
from pathlib import Path

import pytest

from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.errors import SourceEnded, SourceError, SourceStalled, SourceUnauthorized
from tests.support.hosts import Call, host, jpeg
from tests.support.video import moving_box, noise_background, write_video
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.protocols import pictures

PICTURES = [jpeg(noise_background(160, 120, seed)) for seed in range(5)]
MJPEG = "200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame"
NAME, PASSWORD = "admin", "p@ss/w:rd"


def camera(url: str, fps: float = 5.0) -> Camera:
    return Camera("cam1", f"http://{url}", motion=MotionSettings(fps=fps))


def part(picture: bytes, length: int | None = None) -> bytes:
    told = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + told + b"\r\n" + picture + b"\r\n"


def stream(parts: Iterator[bytes], head: str = MJPEG, step: float = 0.02) -> Callable[[Call], None]:
    def behave(call: Call) -> None:
        call.host.requests.append(call.request())
        call.answer(head)
        for one in parts:
            call.send(one)
            time.sleep(step)

    return behave


def read(url: str, number: int, fps: float = 5.0) -> list[Packet]:
    with connect(camera(url, fps), "any") as connection:
        packets = connection.packets()
        return [next(packets) for _ in range(number)]


def drained(connection: PacketSource) -> tuple[list[Packet], SourceEnded]:
    """Return all packets, and how it ended."""
    got: list[Packet] = []
    try:
        got.extend(connection.packets())
    except SourceEnded as error:
        return got, error
    raise AssertionError("a stream ends by an error")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda number, picture: part(picture, len(picture) + 5000),
        lambda number, picture: part(picture, 10),
        lambda number, picture: part(picture).removeprefix(b"--frame\r\n" if number == 0 else b""),
        lambda number, picture: part(picture).replace(b"--frame", b"--another"),
        lambda number, picture: picture,
    ],
    ids=["length too long", "length too short", "no first boundary", "another boundary", "no multipart at all"],
)
def test_mjpeg_with_odd_framing_is_read(wrong: Callable[[int, bytes], bytes]) -> None:
    with host(stream(wrong(number, PICTURES[number % 5]) for number in range(50))) as here:
        packets = read(f"{here.url}/video", 5)
    assert all(one.data in PICTURES and one.is_keyframe and one.dts is None for one in packets)
    assert len({one.data for one in packets}) == 5
    assert here.calls == 1


@pytest.mark.parametrize(
    "head",
    [
        'multipart/x-mixed-replace; boundary="frame"',
        "multipart/x-mixed-replace; boundary=--frame",
        "multipart/x-mixed-replace",
        "multipart/mixed;boundary=other",
        "video/x-motion-jpeg",
        "image/jpeg",
        "application/octet-stream",
    ],
)
def test_mjpeg_under_any_name_is_read(head: str) -> None:
    with host(stream(map(part, PICTURES * 10), f"200 OK\r\nContent-Type: {head}")) as here:
        assert {one.data for one in read(f"{here.url}/video", 5)} == set(PICTURES)


def test_chunked_mjpeg_with_an_absurd_length_of_all_is_read() -> None:
    def behave(call: Call) -> None:
        call.request()
        call.answer(f"{MJPEG}\r\nTransfer-Encoding: chunked\r\nContent-Length: 1")
        for one in PICTURES * 10:
            data = part(one)
            call.send(b"%x;name=x\r\n" % (len(data) - 100) + data[:-100] + b"\r\n64\r\n" + data[-100:] + b"\r\n")

    with host(behave) as here:
        assert {one.data for one in read(f"{here.url}/video", 5)} == set(PICTURES)


def test_the_end_of_an_mjpeg_stream_is_its_end() -> None:
    with host(stream(map(part, PICTURES))) as here, connect(camera(here.url), "any") as connection:
        got, error = drained(connection)
    assert [one.data for one in got] == PICTURES[1:]
    assert str(error) == "the camera ended the stream"


def snapshot(call: Call, picture: Callable[[int], bytes], head: str = "", keep: bool = True) -> None:
    """Answer each request with one picture."""
    for number in count():
        request = call.request()
        if not request:
            return
        call.host.requests.append(request)
        data = picture(number if keep else call.number)
        call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}{head}", data)
        if not keep:
            return


def test_an_address_that_gives_one_picture_is_polled_over_one_connection() -> None:
    with host(lambda call: snapshot(call, lambda number: PICTURES[number % 5])) as here:
        began = time.monotonic()
        packets = read(f"{here.url}/snapshot.jpg", 6, fps=30)
    assert [one.data for one in packets] == [PICTURES[number % 5] for number in range(6)]
    steps = [later.arrived - one.arrived for one, later in pairwise(packets)]
    assert sum(steps) == pytest.approx(5 / pictures.MAX_POLL_FPS, abs=0.3)
    assert packets[0].arrived >= began
    assert abs(packets[-1].wall - time.time()) < 5
    assert here.calls == 1


@pytest.mark.parametrize("length", [True, False])
def test_a_camera_that_closes_after_each_picture_is_polled(length: bool) -> None:
    def behave(call: Call) -> None:
        call.request()
        data = PICTURES[call.number % 5]
        told = f"\r\nContent-Length: {len(data)}" if length else ""
        call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nConnection: close{told}", data)

    with host(behave) as here:
        packets = read(f"{here.url}/snapshot.jpg", 3)
    assert [one.data for one in packets] == PICTURES[:3]


def test_a_multipart_answer_with_one_picture_is_polled() -> None:
    def behave(call: Call) -> None:
        call.request()
        call.answer(MJPEG, part(PICTURES[call.number % 5]))

    with host(behave) as here:
        assert [one.data for one in read(f"{here.url}/cgi-bin/snapshot", 3)] == PICTURES[:3]


def test_a_picture_that_stays_the_same_is_kept_once_a_second_by_its_tag_or_its_bytes() -> None:
    def behave(call: Call) -> None:
        while request := call.request():
            call.host.requests.append(request)
            if 'If-None-Match: "one"' in request:
                call.answer('304 Not Modified\r\nETag: "one"')
            else:
                head = f'200 OK\r\nContent-Type: image/jpeg\r\nETag: "one"\r\nContent-Length: {len(PICTURES[0])}'
                call.answer(head, PICTURES[0])

    with host(behave) as tagged, host(lambda call: snapshot(call, lambda _: PICTURES[0])) as untagged:
        for here in (tagged, untagged):
            packets = read(f"{here.url}/snapshot.jpg", 3)
            assert {one.data for one in packets} == {PICTURES[0]}
            assert packets[2].arrived - packets[0].arrived == pytest.approx(2 * pictures.REPEAT_S, abs=0.6)
    assert sum("If-None-Match" in one for one in tagged.requests) >= 3


def test_a_length_that_is_longer_than_the_picture_costs_a_connection_and_no_picture() -> None:
    def behave(call: Call) -> None:
        call.request()
        data = PICTURES[call.number % 5]
        call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data) + 500}", data)
        call.request()  # stays open

    with host(behave) as here:
        assert [one.data for one in read(f"{here.url}/snapshot.jpg", 3)] == PICTURES[:3]


def digest_of(request: str) -> dict[str, str]:
    line = next(one for one in request.splitlines() if one.lower().startswith("authorization: digest"))
    return {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', line)}


@pytest.mark.parametrize(("algorithm", "says_stale"), [("MD5", True), ("MD5", False), ("SHA-256", True)])
def test_a_snapshot_behind_a_digest_password_survives_a_stale_nonce(algorithm: str, says_stale: bool) -> None:
    def hashed(text: str) -> str:
        return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()

    def is_right(request: str, nonce: str) -> bool:
        given = digest_of(request)
        first = hashed(f"{NAME}:Camera, 1:{PASSWORD}")
        second = hashed(f"GET:{given['uri']}")
        wanted = hashed(f"{first}:{nonce}:{given['nc']}:{given['cnonce']}:auth:{second}")
        return given["nonce"] == nonce and given["response"] == wanted and given["uri"] in request.splitlines()[0]

    def behave(call: Call) -> None:
        number = 0
        while request := call.request():
            nonce = f"nonce{number // 2}"  # lasts for two pictures
            if "Authorization" in request and is_right(request, nonce):
                data = PICTURES[number % 5]
                number += 1
                call.answer(f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}", data)
            else:
                stale = ", stale=true" if "Authorization" in request and says_stale else ""
                call.answer(
                    '401 Unauthorized\r\nContent-Length: 6\r\nWWW-Authenticate: Basic realm="Camera, 1"\r\n'
                    f'WWW-Authenticate: Digest realm="Camera, 1", nonce="{nonce}", algorithm={algorithm}, '
                    f'qop="auth,auth-int"{stale}',
                    b"denied",
                )

    with host(behave) as here:
        packets = read(f"{NAME}:p%40ss%2Fw%3Ard@{here.url}/snap.jpg?a=1&b=2", 4)
    assert [one.data for one in packets] == PICTURES[:4]
    assert here.calls == 1


def test_a_camera_that_calls_each_nonce_stale_is_not_asked_for_ever() -> None:
    def behave(call: Call) -> None:
        for number in count():
            if not call.request():
                return
            call.host.requests.append("GET")
            challenge = f'Digest realm="x",\r\n nonce="{number}", stale=true'
            call.answer(f"401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0")

    with (
        host(behave) as here,
        pytest.raises(SourceUnauthorized, match="wrong user name or password"),
        connect(camera(f"admin:pw@{here.url}/snapshot.jpg"), "any"),
    ):
        pass
    assert len(here.requests) == 3


def test_a_stream_behind_a_basic_password_is_read_and_a_wrong_one_named() -> None:
    right = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()

    def behave(call: Call) -> None:
        while request := call.request():
            if f"Authorization: Basic {right}" not in request:
                call.answer('401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm="x"')
                continue
            call.answer(MJPEG)
            for one in PICTURES * 5:
                call.send(part(one))

    with host(behave) as here:
        assert len(read(f"{NAME}:p%40ss%2Fw%3Ard@{here.url}/video", 3)) == 3
        for wrong in (f"{NAME}:wrong@{here.url}/video", f"{here.url}/video"):
            with pytest.raises(SourceUnauthorized, match=r"wrong user name or password for http.*check RTSP_URL"):
                read(wrong, 1)


@pytest.mark.parametrize(
    ("head", "body", "says"),
    [
        ("200 OK\r\nContent-Type: text/html", b"<html>login</html>", "a page .text/html., which is no stream"),
        ("200 OK", b"<!doctype html><html></html>", "answers with a page"),
        ("200 OK\r\nContent-Type: application/json", b'{"error": 1}', "answers with a page"),
        ("200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 4", b"oops", "no picture is in it"),
        (MJPEG, b"--frame\r\n\r\nnothing\r\n--frame--\r\n", "no picture is in it"),
        ("200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: 0", b"", "answers with nothing"),
        ("200 OK\r\nContent-Type: video/mp2t", b"\x00\x01\x02garbage" * 9, "its stream cannot be opened"),
        ("404 Not Found\r\nContent-Length: 0", b"", "has no such stream: check the path in RTSP_URL"),
        ("403 Forbidden\r\nContent-Length: 0", b"", "wrong user name or password"),
        ("500 Oh\r\nContent-Length: 0", b"", "answers with an error .HTTP 500."),
        ("200 OK\r\nX: " + "x" * 100_000, b"", "headers that do not end"),
        ("200 OK\r\n" + "X: y\r\n" * 30_000, b"", "headers that do not end"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_stream_is_named_in_one_line(head: str, body: bytes, says: str) -> None:
    def behave(call: Call) -> None:
        call.request()
        call.answer(head, body)

    with host(behave) as here, pytest.raises(SourceError, match=says) as error:
        read(f"{here.url}/video", 1)
    assert "\n" not in str(error.value)


def test_what_is_no_http_and_what_is_silent_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam_worker.stream.opening.OPEN_TIMEOUT_S", 0.5)

    def trickle(call: Call) -> None:
        for letter in "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 1000:
            call.send(letter)
            time.sleep(0.05)

    rtsp = host(lambda call: call.send("RTSP/1.0 400 Bad Request\r\n\r\n"))
    with rtsp as here, pytest.raises(SourceError, match="it is no HTTP"):
        read(here.url, 1)
    for silent in (lambda call: call.request() and call.request(), trickle):
        with host(silent) as here, pytest.raises(SourceStalled, match="accepts the connection, but sends nothing"):
            read(here.url, 1)


def test_a_part_without_an_end_is_given_up_and_a_trickle_is_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    def flood(call: Call) -> None:
        call.request()
        call.answer(MJPEG, part(PICTURES[0]) + part(PICTURES[1]))
        call.send(b"--frame\r\nContent-Length: 2000000000\r\n\r\n", PICTURES[2][:-2])
        while True:
            call.send(bytes(1_000_000))

    def trickle(call: Call) -> None:
        call.request()
        call.answer(MJPEG, part(PICTURES[0]) + part(PICTURES[1]))
        for byte in PICTURES[2]:
            call.send(bytes([byte]))
            time.sleep(0.01)

    for behave, kind, says in (
        (flood, SourceError, "MiB without a whole"),
        (trickle, SourceStalled, "no packet for 1 s"),
    ):
        if behave is trickle:
            monkeypatch.setattr("vcam_worker.stream.protocols.pictures.STALL_TIMEOUT_S", 1.0)
        with host(behave) as here, connect(camera(here.url), "any") as connection:
            packets = connection.packets()
            next(packets)
            with pytest.raises(kind, match=says):
                next(packets)


@pytest.mark.parametrize("while_opening", [True, False])
def test_a_container_that_trickles_is_a_stall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, while_opening: bool
) -> None:
    monkeypatch.setattr("vcam_worker.stream.opening.STALL_TIMEOUT_S", 1.0)
    monkeypatch.setattr("vcam_worker.stream.opening.OPEN_TIMEOUT_S", 1.0 if while_opening else 10.0)
    data = write_video(tmp_path / "a.ts", moving_box(320, 180, side=20), seconds=4).read_bytes()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: video/mp2t", data[:188] if while_opening else data)
        while True:
            call.send(b"\x47")
            time.sleep(0.1)

    def play() -> None:
        with connect(camera(here.url), "any") as connection:
            for _ in connection.packets():
                pass

    with (
        host(behave) as here,
        pytest.raises(SourceStalled, match="no picture parameters" if while_opening else "for 1 s"),
    ):
        play()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_on_the_same_host_alone(status: int) -> None:
    def away(location: str) -> Callable[[Call], None]:
        def behave(call: Call) -> None:
            while request := call.request():
                if "/there" in request.splitlines()[0]:
                    call.answer(MJPEG)
                    for one in PICTURES * 5:
                        call.send(part(one))
                    return
                call.answer(f"{status} Moved\r\nLocation: {location}\r\nContent-Length: 0")

        return behave

    with host(stream(map(part, PICTURES * 5))) as same, host(ip="127.0.0.2") as other:
        for location in ("/there?x=1", "there", f"http://{same.url}/video"):
            with host(away(location)) as here:
                assert read(f"{here.url}/video", 1)
        refused = [
            f"http://{other.url}/",
            f"//{other.url}/",
            f"rtsp://{other.url}/",
            f"ftp://{other.url}/",
            "file:///etc/passwd",
        ]
        for location in refused:
            with host(away(location)) as here, pytest.raises(SourceError, match="redirects to"):
                read(f"{here.url}/video", 1)
        with host(away("/video")) as here, pytest.raises(SourceError, match="redirects in a circle"):
            read(f"{here.url}/video", 1)
    assert other.calls == 0


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
    '#EXT-X-KEY:METHOD=AES-128,URI="{other}/key"\n#EXT-X-MAP:URI="{other}/map"\n#EXTINF:2,\n{other}/segment.ts\n',
    "variants": '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{other}/variant.m3u8\n',
    "concat": "ffconcat version 1.0\nfile {other}/one.mp4\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation><BaseURL>{other}/one.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.2\ns=x\nc=IN IP4 127.0.0.2\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "passwd": "#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n",
    "subfile": "ffconcat version 1.0\nfile subfile,,start,0,end,100,,:/etc/passwd\n",
}  # fmt: skip


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("kind", ["video/mp2t", "application/vnd.apple.mpegurl", "", "application/sdp"])
def test_a_list_of_other_addresses_is_refused_and_none_is_called(name: str, kind: str) -> None:
    with host(ip="127.0.0.2") as other:
        body = PLAYLISTS[name].replace("{other}", f"http://{other.url}").encode()

        def behave(call: Call) -> None:
            call.request()
            call.answer(f"200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}", body)

        with host(behave) as here, pytest.raises(SourceError):
            read(f"{here.url}/live", 1)
    assert other.calls == 0


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_list_under_the_name_of_a_video_file_is_refused(name: str, tmp_path: Path) -> None:
    with host(ip="127.0.0.2") as other:
        path = tmp_path / "clip.mp4"
        path.write_text(PLAYLISTS[name].replace("{other}", f"http://{other.url}"))
        with pytest.raises(SourceError, match="cannot be opened as video"):
            connect(Camera("cam1", str(path)), "any")
    assert other.calls == 0


def test_a_colon_in_a_files_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "a.mp4", moving_box(160, 120, side=20), seconds=1).rename(tmp_path / "12:30:00.mp4")
    monkeypatch.chdir(tmp_path)
    with connect(Camera("cam1", "12:30:00.mp4"), "any", paced=False) as connection:
        assert connection.info.codec == "h264"


@pytest.mark.parametrize("suffix", ["ts", "flv"])
def test_a_container_over_http_is_read_without_the_library_opening_anything(tmp_path: Path, suffix: str) -> None:
    data = write_video(tmp_path / f"a.{suffix}", moving_box(320, 180, side=20), seconds=4).read_bytes()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: application/octet-stream", data)

    with host(behave) as here, closing(connect(camera(here.url), "any")) as connection:
        assert (connection.info.codec, connection.info.transport) == ("h264", "http")
        got, _ = drained(connection)
    assert len(got) == 40
    assert got[-1].dts - got[0].dts == pytest.approx(3.9)


@pytest.mark.parametrize("size", [(16000, 16000), (65500, 65500)])
def test_a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    width, height = size
    huge = bytearray(PICTURES[0])
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = height.to_bytes(2) + width.to_bytes(2)
    says = f"its pictures are {width}×{height}, more than 8K"
    with host(stream(map(part, [bytes(huge)] * 20))) as here, pytest.raises(SourceError, match=says):
        read(here.url, 1)


def test_nobody_there_is_said_as_for_any_camera() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SourceError, match="refuses the connection: is the camera on"):
            read(f"127.0.0.1:{unused.getsockname()[1]}/x", 1)
