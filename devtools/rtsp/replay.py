"""An RTSP server that sends files packet by packet, again and again, and counts what it has sent.

It codes nothing, speaks RTSP over TCP alone (so that no datagram is lost on the way, and every frame sent must arrive),
and plays each file to each client from its beginning::

    python -m devtools.rtsp.replay MOUNT=FILE…

It prints ``ready PORT``, answers each line on its standard input with its counts as JSON, stops sending on the line
``hold``, answers the line ``times`` with when it sent each frame, and ends with its standard input.
:class:`ReplayServer` starts it in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av

from devtools.paths import ROOT
from devtools.rtsp import rtp
from devtools.rtsp.messages import END_OF_HEAD, Request, describe, ordinary_answer, respond, video_section


class ReplayServer:
    """The server in a process of its own, whose CPU time is not the caller's; it ends with the caller.

    Args:
        mounts: file by the name under which it is served.
    """

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        command = [sys.executable, "-m", "devtools.rtsp.replay"]
        command += [f"{name}={path}" for name, path in mounts.items()]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._port = int(self._line().split()[1])

    def url(self, mount: str) -> str:
        """Return the URL of a mount."""
        return f"rtsp://127.0.0.1:{self._port}/{mount}"

    def counts(self, command: str = "count") -> dict[str, dict[str, int]]:
        """Return frames sent and clients served, by mount; the command ``hold`` stops the sending."""
        found: dict[str, dict[str, int]] = json.loads(self._ask(command))
        return found

    def sent_at(self, mount: str) -> list[float]:
        """Return when each frame was sent to the client that came last, seconds since the epoch, from the first one."""
        found: dict[str, list[float]] = json.loads(self._ask("times"))
        return found[mount]

    def _ask(self, command: str) -> str:
        if self._process.stdin is None:
            raise RuntimeError("the RTSP server has no stdin")
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the RTSP server ended")
        return line

    def close(self) -> None:
        """End it."""
        with self._process:
            self._process.kill()


@dataclass
class _Mount:
    """A file that is served: its access units, each as a list of RTP payloads, and its description."""

    units: list[list[bytes]]
    fps: float
    sdp: str
    sent: int = 0
    clients: int = 0
    sent_at: array[float] = field(default_factory=lambda: array("d"))


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
                head = (first + await reader.readuntil(END_OF_HEAD)).decode()
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
        request = Request.parse(head)
        mount = self.mounts.get(request.url.rstrip("/").split("/")[3])
        writer.write(ordinary_answer(request, mount.sdp) if mount else respond(request, "404 Not Found"))
        return mount if request.method == "PLAY" else None

    async def _play(self, mount: _Mount, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sequence = itertools.count()
        mount.clients += 1
        mount.sent_at = sent_at = array("d")
        with contextlib.suppress(ConnectionError):
            for number in itertools.count():
                await asyncio.sleep(max(0.0, began + number / mount.fps - loop.time()))
                if self.held:
                    return
                payloads = mount.units[number % len(mount.units)]
                stamp = round(number * rtp.VIDEO_CLOCK_HZ / mount.fps)
                packets = (
                    rtp.packet(
                        payload,
                        kind=rtp.VIDEO_PAYLOAD_TYPE,
                        marker=index == len(payloads) - 1,
                        sequence=next(sequence),
                        stamp=stamp,
                    )
                    for index, payload in enumerate(payloads)
                )
                sent_at.append(time.time())
                # one write per frame, as a camera sends it
                writer.write(b"".join(rtp.interleaved(0, packet) for packet in packets))
                mount.sent += 1
                await writer.drain()


def _read(path: Path) -> _Mount:
    with av.open(str(path)) as container:
        fps = float(container.streams.video[0].average_rate or 0)
    frames = [rtp.nal_units(data) for data, _ in rtp.access_units(path)]
    units = [[payload for unit in frame for payload in rtp.payloads(unit)] for frame in frames]
    return _Mount(units, fps, describe(video_section(rtp.parameter_sets(frames[0]), fps=fps)))


async def _serve(files: dict[str, Path]) -> None:
    read = {path: _read(path) for path in set(files.values())}
    mounts = {name: _Mount(read[path].units, read[path].fps, read[path].sdp) for name, path in files.items()}
    server = _Server(mounts)
    listener = await asyncio.start_server(server.client, "127.0.0.1", 0)
    print(f"ready {listener.sockets[0].getsockname()[1]}", flush=True)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        server.held = line.strip() == b"hold"
        if line.strip() == b"times":
            print(json.dumps({name: mount.sent_at.tolist() for name, mount in mounts.items()}), flush=True)
            continue
        counts = {name: {"sent": mount.sent, "clients": mount.clients} for name, mount in mounts.items()}
        print(json.dumps(counts), flush=True)
    # clients that are still there would hold the loop's end up
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve({name: Path(file) for name, file in (one.split("=", 1) for one in sys.argv[1:])}))
