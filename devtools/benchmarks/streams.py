"""Streams as network cameras send them, drawn and encoded once, and an RTSP server that sends them packet by packet.

The server codes nothing, speaks RTSP over TCP (so that no datagram is lost on the way, and every frame sent must
arrive), plays each file again and again to each client from its beginning, and counts what it has sent::

    python -m devtools.benchmarks.streams MOUNT=FILE…

It prints ``ready PORT``, answers each line on its standard input with its counts as JSON, stops sending on the line
``hold``, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.bitstream import BitStreamFilterContext

SECONDS = 30
GOP_SECONDS = 2
CLOCK_HZ = 90_000
"""The RTP clock of video."""
PAYLOAD_TYPE = 96
MAX_PAYLOAD = 1400
"""Bytes of an RTP packet's payload: what fits into an Ethernet frame, as cameras send it."""
FRAGMENT = 28
"""RTP payload structure FU-A of RFC 6184: a piece of a NAL unit."""
SPS, PPS = 7, 8
NOISE = 3.0
"""Grey levels, standard deviation: a camera's sensor indoors."""
TILES = 7
"""Different pictures of noise; each is shown shifted by a random distance."""


@dataclass(frozen=True)
class Spec:
    """A stream.

    Attributes:
        name: of its file.
        width, height: pixels.
        fps: frames a second.
        bitrate: bits a second.
        moving: something crosses the picture all the time; else only the noise changes.
    """

    name: str
    width: int
    height: int
    fps: int
    bitrate: int
    moving: bool


MOVING = Spec("moving-1080p20", 1920, 1080, 20, 4_000_000, moving=True)
STILL = Spec("still-1080p20", 1920, 1080, 20, 4_000_000, moving=False)
SUB = Spec("moving-360p20", 640, 360, 20, 500_000, moving=True)
SMALL = Spec("moving-720p15", 1280, 720, 15, 1_700_000, moving=True)


