"""HLS and files of strangers: they lead nowhere but where they may, and cost no more than is bounded."""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import pytest

from shared_utils.config.cameras import Camera
from shared_utils.errors import ClipError, SourceError
from shared_utils.media.frames import ClipReader
from tests.support.footage.hls import Cut, LiveSite, cut, give, live
from tests.support.footage.video import moving_box, write_video
from tests.support.network.hosts import Call, Host, host
from tests.support.watched_file import WatchedFile, watched
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source_errors import Timeouts

pytestmark = pytest.mark.slow

KIND = "Content-Type: application/vnd.apple.mpegurl"
SHORT = Timeouts(open_s=3.0, stall_s=2.0)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    return write_video(folder / "video.mp4", moving_box(160, 120, side=20), seconds=30, fps=10, gop=10)


@pytest.fixture(scope="module")
def ts(video: Path) -> Cut:
    return cut(video, video.parent / "ts")


def read(
    url: str,
    count: int = 1,
    *,
    is_inside: Callable[[str], bool] = lambda _: True,
    timeouts: Timeouts = SHORT,
) -> list[Packet]:
    """Return so many packets of a stream."""
    with connect(Camera("cam1", url), "any", timeouts=timeouts, is_inside=is_inside) as connection:
        packets = connection.packets()
        return [next(packets) for _ in range(count)]


class Pages:
    """A camera that gives one body to all requests, or one for each, by their count."""

    def __init__(self, body: Callable[[int], bytes] | bytes, *headers: str) -> None:
        self._body = body
        self._headers = headers or (KIND,)
        self.count = 0

    def __call__(self, call: Call) -> None:
        while call.request():
            self.count += 1
            give(call, self._body if isinstance(self._body, bytes) else self._body(self.count), *self._headers)


def growing(lines: str) -> Callable[[int], bytes]:
    """Return playlists that change from request to request, of two segments with `lines` before each URI."""

    def body(count: int) -> bytes:
        head = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{count}\n"
        return (head + f"#EXTINF:1,\n{lines}\n" * 2).encode()

    return body


# -- where a playlist may lead


@pytest.fixture
def other() -> Iterator[Host]:
    """Another host, that nobody is to call."""
    with host(ip="127.0.0.2") as found:
        yield found


def elsewhere(site: LiveSite, what: str, url: str) -> None:
    """Let a stream lead to a URL by its segments, and so on."""
    match what:
        case "segments":
            site.prefix = f"{url}/"
        case "section":
            site.section = b"x"
            playlist = LiveSite.playlist.fget  # type: ignore[attr-defined]
            site.overrides["/live.m3u8"] = lambda here, call, _: give(
                call, playlist(here).replace('URI="init.mp4"', f'URI="{url}/init.mp4"').encode(), KIND
            )
        case "variant":
            master = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}/live.m3u8\n"
            site.overrides["/live.m3u8"] = lambda _, call, __: give(call, master.encode(), KIND)
        case "redirects":
            for number in range(30):
                site.overrides[f"/{number}.seg"] = lambda _, call, __: call.answer(
                    f"302 Found\r\nLocation: {url}/0.seg\r\nContent-Length: 0"
                )


LEADS = ["segments", "section", "variant", "redirects"]


@pytest.mark.parametrize("what", LEADS)
def test_a_private_camera_leads_to_no_other_host(ts: Cut, other: Host, what: str) -> None:
    with live(LiveSite(ts.pieces)) as site:
        elsewhere(site, what, f"http://{other.url}")
        with pytest.raises(SourceError, match=r"another host .*, which is not followed") as error:
            read(f"http://{site.url}")
    assert other.calls == 0
    assert "\n" not in str(error.value)


def inner(address: str) -> bool:
    """Take 127.0.9.0/24 and ::1 for our own network, and the rest of 127.0.0.0/8 for the internet."""
    return address.startswith("127.0.9.") or ":" in address


def test_a_public_camera_leads_to_public_hosts_alone(ts: Cut) -> None:
    with live(LiveSite(ts.pieces)) as site, live(LiveSite(ts.pieces), "127.0.0.2") as edge:
        site.prefix = f"http://{edge.here.url}/"
        assert len(read(f"http://{site.url}", 15, is_inside=inner)) == 15
        assert edge.here.calls == 1
    with host(ip="127.0.9.1") as private, live(LiveSite(ts.pieces)) as site:
        for what in LEADS[:3]:
            site.overrides.clear()
            elsewhere(site, what, f"http://{private.url}")
            with pytest.raises(SourceError, match="in a private network, which is not followed"):
                read(f"http://{site.url}", is_inside=inner)
    assert private.calls == 0


