"""Playlists of HLS: what is read of them, and what is refused."""

from __future__ import annotations

import time

import pytest

from vcam_worker.stream.info import MAX_PIXELS
from vcam_worker.stream.protocols.hls.playlist import (
    MAX_SEGMENTS,
    MasterPlaylist,
    MediaPlaylist,
    Piece,
    PlaylistError,
    parse_playlist,
    resolved,
)

MEDIA = """\ufeff#EXTM3U\r
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:41
#EXT-X-PART-INF:PART-TARGET=0.33
#EXT-X-MAP:URI="init.mp4",BYTERANGE="700@0"

#EXTINF:6.006,title, with a comma
one.m4s?token=a,b
# a comment
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1
#EXTINF:5
#EXT-X-BYTERANGE:100@50
two.m4s
#EXT-X-KEY:METHOD=NONE
#EXT-X-GAP
#EXTINF:4.5,
#EXT-X-BYTERANGE:10
two.m4s
#EXT-X-PART:DURATION=0.33,URI="part.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="file:///etc/passwd"
"""


def media(text: str) -> MediaPlaylist:
    playlist = parse_playlist(text.encode())
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def test_a_media_playlist_is_read_tag_by_tag() -> None:
    playlist = media(MEDIA)
    one, two, three = playlist.segments
    assert (playlist.target_s, playlist.first, playlist.next, playlist.has_ended) == (6, 41, 44, False)
    assert (one.number, one.piece, one.seconds) == (41, Piece("one.m4s?token=a,b"), 6.006)
    assert one.section == two.section == Piece("init.mp4", 0, 700)
    assert (one.starts_anew, two.starts_anew, three.starts_anew) == (False, True, False)
    assert (one.encryption, two.encryption, three.encryption) == (None, "AES-128", None)
    assert two.piece == Piece("two.m4s", 50, 100)
    assert three.piece == Piece("two.m4s", 150, 10)
    assert (two.is_absent, three.is_absent) == (False, True)
    assert media(MEDIA + "#EXT-X-ENDLIST\n").has_ended


def test_a_delta_update_counts_what_it_skips() -> None:
    playlist = media("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:41\n#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n#EXTINF:4,\na.ts\n")
    assert (playlist.first, playlist.segments[0].number, playlist.next) == (48, 48, 49)


@pytest.mark.parametrize("stated", [True, False])
def test_whether_segments_are_numbered_is_told(stated: bool) -> None:
    tag = "#EXT-X-MEDIA-SEQUENCE:0\n" if stated else ""
    assert media(f"#EXTM3U\n{tag}#EXTINF:4,\na.ts\n").is_numbered == stated


def test_characters_of_a_title_end_no_line() -> None:
    text = "\n \r\n#EXTM3U\r\n#EXTINF:4,one\u2028two\x85three\x0bfour\r\na.ts\r\n"
    assert [one.piece.uri for one in media(text).segments] == ["a.ts"]


@pytest.mark.parametrize(
    ("stated", "target_s"), [("0", 4.0), ("1", 1.0), ("10", 10.0), ("99999999", 20.0), (None, 4.0)]
)
def test_the_target_duration_is_bounded(stated: str | None, target_s: float) -> None:
    tag = f"#EXT-X-TARGETDURATION:{stated}\n" if stated else ""
    assert media(f"#EXTM3U\n{tag}#EXTINF:4,\na.ts\n").target_s == target_s


MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="x",URI="sound.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="in",NAME="y"
#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"
sound.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="in"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080,CODECS="avc1.640028,mp4a.40.2",AUDIO="aac"
high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=4000000,RESOLUTION=1920x1080,CODECS="avc1.640028"
less.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=3840x2160,CODECS="av01.0.12M.08"
other.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=90000000,RESOLUTION=15360x8640,CODECS="hvc1.1.6.L186"
huge.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI="keyframes.m3u8"
"""


def test_the_best_variant_that_clips_can_hold_comes_first() -> None:
    master = parse_playlist(MASTER.encode())
    assert isinstance(master, MasterPlaylist)
    best = master.best_first(MAX_PIXELS)
    assert [one.uri for one in best] == ["high.m3u8", "less.m3u8", "low.m3u8", "other.m3u8"]
    assert [one.has_sound_elsewhere for one in best] == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not begin with #EXTM3U"),
        ("<html>", "does not begin with #EXTM3U"),
        ("#EXTM3U\n", "lists nothing"),
        ("#EXTM3U\na.ts\n", "without a duration"),
        ("#EXTM3U\n#EXTINF:NaN,\na.ts\n", "a duration of 'NaN'"),
        ("#EXTM3U\n#EXTINF:-1,\na.ts\n", "a duration of '-1'"),
        ("#EXTM3U\n#EXTINF:1e9,\na.ts\n", "a duration of '1e9'"),
        ("#EXTM3U\n#EXTINF:inf,\na.ts\n", "a duration of 'inf'"),
        ("#EXTM3U\n#EXTINF:3600,\na.ts\n", "a segment of 3600 s"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:-5\n", "a target duration of '-5'"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:nan\n", "a target duration of 'nan'"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n", "a media sequence of 'x'"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:" + "9" * 5000 + "\n", "a media sequence of '9999"),
        ("#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-MEDIA-SEQUENCE:1\n", "after a segment"),
        ("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=-1\n", "a number of skipped segments of '-1'"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:5\na.ts\n", "byte range without its beginning"),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:-5@1\na.ts\n", "a byte range of '-5@1'"),
        ("#EXTM3U\n#EXT-X-MAP:BYTERANGE=1\n", "without a URI"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:A=1\na\n#EXTINF:1,\nb\n", "variants and segments"),
        ("#EXTM3U\n" + "#EXT-X-STREAM-INF:A=1\na\n" * 300, "more than 200 variants"),
        ("#EXTM3U\n#EXTINF:1,\n" + "a" * 20_000, "a line of 20000 characters"),
        ("#EXTM3U\n" + "#EXTINF:1,\na\n" * 50_000, "more than 20000 segments"),
        ("#EXTM3U\n" + "#\n" * 200_000, "more than 150000 lines"),
        ("#EXTM3U\n\x00\udcff", "no text in UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(text: str, says: str) -> None:
    with pytest.raises(PlaylistError) as error:
        parse_playlist(text.encode("utf-8", "surrogateescape"))
    assert says in str(error.value)
    assert len(str(error.value)) < 200


def test_hostile_lists_of_attributes_take_no_time() -> None:
    text = "#EXTM3U\n" + ("#EXT-X-MAP:" + "A" * 16_000 + "\n") * 100
    began = time.process_time()
    with pytest.raises(PlaylistError):
        parse_playlist(text.encode())
    parse_playlist(("#EXTM3U\n" + "#EXTINF:1,\na\n" * MAX_SEGMENTS).encode())
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("a.ts", "http://h/x/y/a.ts"),
        ("a.ts?n=1", "http://h/x/y/a.ts?n=1"),
        ("../a.ts", "http://h/x/a.ts"),
        ("../../../../../a.ts", "http://h/a.ts"),
        ("/a.ts", "http://h/a.ts"),
        ("?n=1", "http://h/x/y/live.m3u8?n=1"),
        ("//other/a.ts", "http://other/a.ts"),
        ("subfile,,start,0,end,9,,:/etc/passwd", "http://h/x/y/subfile,,start,0,end,9,,:/etc/passwd"),
        ("/etc/passwd", "http://h/etc/passwd"),
        ("https://other:8443/a.ts", "https://other:8443/a.ts"),
    ],
)
def test_uris_are_resolved_as_browsers_do(uri: str, url: str) -> None:
    assert resolved("http://h/x/y/live.m3u8?token=t", uri) == url


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "concat:/etc/passwd|/etc/hosts",
        "subfile:/etc/passwd",
        "data:video/mp2t;base64,Rw==",
        "crypto:http://other/a.ts",
        "crypto+file:///etc/passwd",
        "rtsp://other/a",
        "ftp://other/a",
        "gopher://other/a",
        "http://[::1",
        "http://h:99999/a",
        "http://h:0/a",
    ],
)
def test_only_http_is_ever_a_segment(uri: str) -> None:
    with pytest.raises(PlaylistError, match="no URL of HTTP"):
        resolved("http://h/live.m3u8", uri)
