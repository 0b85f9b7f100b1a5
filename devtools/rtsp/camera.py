"""A scripted RTSP camera (RTP within the connection): every RTP stamp and moment of sending is given."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av

from devtools.rtsp import rtp
from devtools.rtsp.messages import END_OF_HEAD, Request, describe, ordinary_answer, video_section
from shared_utils.media.bitstream.nal_units import Codec

AUDIO_CLOCK_HZ = 16_000
AUDIO_PAYLOAD_TYPE = 97
AAC_BLOCK = 1024
"""Samples in a block of AAC."""
AAC_BLOCK_S = AAC_BLOCK / AUDIO_CLOCK_HZ
NTP_UNIX_S = 2_208_988_800
"""From the epoch of NTP to that of Unix."""
IDLE_S = 0.05
"""How often a silent camera checks for requests."""
PATIENCE_S = 10
"""Longest that a viewer may take for a request."""

Media = Literal["video", "audio"]


@dataclass(frozen=True)
class Send:
    """One frame or block of sound to send.

    Attributes:
        at: seconds after PLAY.
        media: which track.
        data: NAL units (an access unit in Annex B, or one by one), or a raw block of AAC.
        stamp: RTP time, in ticks of the track's clock; only its lower 32 bits are sent.
    """

    at: float
    media: Media
    data: bytes | Sequence[bytes]
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


def aac_blocks(count: int) -> list[bytes]:
    """Return `count` blocks of a quiet tone, raw AAC, mono, 16 kHz."""
    encoder = av.AudioCodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_CLOCK_HZ, "mono", "fltp"
    encoder.time_base = Fraction(1, AUDIO_CLOCK_HZ)
    blocks: list[bytes] = []
    for number in range(count + 2):
        samples = b"".join(struct.pack("<f", 0.1 * ((number * AAC_BLOCK + one) % 40 < 20)) for one in range(AAC_BLOCK))
        frame = av.AudioFrame(format="fltp", layout="mono", samples=AAC_BLOCK)
        frame.planes[0].update(samples)
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_CLOCK_HZ, number * AAC_BLOCK, Fraction(1, AUDIO_CLOCK_HZ)
        blocks += [bytes(packet) for packet in encoder.encode(frame)]
    return blocks[:count]


AAC_SECTION = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\n"
    "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
    "config=1408\r\na=control:audio\r\n"
)


class RtspCamera:
    """Serves `rtsp://127.0.0.1:PORT/cam`, one viewer at a time, from construction until :meth:`close`.

    Args:
        script: gives what a connection sends, anew for each; a connection ends with its script.
        sets: parameter sets that its description names.
        codec: of the video.
        sound: media section of the sound; empty without.
        before: media sections in front of the video's.
        hold: keep the connection open and silent at the script's end.
        speak: how it answers, where that is not the usual way.
    """

    def __init__(
        self,
        script: Script,
        sets: Sequence[bytes],
        *,
        codec: Codec = "h264",
        sound: str = AAC_SECTION,
        before: str = "",
        hold: bool = True,
        speak: Speak = lambda _, answer: answer,
    ) -> None:
        self._script = script
        self._codec: Codec = codec
        self._sdp = describe(before, video_section(sets, codec), sound)
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
                _Session(peer, self._sdp, self._codec, self._closed, self._answer).run(self._play)

    def _answer(self, request: str, answer: bytes) -> bytes:
        self.requests.append(request)
        return self._speak(request, answer)

    def _play(self) -> Iterator[Send | Report | None]:
        self.viewers += 1
        yield from self._script()
        while self._hold and not self._closed.is_set():
            yield None


class _Session:
    """One connection: answers requests, and sends the script from PLAY on."""

    def __init__(self, peer: socket.socket, sdp: str, codec: Codec, closed: threading.Event, speak: Speak) -> None:
        self._peer = peer
        self._speak = speak
        self._sdp = sdp
        self._codec: Codec = codec
        self._closed = closed
        self._channels: dict[Media, int] = {}
        self._sequence: dict[Media, int] = {"video": 0, "audio": 0}
        self._received = b""

    def run(self, play: Callable[[], Iterator[Send | Report | None]]) -> None:
        self._peer.settimeout(PATIENCE_S)
        while not self._answer():
            pass
        began = time.monotonic()
        for item in play():
            due = began + item.at if item else time.monotonic() + IDLE_S
            while (left := due - time.monotonic()) > 0 and not self._closed.is_set():
                self._peer.settimeout(min(left, 0.2))
                with suppress(TimeoutError):
                    if self._answer():
                        return
            if self._closed.is_set():
                return
            self._peer.settimeout(PATIENCE_S)
            if isinstance(item, Send):
                self._send(item)
            elif isinstance(item, Report):
                self._report(item)

    def _answer(self) -> bool:
        """Answer one request; tell whether it was PLAY, or the end of the connection."""
        while END_OF_HEAD not in self._received:
            if self._received[:1] == b"$" and len(self._received) >= 4:
                size = 4 + int.from_bytes(self._received[2:4], "big")
                if len(self._received) >= size:
                    self._received = self._received[size:]  # a receiver report
                    continue
            more = self._peer.recv(65536)
            if not more:
                raise ConnectionError("the viewer has left")
            self._received += more
        start, _, self._received = self._received.partition(END_OF_HEAD)
        head = start.decode(errors="replace")
        if head.startswith("RTSP/"):  # an answer to a request of our own
            self._speak(head, b"")
            return False
        request = Request.parse(head)
        if request.method == "SETUP" and request.channel is not None:
            media: Media = "audio" if request.url.rstrip("/").endswith("audio") else "video"
            # a track whose control is none of ours is set up, and nothing is sent on it
            if request.url.rstrip("/").endswith(("audio", "*")) or "video" in request.url:
                self._channels[media] = request.channel
        answer = self._speak(head, ordinary_answer(request, self._sdp))
        self._peer.sendall(answer)
        if request.method == "TEARDOWN":
            raise ConnectionError("the viewer has left")
        return request.method == "PLAY" and b" 401 " not in answer

    def _send(self, item: Send) -> None:
        if item.media not in self._channels:
            return
        if item.media == "audio":
            data = item.data if isinstance(item.data, bytes) else b"".join(item.data)
            parts = [struct.pack("!HH", 16, len(data) << 3) + data]  # one AU header of 16 bits (RFC 3640)
        else:
            units = rtp.nal_units(item.data) if isinstance(item.data, bytes) else item.data
            parts = [payload for unit in units for payload in rtp.payloads(unit, self._codec)]
        kind = _payload_type(item.media)
        for index, payload in enumerate(parts):
            number = self._sequence[item.media]
            self._sequence[item.media] = number + 1
            last = index == len(parts) - 1
            packet = rtp.packet(
                payload, kind=kind, marker=last, sequence=number, stamp=item.stamp, source=_source(item.media)
            )
            self._peer.sendall(rtp.interleaved(self._channels[item.media], packet))

    def _report(self, item: Report) -> None:
        if item.media not in self._channels:
            return
        ntp = round((item.ntp + NTP_UNIX_S) * 2**32)
        stamp = item.stamp & 0xFFFFFFFF
        # a sender report of RFC 3550, section 6.4.1, without report blocks
        body = struct.pack("!BBHIQIII", 0x80, 200, 6, _source(item.media), ntp, stamp, 0, 0)
        self._peer.sendall(rtp.interleaved(self._channels[item.media] + 1, body))


def _payload_type(media: Media) -> int:
    return AUDIO_PAYLOAD_TYPE if media == "audio" else rtp.VIDEO_PAYLOAD_TYPE


def _source(media: Media) -> int:
    """Return the SSRC of a track: any number that the other track has not."""
    return _payload_type(media)
