"""Live HLS streams for tests: segments cut of drawn footage, and a host that publishes them one by one."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.network.hosts import Call, Host, host
from vcam_worker.stream.protocols.hls.playlist import MediaPlaylist, parse_playlist

PLAYLIST = "Content-Type: application/vnd.apple.mpegurl"


@dataclass(frozen=True)
class Piece:
    """A segment that was cut.

    Attributes:
        data: its bytes.
        seconds: its duration.
        span: where it lies in one large file: start and length; None for a file of its own.
    """

    data: bytes
    seconds: float
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Cut:
    """Footage, cut.

    Attributes:
        pieces: the segments.
        section: the initialization section; None for MPEG-TS.
    """

    pieces: list[Piece]
    section: bytes | None = None


def with_sound(video: Path, path: Path) -> Path:
    """Copy a video, with a tone of 440 Hz as AAC beside it."""
    with av.open(str(video)) as given, av.open(str(path), "w") as made:
        source = given.streams.video[0]
        pictures = made.add_stream_from_template(source)
        sound = made.add_stream("aac", rate=48000)
        seconds = 0.0
        for packet in given.demux(source):
            if packet.size and packet.pts is not None:
                seconds = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                packet.stream = pictures
                made.mux(packet)
        for first in range(0, round(seconds * 48000), 1024):
            moments = np.arange(first, first + 1024) / 48000
            frame = av.AudioFrame.from_ndarray(
                np.sin(2 * np.pi * 440 * moments)[None].astype(np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts, frame.time_base = 48000, first, Fraction(1, 48000)
            made.mux(sound.encode(frame))
        made.mux(sound.encode(None))
    return path


def cut(video: Path, folder: Path, *, seconds: float = 1.0, kind: str = "mpegts", offset: float = 0.0) -> Cut:
    """Cut a video at its keyframes.

    Args:
        video: whose packets are copied.
        folder: takes the files; it is made.
        seconds: least duration of a segment.
        kind: ``mpegts``, ``fmp4``, or ``single`` for MPEG-TS in one file.
        offset: seconds by which timestamps are moved.
    """
    folder.mkdir()
    options = {
        "hls_time": str(seconds),
        "hls_list_size": "0",
        "hls_segment_type": "fmp4" if kind == "fmp4" else "mpegts",
        "hls_segment_filename": str(folder / ("all.ts" if kind == "single" else "s%05d.seg")),
        "hls_flags": "single_file" if kind == "single" else "split_by_time",
        "output_ts_offset": str(offset),
    }
    if kind != "single":
        del options["hls_flags"]
    with av.open(str(video)) as given, av.open(str(folder / "x.m3u8"), "w", format="hls", options=options) as made:
        streams = {one.index: made.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    playlist = parse_playlist((folder / "x.m3u8").read_bytes())
    assert isinstance(playlist, MediaPlaylist)
    pieces = []
    for one in playlist.segments:
        whole = (folder / one.piece.uri).read_bytes()
        if one.piece.length is None:
            pieces.append(Piece(whole, one.seconds))
        else:
            span = one.piece.start, one.piece.length
            pieces.append(Piece(whole[span[0] : sum(span)], one.seconds, span))
    section = playlist.segments[0].section
    return Cut(pieces, (folder / section.uri).read_bytes() if section else None)


Answer = Callable[["LiveSite", Call, str], object]
"""Answers one request; gets its head."""


@dataclass
class LiveSite:
    """A host of one live stream, which is published in real time.

    Attributes:
        pieces: the segments, in order; with None where a discontinuity is.
        section: the initialization section.
        window: segments that the playlist lists.
        target: target duration, seconds.
        here: the host.
        lead: seconds of it that are there from the start.
        began: when the host began, monotonic seconds.
        requests: what was requested, and when, monotonic seconds.
        overrides: answers to paths, such as ``/live.m3u8`` or ``/3.seg``, instead of the usual ones.
        tail: lines at the playlist's end.
        frozen: number of segments published at most; None for all.
        numbered_from: media sequence number of the first.
        prefix: what comes before each segment's name.
    """

    pieces: Sequence[Piece | None]
    section: bytes | None = None
    window: int = 5
    target: int = 1
    lead: float = 5.0
    began: float = field(default_factory=time.monotonic)
    overrides: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[float, str]] = field(default_factory=list)
    tail: str = ""
    frozen: int | None = None
    numbered_from: int = 0
    prefix: str = ""
    here: Host = field(init=False)

    @property
    def listed(self) -> list[tuple[int, Piece, bool]]:
        """Number, segment, and whether a discontinuity comes before it."""
        found: list[tuple[int, Piece, bool]] = []
        anew = False
        for one in self.pieces:
            if one is None:
                anew = True
            else:
                found.append((self.numbered_from + len(found), one, anew))
                anew = False
        return found

    @property
    def published(self) -> list[tuple[int, Piece, bool]]:
        """Those that are there by now."""
        passed = time.monotonic() - self.began + self.lead
        found: list[tuple[int, Piece, bool]] = []
        end = 0.0
        for one in self.listed:
            end += one[1].seconds
            if end > passed or (self.frozen is not None and len(found) >= self.frozen):
                break
            found.append(one)
        return found

    @property
    def playlist(self) -> str:
        """The media playlist as of now."""
        there = self.published[-self.window :]
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{self.target}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{there[0][0] if there else self.numbered_from}")
        if self.section:
            lines.append('#EXT-X-MAP:URI="init.mp4"')
        for number, piece, anew in there:
            lines += ["#EXT-X-DISCONTINUITY"] if anew else []
            lines.append(f"#EXTINF:{piece.seconds:.6f},")
            if piece.span:
                lines += [f"#EXT-X-BYTERANGE:{piece.span[1]}@{piece.span[0]}", f"{self.prefix}all.ts"]
            else:
                lines.append(f"{self.prefix}{number}.seg")
        return "\n".join([*lines, *filter(None, [self.tail]), ""])

    def serve(self, call: Call) -> None:
        """Answer requests of one connection."""
        while request := call.request():
            path = request.split()[1]
            self.requests.append((time.monotonic(), path))
            call.host.requests.append(request)
            name = path.partition("?")[0]
            answer = self.overrides.get(name)
            if answer:
                answer(self, call, request)
            elif name.endswith(".m3u8"):
                give(call, self.playlist.encode(), PLAYLIST)
            elif name == "/init.mp4" and self.section:
                give(call, self.section)
            elif name == "/all.ts":
                self._give_range(call, request)
            else:
                number = name.strip("/").removesuffix(".seg")
                found = [piece for one, piece, _ in self.published[-self.window :] if str(one) == number]
                if found:
                    give(call, found[0].data)
                else:
                    call.answer("404 Not Found\r\nContent-Length: 0")

    def _give_range(self, call: Call, request: str) -> None:
        whole = io.BytesIO()
        for _, piece, _ in self.listed:
            whole.write(piece.data)
        line = next(one for one in request.splitlines() if one.lower().startswith("range:"))
        first, _, last = line.partition("=")[2].partition("-")
        part = whole.getvalue()[int(first) : int(last) + 1]
        call.answer(f"206 Partial Content\r\nContent-Length: {len(part)}", part)

    @property
    def url(self) -> str:
        """``host:port/path`` of the playlist."""
        return f"{self.here.url}/live.m3u8"


def give(call: Call, body: bytes, *headers: str) -> None:
    """Answer with a body."""
    call.answer("\r\n".join(["200 OK", *headers, f"Content-Length: {len(body)}"]), body)


@contextmanager
def live(site: LiveSite, ip: str = "127.0.0.1") -> Iterator[LiveSite]:
    """Publish a site's segments from now on, until the block ends."""
    site.began = time.monotonic()
    with host(site.serve, ip) as here:
        site.here = here
        yield site
