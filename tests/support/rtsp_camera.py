"""An RTSP camera (RTP interleaved over TCP) whose every time stamp and moment of sending a test decides."""

from __future__ import annotations

import base64
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av

VIDEO_CLOCK, AUDIO_CLOCK = 90_000, 16_000
AAC_BLOCK = 1024
"""Samples in a block of AAC."""
AAC_SECONDS = AAC_BLOCK / AUDIO_CLOCK
MTU = 1400
NTP_UNIX = 2_208_988_800
"""Seconds from the epoch of NTP to that of Unix."""

Media = Literal["video", "audio"]


@dataclass(frozen=True)
class Send:
    """One frame or block of sound to send.

    Attributes:
        at: seconds after PLAY.
        media: which track.
        data: an access unit in Annex B, or a raw block of AAC.
        stamp: RTP time, in ticks of the track's clock; only its lower 32 bits are sent.
    """

    at: float
    media: Media
    data: bytes
    stamp: int


@dataclass(frozen=True)
class Report:
    """An RTCP sender report: `stamp` of `media` was at `ntp`, seconds since 1970."""

    at: float
    media: Media
    ntp: float
    stamp: int


Script = Callable[[], Iterable[Send | Report]]
Speak = Callable[[str, bytes], bytes]
"""Takes a request's head and the ordinary answer to it; returns what is sent instead."""


def access_units(path: Path) -> list[tuple[bytes, bool]]:
    """Return the frames of an H.264 file in Annex B with their parameter sets, and whether each is a keyframe."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        return [
            (bytes(filtered), packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.size
            for filtered in to_annex_b.filter(packet)
        ]


def aac_blocks(count: int) -> list[bytes]:
    """Return `count` blocks of a quiet tone, raw AAC, mono, 16 kHz."""
    encoder = av.AudioCodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_CLOCK, "mono", "fltp"
    encoder.time_base = Fraction(1, AUDIO_CLOCK)
    blocks: list[bytes] = []
    for number in range(count + 2):
        samples = b"".join(struct.pack("<f", 0.1 * ((number * AAC_BLOCK + one) % 40 < 20)) for one in range(AAC_BLOCK))
        frame = av.AudioFrame(format="fltp", layout="mono", samples=AAC_BLOCK)
        frame.planes[0].update(samples)
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_CLOCK, number * AAC_BLOCK, Fraction(1, AUDIO_CLOCK)
        blocks += [bytes(packet) for packet in encoder.encode(frame)]
    return blocks[:count]


def units_of(access_unit: bytes) -> list[bytes]:
    """Return the NAL units of an access unit in Annex B."""
    parts = access_unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


VIDEO_SDP = (
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1{sprop}\r\na=control:video\r\n"
)
AAC_SDP = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\n"
    "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
    "config=1408\r\na=control:audio\r\n"
)


class RtspCamera:
    """Serves `rtsp://127.0.0.1:PORT/cam`, one viewer at a time, from construction until :meth:`close`.

    Args:
        script: gives what a connection sends, anew for each; a connection ends with its script.
        keyframe: an access unit whose parameter sets go into the SDP.
        sound: media section of the SDP for the sound; empty without.
        before: media sections in front of the video's.
        hold: keep the connection open and silent at the script's end.
        speak: how it answers, where that is not the usual way.
    """

    def __init__(
        self,
        script: Script,
        keyframe: bytes,
        *,
        sound: str = AAC_SDP,
        before: str = "",
        hold: bool = True,
        speak: Speak = lambda _, answer: answer,
    ) -> None:
        self._script = script
        sets = [base64.b64encode(unit).decode() for unit in units_of(keyframe) if unit[0] & 0x1F in {7, 8}]
        sprop = f";sprop-parameter-sets={','.join(sets)}"
        self._sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            + before + VIDEO_SDP.format(sprop=sprop) + sound
        )  # fmt: skip
        self._hold = hold
        self._speak = speak
        self.requests: list[str] = []
        """Heads of all requests."""
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self.viewers = 0
        """Connections that have asked for PLAY."""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> RtspCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving."""
        self._closed.set()
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._closed.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with peer, suppress(OSError):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _Session(peer, self._sdp, self._closed, self._told).run(self._play)

    def _told(self, request: str, answer: bytes) -> bytes:
        self.requests.append(request)
        return self._speak(request, answer)

    def _play(self) -> Iterator[Send | Report | None]:
        self.viewers += 1
        yield from self._script()
        while self._hold and not self._closed.is_set():
            yield None