def test_the_address_counts_that_a_name_has_when_it_is_connected_to(ts: Cut) -> None:
    with host(ip="127.0.0.1") as private, live(LiveSite(ts.pieces), "127.0.0.2") as site:
        site.prefix = f"http://localhost:{private.port}/"
        with pytest.raises(SourceError, match="leads to localhost in a private network"):
            read(f"http://{site.url}", is_inside=lambda address: address in {"127.0.0.1", "::1"})
    assert private.calls == 0


def test_link_local_addresses_are_never_asked(ts: Cut) -> None:
    with live(LiveSite(ts.pieces)) as site:
        site.prefix = "http://169.254.169.254/latest/meta-data/"
        for is_inside in (lambda _: True, lambda address: not address.startswith("127.")):
            with pytest.raises(SourceError, match="which is not followed"):
                read(f"http://{site.url}", is_inside=is_inside)


# -- passwords and cookies


def test_a_password_goes_to_the_cameras_own_host_alone(ts: Cut) -> None:
    secret = base64.b64encode(b"admin:p@ss").decode()

    def asks(site: LiveSite, call: Call, request: str) -> None:
        if f"Authorization: Basic {secret}" in request:
            give(call, site.playlist.encode(), KIND, "Set-Cookie: session=abc; Path=/; HttpOnly")
        else:
            call.answer('401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm="x"')

    with live(LiveSite(ts.pieces), "127.0.0.2") as edge, live(LiveSite(ts.pieces)) as site:
        site.overrides["/live.m3u8"] = asks
        site.prefix = f"http://thief:p@{edge.here.url}/"
        assert len(read(f"http://admin:p%40ss@{site.url}", 15, is_inside=inner)) == 15
        assert edge.here.requests
        for request in edge.here.requests:
            assert "authorization" not in request.lower()
            assert "cookie" not in request.lower()
        assert "Cookie: session=abc" in site.here.requests[-1]
        site.prefix = ""
        assert len(read(f"http://admin:p%40ss@{site.url}", 15)) == 15
        segments = [one for one in site.here.requests if ".seg" in one]
        assert segments
        assert all(f"Basic {secret}" in one and "session=abc" in one for one in segments)
        assert not any("gzip" in one for one in site.here.requests)


def test_tokens_of_a_url_stay_with_it_as_in_browsers(ts: Cut) -> None:
    master = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive/index.m3u8?token=2\n"
    with live(LiveSite(ts.pieces)) as site:
        site.overrides["/live.m3u8"] = lambda _, call, __: give(call, master, KIND)
        site.overrides["/live/index.m3u8"] = lambda here, call, _: give(call, here.playlist.encode(), KIND)
        site.prefix = "../"
        assert read(f"http://{site.url}?token=1")
        paths = [path for _, path in site.requests]
    assert paths[:2] == ["/live.m3u8?token=1", "/live/index.m3u8?token=2"]
    assert {path for path in paths if ".seg" in path} <= {f"/{number}.seg" for number in range(30)}


