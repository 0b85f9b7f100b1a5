"""Opens a camera's stream (or a file), over one transport. One attempt: :mod:`vcam_worker.feed` decides on the next."""

from __future__ import annotations

import av

from shared_utils.cameras import Camera
from shared_utils.errors import SourceRefused, SourceUnauthorized
from vcam_worker.arrivals import GATHER_SECONDS
from vcam_worker.source import Connection
from vcam_worker.source_errors import OPEN_TIMEOUT, STALL_TIMEOUT, source_errors

NOT_ABOUT_TRANSPORT = (SourceRefused, SourceUnauthorized)
"""Failures that another RTSP transport would not change."""


def connect(camera: Camera, transport: str, *, paced: bool = True) -> Connection:
    """Open `camera`'s stream over one transport.

    Args:
        camera: what to open.
        transport: ``tcp`` or ``udp``; looked at for RTSP only.
        paced: play a file at its own pace, as a camera would; else as fast as it can be read.

    Raises:
        SourceError: it could not be opened; the kind says why.
    """
    scheme = camera.scheme
    options: dict[str, str] = {}
    if scheme in {"rtsp", "rtsps"}:
        options = {
            "rtsp_transport": transport,
            "allowed_media_types": "video+audio",
            # microseconds; a camera with sound announced but none sent would hold the start up to here
            "analyzeduration": "8000000",
            # kernel buffer of the RTP socket: keyframes of a 4K camera come as a burst of a thousand datagrams
            "buffer_size": "4194304",
            "max_delay": "500000",
        }
    elif scheme in {"http", "https"}:
        transport = "http"
    else:
        transport = "file"
    # a read may begin so long after the last packet
    timeout = (OPEN_TIMEOUT, STALL_TIMEOUT - GATHER_SECONDS) if scheme != "file" else None
    with source_errors(camera, "opening"):
        container = av.open(camera.url, options=options, timeout=timeout)
        try:
            return Connection(container, camera, transport, paced=paced)
        except BaseException:
            container.close()
            raise


def transports_of(camera: Camera, last_good: str | None = None) -> list[str]:
    """Return the transports to try in turn; `last_good`, the one that worked before, comes first."""
    if camera.scheme not in {"rtsp", "rtsps"}:
        return ["any"]
    if camera.transport != "auto":
        return [camera.transport]
    return sorted(("tcp", "udp"), key=lambda one: one != (last_good or "tcp"))
