"""RTSP requests, the ordinary answers to them, and stream descriptions (RFC 2326, RFC 4566)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devtools.rtsp.rtp import VIDEO_CLOCK_HZ, VIDEO_PAYLOAD_TYPE
from shared_utils.media.bitstream.nal_units import Codec

END_OF_HEAD = b"\r\n\r\n"
_METHODS = "DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
_BEFORE_A_SESSION = {"OPTIONS", "DESCRIBE"}
_SET_NAMES = ("sprop-vps", "sprop-sps", "sprop-pps")


@dataclass(frozen=True)
class Request:
    """A request's head; names of headers in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, head: str) -> Request:
        """Read a head, with or without the empty line at its end."""
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, url, _ = first.split(" ", 2)
        parts = (line.partition(":") for line in lines)
        return cls(method, url, {name.lower(): value.strip() for name, _, value in parts})

    @property
    def channel(self) -> int | None:
        """The channel that SETUP asks for within the connection; None where it asks for another transport."""
        _, found, numbers = self.headers.get("transport", "").partition("interleaved=")
        return int(numbers.split("-")[0].split(";")[0]) if found else None


def respond(request: Request, status: str = "200 OK", headers: Sequence[str] = (), body: str = "") -> bytes:
    """Return an answer."""
    session = [] if request.method in _BEFORE_A_SESSION else ["Session: 1"]
    lines = [f"RTSP/1.0 {status}", f"CSeq: {request.headers.get('cseq', '0')}", *session, *headers, "", body]
    return "\r\n".join(lines).encode()


def ordinary_answer(request: Request, sdp: str) -> bytes:
    """Return what a camera with this description answers; it sends RTP within the connection alone."""
    if request.method == "DESCRIBE":
        headers = [f"Content-Base: {request.url}/", "Content-Type: application/sdp", f"Content-Length: {len(sdp)}"]
        return respond(request, headers=headers, body=sdp)
    if request.method == "SETUP":
        if request.channel is None:
            return respond(request, "461 Unsupported Transport")
        return respond(request, headers=[f"Transport: {request.headers['transport']}"])
    return respond(request, headers=[f"Public: {_METHODS}"] if request.method == "OPTIONS" else [])


def describe(*sections: str) -> str:
    """Return a description (SDP) with these media sections."""
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=test", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
    return "".join(f"{line}\r\n" for line in head) + "".join(sections)


def video_section(sets: Sequence[bytes], codec: Codec = "h264", fps: float | None = None) -> str:
    """Return the media section of a video track.

    Args:
        sets: the parameter sets that it names, VPS (H.265), SPS, PPS; empty: it names none.
        fps: frames per second, where it says so.
    """
    coded = [base64.b64encode(unit).decode() for unit in sets]
    parameters = []
    if codec == "h264":
        parameters.append("packetization-mode=1")
        if coded:
            parameters += [f"profile-level-id={sets[0][1:4].hex()}", f"sprop-parameter-sets={','.join(coded)}"]
    elif coded:
        parameters += [f"{name}={value}" for name, value in zip(_SET_NAMES, coded, strict=True)]
    lines = [
        f"m=video 0 RTP/AVP {VIDEO_PAYLOAD_TYPE}",
        f"a=rtpmap:{VIDEO_PAYLOAD_TYPE} {'H264' if codec == 'h264' else 'H265'}/{VIDEO_CLOCK_HZ}",
        *([f"a=framerate:{fps:g}"] if fps else []),
        *([f"a=fmtp:{VIDEO_PAYLOAD_TYPE} {';'.join(parameters)}"] if parameters else []),
        "a=control:video",
    ]
    return "".join(f"{line}\r\n" for line in lines)
