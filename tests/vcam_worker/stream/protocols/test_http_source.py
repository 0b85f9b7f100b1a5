"""Cameras over HTTP on real sockets: MJPEG with odd framing, single pictures, passwords, redirects, hostile answers."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av
import pytest

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceStalled, SourceUnauthorized
from tests.support.footage.video import moving_box, write_video
from tests.support.network.hosts import Call, host
from tests.support.network.mjpeg import MJPEG, NAME, PASSWORD, PICTURES, camera, drained, part, read, stream
from vcam_worker.stream.opening import connect
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts


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


def test_what_is_no_http_and_what_is_silent_are_named() -> None:
    short = Timeouts(open_s=0.5)

    def trickle(call: Call) -> None:
        for letter in "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 1000:
            call.send(letter)
            time.sleep(0.05)

    rtsp = host(lambda call: call.send("RTSP/1.0 400 Bad Request\r\n\r\n"))
    with rtsp as here, pytest.raises(SourceError, match="it is no HTTP"):
        read(here.url, 1, timeouts=short)
    for silent in (lambda call: call.request() and call.request(), trickle):
        with host(silent) as here, pytest.raises(SourceStalled, match="accepts the connection, but sends nothing"):
            read(here.url, 1, timeouts=short)


def test_a_part_without_an_end_is_given_up_and_a_trickle_is_a_stall() -> None:
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

    for behave, timeouts, kind, says in (
        (flood, TIMEOUTS, SourceError, "MiB without a whole"),
        (trickle, Timeouts(stall_s=1.0), SourceStalled, "no packet for 1 s"),
    ):
        with host(behave) as here, connect(camera(here.url), "any", timeouts=timeouts) as connection:
            packets = connection.packets()
            next(packets)
            with pytest.raises(kind, match=says):
                next(packets)


@pytest.mark.parametrize("while_opening", [True, False])
def test_a_container_that_trickles_is_a_stall(tmp_path: Path, while_opening: bool) -> None:
    timeouts = Timeouts(open_s=1.0 if while_opening else 10.0, stall_s=1.0)
    data = write_video(tmp_path / "a.ts", moving_box(320, 180, side=20), seconds=4).read_bytes()

    def behave(call: Call) -> None:
        call.request()
        call.answer("200 OK\r\nContent-Type: video/mp2t", data[:188] if while_opening else data)
        while True:
            call.send(b"\x47")
            time.sleep(0.1)

    def play() -> None:
        with connect(camera(here.url), "any", timeouts=timeouts) as connection:
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


def test_a_title_that_is_no_utf_8_does_not_matter(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "a.mp4", moving_box(160, 120, side=20), seconds=1)
    titled = tmp_path / "b.mp4"
    with av.open(str(plain)) as given, av.open(str(titled), "w") as made:
        made.metadata["title"] = "titletitle"
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    titled.write_bytes(titled.read_bytes().replace(b"titletitle", b"\xfcbergr\xf6\xdfe"))
    with connect(Camera("cam1", str(titled)), "any", paced=False) as connection:
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


def test_an_unreachable_host_is_reported_as_for_any_camera() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SourceError, match="refuses the connection: is the camera on"):
            read(f"127.0.0.1:{unused.getsockname()[1]}/x", 1)
