"""An RTSP server that sends exactly the NAL units it is given, with exactly the SDP it is given, over TCP."""

from __future__ import annotations

import base64
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

Units = Sequence[bytes]
CLOCK = 90_000
MAX_PAYLOAD = 1400


@dataclass(frozen=True)
class Script:
    """What a camera sends.

    Attributes:
        codec: ``h264`` or ``hevc``.
        sdp_sets: parameter sets of its description; none: it names none.
        pictures: (seconds, NAL units) with one RTP stamp each; those without a slice are sent as they are.
        pace: seconds of the stream that take a second; None sends all at once.
    """

    codec: str
    sdp_sets: Units
    pictures: Sequence[tuple[float, Units]]
    pace: float | None = None

    @property
    def sdp(self) -> str:
        name = "H264" if self.codec == "h264" else "H265"
        told = [base64.b64encode(unit).decode() for unit in self.sdp_sets]
        if not told:
            format_line = "a=fmtp:96 packetization-mode=1" if self.codec == "h264" else ""
        elif self.codec == "h264":
            format_line = f"a=fmtp:96 packetization-mode=1; sprop-parameter-sets={','.join(told)}"
        else:
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            format_line = "a=fmtp:96 " + "; ".join(f"{key}={value}" for key, value in zip(names, told, strict=True))
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=video 0 RTP/AVP 96", "c=IN IP4 127.0.0.1"]
        lines += [f"a=rtpmap:96 {name}/{CLOCK}", format_line, "a=control:track1"]
        return "".join(f"{line}\r\n" for line in lines if line)


@contextmanager
def rtsp_script(script: Script) -> Iterator[str]:
    """Serve `script` from its beginning to everybody who connects; give the address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        thread = threading.Thread(target=_accept, args=(listener, script), daemon=True)
        thread.start()
        yield f"rtsp://127.0.0.1:{listener.getsockname()[1]}/script"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _accept(listener: socket.socket, script: Script) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, script), daemon=True).start()


def _serve(client: socket.socket, script: Script) -> None:
    with client, client.makefile("rb") as reader, suppress(OSError):
        for method, sequence in _requests(reader):
            head, body = [f"CSeq: {sequence}", "Session: 1"], ""
            if method == "DESCRIBE":
                body = script.sdp
                head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            elif method == "SETUP":
                head.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            elif method == "OPTIONS":
                head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
            client.sendall(("RTSP/1.0 200 OK\r\n" + "\r\n".join(head) + "\r\n\r\n" + body).encode())
            if method == "PLAY":
                _play(client, script)
                return


def _requests(reader: object) -> Iterator[tuple[str, str]]:
    while True:
        lines = []
        while line := reader.readline().decode().strip():  # type: ignore[attr-defined]
            lines.append(line)
        if not lines:
            return
        yield lines[0].split()[0], next(one.split(":")[1].strip() for one in lines if one.lower().startswith("cseq"))


def _play(client: socket.socket, script: Script) -> None:
    sequence = 0
    began = time.monotonic()
    for seconds, units in script.pictures:
        if script.pace is not None:
            time.sleep(max(0.0, began + seconds / script.pace - time.monotonic()))
        payloads = [payload for unit in units for payload in _payloads(script.codec, unit)]
        for number, payload in enumerate(payloads, 1):
            marker = 0x80 if number == len(payloads) else 0
            header = struct.pack(">BBHII", 0x80, marker | 96, sequence & 0xFFFF, round(seconds * CLOCK), 1)
            client.sendall(b"$\0" + struct.pack(">H", len(header) + len(payload)) + header + payload)
            sequence += 1


def _payloads(codec: str, unit: bytes) -> Iterator[bytes]:
    if len(unit) <= MAX_PAYLOAD:
        yield unit
        return
    if codec == "h264":
        prefix, kind, body = bytes((unit[0] & 0xE0 | 28,)), unit[0] & 0x1F, unit[1:]
    else:
        prefix, kind, body = bytes((unit[0] & 0x81 | 49 << 1, unit[1])), unit[0] >> 1 & 0x3F, unit[2:]
    for at in range(0, len(body), MAX_PAYLOAD):
        first, last = at == 0, at + MAX_PAYLOAD >= len(body)
        yield prefix + bytes((first << 7 | last << 6 | kind,)) + body[at : at + MAX_PAYLOAD]