def ensure(spec: Spec, folder: Path) -> Path:
    """Return the stream's file in `folder`; drawn and encoded if it is not there yet."""
    path = folder / f"{spec.name}.mp4"
    if not path.exists():
        print(f"drawing {path.name} (the first time only) ...", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        _encode(spec, draft)
        draft.replace(path)
    return path


def _encode(spec: Spec, path: Path) -> None:
    # a camera's chip looks at no frame ahead: x264 must not either, or its keyframes grow to ten times the others
    interval = spec.fps * GOP_SECONDS
    options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "maxrate": str(spec.bitrate),
        "bufsize": str(spec.bitrate),
        "x264-params": f"sliced-threads=0:bframes=0:scenecut=0:keyint={interval}:min-keyint={interval}",
    }
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=spec.fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = spec.width, spec.height, "yuv420p", spec.bitrate
        for number, planes in enumerate(_pictures(spec)):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, spec.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _pictures(spec: Spec) -> Iterator[np.ndarray]:
    """Yield the pictures as FFmpeg lays planes out: 1.5 × height rows of width bytes."""
    width, height = spec.width, spec.height
    rng = np.random.default_rng(1)
    coarse = rng.integers(50, 190, (34, 60)).astype(np.float32)
    background = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    colours = cv2.resize(rng.integers(100, 156, (20, 15)).astype(np.float32), (width, height // 2)).astype(np.int16)
    # a small picture is made of a large one, which takes noise away
    sigma = NOISE * min(1.0, height / 720)
    margin = 64
    tiles = [rng.normal(0, sigma, (height + margin, width + margin)).round().astype(np.int16) for _ in range(TILES)]
    box_height, box_width = height // 4, width // 16
    for number in range(SECONDS * spec.fps):
        top, left = (int(one) for one in rng.integers(0, margin, 2))
        noise = tiles[number % TILES][top : top + height, left : left + width]
        luma = background.copy()
        if spec.moving:  # there and back in 20 s, so that nothing jumps but once a round
            way = 2 * (number / spec.fps / 20 % 1)
            x = round((width - box_width) * (way if way < 1 else 2 - way))
            y = height // 2
            luma[y : y + box_height, x : x + box_width] = 230 - luma[y : y + box_height, x : x + box_width] // 2
        chroma = colours + noise[: height // 2] // 2
        yield np.clip(np.concatenate([luma + noise, chroma]), 0, 255).astype(np.uint8)


# -- the server


@dataclass
class _Mount:
    """One address: the file's access units, each as a list of RTP payloads."""

    units: list[list[bytes]]
    fps: float
    parameters: list[bytes]
    sent: int = 0
    clients: int = 0


@dataclass
class _Server:
    mounts: dict[str, _Mount]
    held: bool = False
    _players: set[asyncio.Task[None]] = field(default_factory=set)

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak RTSP with one client until it goes away."""
        player: asyncio.Task[None] | None = None
        try:
            while True:
                first = await reader.readexactly(1)
                if first == b"$":  # the client's own RTCP
                    _, length = struct.unpack("!BH", await reader.readexactly(3))
                    await reader.readexactly(length)
                    continue
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                mount = self._answer(head, writer)
                if mount and player is None:
                    player = asyncio.create_task(self._play(mount, writer))
                    self._players.add(player)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if player:
                player.cancel()
                self._players.discard(player)
            writer.close()

    def _answer(self, head: str, writer: asyncio.StreamWriter) -> _Mount | None:
        """Answer a request; return what is to be played from now on."""
        lines = head.split("\r\n")
        method, url, _ = lines[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        mount = self.mounts.get(url.rstrip("/").split("/")[3])
        more, body, status = ["Session: 1"], "", "200 OK"
        if mount is None:
            status = "404 Not Found"
        elif method == "OPTIONS":
            more = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"]
        elif method == "DESCRIBE":
            body = _description(mount)
            more = [f"Content-Base: {url}/", "Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP" and "tcp" not in headers.get("transport", ""):
            status = "461 Unsupported Transport"
        elif method == "SETUP":
            more.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        answer = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", *more, "", body]
        writer.write("\r\n".join(answer).encode())
        return mount if method == "PLAY" else None

    async def _play(self, mount: _Mount, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sequence = itertools.count()
        mount.clients += 1
        with contextlib.suppress(ConnectionError):
            for number in itertools.count():
                await asyncio.sleep(max(0.0, began + number / mount.fps - loop.time()))
                if self.held:
                    return
                payloads = mount.units[number % len(mount.units)]
                stamp = round(number * CLOCK_HZ / mount.fps) & 0xFFFFFFFF
                parts = []
                for index, payload in enumerate(payloads):
                    marker = 0x80 if index == len(payloads) - 1 else 0
                    rtp = struct.pack("!BBHII", 0x80, PAYLOAD_TYPE | marker, next(sequence) & 0xFFFF, stamp, 1)
                    parts += [struct.pack("!cBH", b"$", 0, len(rtp) + len(payload)), rtp, payload]
                writer.write(b"".join(parts))
                mount.sent += 1
                await writer.drain()


def _description(mount: _Mount) -> str:
    profile = mount.parameters[0][1:4].hex()
    sets = ",".join(base64.b64encode(one).decode() for one in mount.parameters)
    lines = [
        "v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=bench", "c=IN IP4 0.0.0.0", "t=0 0", f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}", f"a=framerate:{mount.fps:g}",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}",
        "a=control:track0", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def _read(path: Path) -> _Mount:
    units, parameters = [], {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 0)
        to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            for converted in to_annex_b.filter(packet) if packet.size else []:
                nals = [nal.rstrip(b"\0") for nal in bytes(converted).split(b"\0\0\1") if nal.strip(b"\0")]
                parameters.update({nal[0] & 0x1F: nal for nal in nals if nal[0] & 0x1F in {SPS, PPS}})
                units.append([payload for nal in nals for payload in _payloads(nal)])
    return _Mount(units, fps, [parameters[SPS], parameters[PPS]])


def _payloads(nal: bytes) -> list[bytes]:
    """Return a NAL unit as RTP payloads, in pieces where it is long."""
    if len(nal) <= MAX_PAYLOAD:
        return [nal]
    pieces = [nal[at : at + MAX_PAYLOAD - 2] for at in range(1, len(nal), MAX_PAYLOAD - 2)]
    indicator = nal[0] & 0xE0 | FRAGMENT
    found = []
    for index, piece in enumerate(pieces):
        flags = (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0)
        found.append(bytes([indicator, flags | nal[0] & 0x1F]) + piece)
    return found


async def _serve(files: dict[str, Path]) -> None:
    read: dict[Path, _Mount] = {path: _read(path) for path in set(files.values())}
    mounts = {name: _Mount(read[path].units, read[path].fps, read[path].parameters) for name, path in files.items()}
    server = _Server(mounts)
    listener = await asyncio.start_server(server.client, "127.0.0.1", 0)
    print(f"ready {listener.sockets[0].getsockname()[1]}", flush=True)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        server.held = line.strip() == b"hold"
        counts = {name: {"sent": mount.sent, "clients": mount.clients} for name, mount in mounts.items()}
        print(json.dumps(counts), flush=True)
    # clients that are still there would hold the loop's end up
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve({name: Path(file) for name, file in (one.split("=", 1) for one in sys.argv[1:])}))