class _Session:
    """One connection: answers requests, and sends the script from PLAY on."""

    def __init__(self, peer: socket.socket, sdp: str, closed: threading.Event, speak: Speak) -> None:
        self._peer = peer
        self._speak = speak
        self._sdp = sdp
        self._closed = closed
        self._channels: dict[Media, int] = {}
        self._sequence: dict[Media, int] = {"video": 0, "audio": 0}
        self._received = b""

    def run(self, play: Callable[[], Iterator[Send | Report | None]]) -> None:
        self._peer.settimeout(10)
        while not self._answer():
            pass
        began = time.monotonic()
        for item in play():
            due = began + item.at if item else time.monotonic() + 0.05
            while (left := due - time.monotonic()) > 0 and not self._closed.is_set():
                self._peer.settimeout(min(left, 0.2))
                with suppress(TimeoutError):
                    if self._answer():
                        return
            if self._closed.is_set():
                return
            self._peer.settimeout(10)
            if isinstance(item, Send):
                self._send(item)
            elif isinstance(item, Report):
                self._report(item)

    def _answer(self) -> bool:
        """Answer one request; tell whether it was PLAY, or the end of the connection."""
        while b"\r\n\r\n" not in self._received:
            if self._received[:1] == b"$" and len(self._received) >= 4:
                size = 4 + int.from_bytes(self._received[2:4], "big")
                if len(self._received) >= size:
                    self._received = self._received[size:]  # a receiver report
                    continue
            more = self._peer.recv(65536)
            if not more:
                raise ConnectionError("the viewer has left")
            self._received += more
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        lines = head.decode(errors="replace").split("\r\n")
        if lines[0].startswith("RTSP/"):  # an answer to a request of our own
            self._speak(head.decode(errors="replace"), b"")
            return False
        method, url, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        extra, body = "", ""
        if method == "DESCRIBE":
            body = self._sdp
            extra = f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            media: Media = "audio" if url.rstrip("/").endswith("audio") else "video"
            if url.rstrip("/").endswith(("audio", "*")) or "video" in url:
                self._channels[media] = int(headers["transport"].split("interleaved=")[1].split("-")[0])
            extra = f"Transport: {headers['transport']}\r\n"
        elif method == "OPTIONS":
            extra = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        session = "" if method in {"OPTIONS", "DESCRIBE"} else "Session: 1\r\n"
        answer = f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{session}{extra}\r\n{body}".encode()
        said = self._speak(head.decode(errors="replace"), answer)
        self._peer.sendall(said)
        if method == "TEARDOWN":
            raise ConnectionError("the viewer has left")
        return method == "PLAY" and b" 401 " not in said

    def _send(self, item: Send) -> None:
        if item.media not in self._channels:
            return
        packets: list[tuple[bytes, bool]] = []
        if item.media == "audio":
            packets = [(struct.pack(">HH", 16, len(item.data) << 3) + item.data, True)]
        else:
            units = units_of(item.data)
            for number, unit in enumerate(units):
                packets += _fragments(unit, last=number == len(units) - 1)
        kind = 97 if item.media == "audio" else 96
        for payload, marker in packets:
            number = self._sequence[item.media]
            self._sequence[item.media] = (number + 1) & 0xFFFF
            head = struct.pack(">BBHII", 0x80, (marker << 7) | kind, number, item.stamp & 0xFFFFFFFF, kind)
            self._frame(self._channels[item.media], head + payload)

    def _report(self, item: Report) -> None:
        if item.media not in self._channels:
            return
        kind = 97 if item.media == "audio" else 96
        ntp = round((item.ntp + NTP_UNIX) * 2**32)
        body = struct.pack(">BBHIQIII", 0x80, 200, 6, kind, ntp, item.stamp & 0xFFFFFFFF, 0, 0)
        self._frame(self._channels[item.media] + 1, body)

    def _frame(self, channel: int, payload: bytes) -> None:
        self._peer.sendall(b"$" + struct.pack(">BH", channel, len(payload)) + payload)


def _fragments(unit: bytes, *, last: bool) -> list[tuple[bytes, bool]]:
    """Return the RTP payloads of a NAL unit (RFC 6184), and the marker of each."""
    if len(unit) <= MTU:
        return [(unit, last)]
    indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
    pieces = [unit[at : at + MTU] for at in range(1, len(unit), MTU)]
    heads = [kind] * len(pieces)
    heads[0] |= 0x80
    heads[-1] |= 0x40
    return [
        (bytes([indicator, head]) + piece, last and number == len(pieces) - 1)
        for number, (head, piece) in enumerate(zip(heads, pieces, strict=True))
    ]