# -- playlists


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (growing("file:///etc/passwd"), "names 'file:///etc/passwd', which is no URL of HTTP"),
        (growing("concat:http://127.0.0.2/a|file:///etc/passwd"), "which is no URL of HTTP"),
        (growing("crypto+file:///etc/passwd"), "which is no URL of HTTP"),
        (growing("data:video/mp2t;base64,R0c="), "which is no URL of HTTP"),
        (growing("rtsp://127.0.0.2/a"), "which is no URL of HTTP"),
        (growing('#EXT-X-MAP:URI="file:///etc/passwd"\na'), "which is no URL of HTTP"),
        (growing('#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\na'), "is encrypted (AES-128)"),
        (growing("../../../../etc/passwd"), "a segment is neither MPEG-TS nor fragmented MP4"),
        (growing("a.ts"), "a segment is neither MPEG-TS nor fragmented MP4"),
        (growing('#EXT-X-MAP:URI="a"\na'), "a segment is neither MPEG-TS nor fragmented MP4"),
        (lambda _: b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n", "which is no URL of HTTP"),
        (lambda _: b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive.m3u8\n", "lists variants where segments should be"),
        (lambda _: b'#EXTM3U\n#EXT-X-STREAM-INF:CODECS="mp4a.40.2"\na\n', "no variant with video"),
        (lambda _: b"#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=99999x99999\na\n", "no variant with video of at most 8K"),
        (lambda _: b"#EXTM3U\n#EXTINF:NaN,\na.ts\n", "a duration of 'NaN'"),
        (lambda _: b"#EXTM3U\n#EXT-X-TARGETDURATION:-1\n#EXTINF:1,\na.ts\n", "a target duration of '-1'"),
        (lambda _: b"#EXTM3U\n#EXTINF:1,\na.ts\n" * 9 + b"#EXT-X-ENDLIST", "has ended (EXT-X-ENDLIST)"),
        (lambda _: b"#EXTM3U\n" + b"#EXTINF:1,\na\n" * 60_000, "more than 20000 segments"),
        (lambda _: b"#EXTM3U\n#" + b"x" * 3_000_000, "a line of 3000001 characters"),
        (lambda _: b"#EXTM3U\n" + b"#EXTINF:1,\na\n" * 1_000_000, "more than 4194304 bytes"),
        (lambda _: b"not one", "does not begin with #EXTM3U"),
        (lambda _: b"\x1f\x8b\x08\x00", "does not begin with #EXTM3U|no text"),
    ],
)
def test_a_hostile_playlist_is_named_in_one_line(body: Callable[[int], bytes], says: str) -> None:
    began = time.process_time()
    with host(Pages(body)) as here, pytest.raises(SourceError) as error:
        read(f"http://{here.url}/live.m3u8")
    assert any(one in str(error.value) for one in says.split("|"))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    assert time.process_time() - began < 5


@pytest.mark.parametrize("headers", [(KIND, "Content-Encoding: gzip"), (KIND, "Content-Encoding: br")])
def test_a_coding_that_was_not_asked_for_is_refused(headers: tuple[str, str]) -> None:
    with host(Pages(growing("a.ts"), *headers)) as here, pytest.raises(SourceError, match="which was not asked for"):
        read(f"http://{here.url}/live.m3u8")


def test_a_playlist_without_an_end_is_given_up() -> None:
    sent = 0

    def endless(call: Call) -> None:
        nonlocal sent
        call.request()
        call.answer(f"200 OK\r\n{KIND}", b"#EXTM3U\n#")
        with suppress(OSError):
            while True:
                call.send(bytes(1_000_000))
                sent += 1_000_000

    def trickle(call: Call) -> None:
        call.request()
        call.answer(f"200 OK\r\n{KIND}", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n")
        while True:
            call.send(b"#\n")
            time.sleep(0.05)

    with host(endless) as here, pytest.raises(SourceError, match="more than 4194304 bytes"):
        read(f"http://{here.url}/live.m3u8")
    assert sent < 32_000_000
    with host(trickle) as here, pytest.raises(SourceError, match="does not come in time"):
        read(f"http://{here.url}/live.m3u8")


@pytest.mark.parametrize("kind", [KIND, "Content-Type: text/plain", "Content-Type: application/octet-stream"])
@pytest.mark.parametrize("path", ["live.m3u8", "stream", "x.php?a=b"])
def test_a_playlist_is_known_by_its_content(ts: Cut, kind: str, path: str) -> None:
    with live(LiveSite(ts.pieces)) as site:
        site.overrides[f"/{path.partition('?')[0]}"] = lambda here, call, _: give(call, here.playlist.encode(), kind)
        with connect(Camera("cam1", f"http://{site.here.url}/{path}"), "any") as connection:
            assert connection.info.transport == "hls"


def test_a_target_duration_of_nothing_is_a_second(ts: Cut) -> None:
    with live(LiveSite(ts.pieces, target=0)) as site:
        assert read(f"http://{site.url}", 12)
    loads = [at for at, path in site.requests if path.endswith(".m3u8")]
    assert len(loads) < 5


# -- whatever is sent: no file, and no other protocol


def with_reference(video: Path, path: Path) -> bytes:
    """Return an MP4 whose media lies in another file, by an alias of QuickTime (libavformat/mov.c, mov_read_dref)."""
    name = str(path).encode()
    name += b"\0" * (len(name) % 2)
    alias = bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    alias += struct.pack(">HH", 2, len(name)) + name + struct.pack(">HH", 0xFFFF, 0) + bytes(40)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    data = video.read_bytes()
    at = data.index(b"url \0\0\0\1") - 4
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = data.rindex(box, 0, at) - 4
        (size,) = struct.unpack_from(">I", data, place)
        data = data[:place] + struct.pack(">I", size + len(entry) - 12) + data[place + 4 :]
    return data[:at] + entry + data[at + 12 :]


def baits(target: str, path: Path, video: Path) -> dict[str, bytes]:
    """Return what may lead a reader of media to a URL, or to a local file."""
    texts = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n",
        "key": f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:1,\na.ts\n',
        "variants": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "subfile": f"ffconcat version 1.0\nfile 'subfile,,start,0,end,99,,:{target}'\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        f'<Representation id="1" mimeType="video/mp4"><BaseURL>{target}</BaseURL><SegmentList><SegmentURL media='
        f'"{target}"/></SegmentList></Representation></AdaptationSet></Period></MPD>',
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.2\ns=x\nc=IN IP4 127.0.0.2\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        "ram": f"[playlist]\nFile1={target}\n",
        "asx": f'<ASX version="3.0"><ENTRY><REF HREF="{target}"/></ENTRY></ASX>',
        "redirect": f"RTSPtext\n{target}\n",
    }
    return {**{name: text.encode() for name, text in texts.items()}, "mp4": with_reference(video, path)}


BAITS = ["hls", "key", "variants", "concat", "subfile", "dash", "sdp", "ram", "asx", "redirect", "mp4"]


@pytest.fixture
def canary(tmp_path: Path, video: Path) -> Iterator[WatchedFile]:
    """A video that is not to be opened."""
    with watched(tmp_path / "canary.mp4", video.read_bytes()) as file:
        yield file


@pytest.mark.parametrize("name", BAITS)
def test_nothing_that_a_camera_sends_opens_a_file_or_another_protocol(
    video: Path, ts: Cut, canary: WatchedFile, other: Host, name: str, tmp_path: Path
) -> None:
    for target in (f"file://{canary.path}", str(canary.path), f"http://{other.url}/a.ts", f"tcp://{other.url}"):
        body = baits(target, canary.path, video)[name]
        for kind in ("video/mp4", "application/vnd.apple.mpegurl", "application/dash+xml", "application/sdp"):
            with host(Pages(body, f"Content-Type: {kind}")) as here, suppress(SourceError):
                read(f"http://{here.url}/live", 3, timeouts=replace(SHORT, open_s=0.3))
        with live(LiveSite([replace(one, data=body) for one in ts.pieces if one])) as site, suppress(SourceError):
            read(f"http://{site.url}", 3, timeouts=replace(SHORT, open_s=0.5))
        for suffix in ("mp4", "m3u8", "ts", "sdp", "mpd"):
            path = tmp_path / f"clip.{suffix}"
            path.write_bytes(body)
            with suppress(SourceError), connect(Camera("cam1", str(path)), "any", paced=False) as connection:
                list(connection.packets())
            with suppress(ClipError), ClipReader(path, fps=1) as clip:
                list(clip)
    assert not canary.was_opened
    assert other.calls == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [("hls", {"extension_picky": "0"}), ("concat", {"safe": "0"}), ("mp4", {"enable_drefs": "1"})],
)
def test_the_baits_are_taken_where_nothing_forbids_it(
    video: Path, canary: WatchedFile, name: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / ("bait.m3u8" if name == "hls" else "bait.mp4")
    path.write_bytes(baits(str(canary.path), canary.path, video)[name])
    with suppress(av.FFmpegError), av.open(str(path), options={"use_absolute_path": "1", **options}) as container:
        next(container.demux())
    assert canary.was_opened


def test_the_canary_reports_who_opens_it(canary: WatchedFile) -> None:
    assert not canary.was_opened
    with connect(Camera("cam1", str(canary.path)), "any", paced=False) as connection:
        assert next(connection.packets())
    assert canary.was_opened
