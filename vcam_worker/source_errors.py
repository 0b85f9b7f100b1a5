"""What goes wrong with a connection, as a typed error with one line for people."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import av

from shared_utils.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceRefused, SourceStalled, SourceUnauthorized
from shared_utils.redact import mask_url

OPEN_TIMEOUT = 12.0
"""Seconds to connect and learn the stream's parameters: a camera with a long GOP sends its first keyframe late."""
STALL_TIMEOUT = 15.0
"""Seconds without a packet after which a connection counts as dead."""
DIAGNOSE_TIMEOUT = 3.0
"""Seconds to find out why a connection failed, when the video library only says "I/O error"."""

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


@contextmanager
def source_errors(camera: Camera, doing: str, since: float | None = None) -> Iterator[None]:
    """Turn what PyAV raises into our errors, in a line that names the remedy and holds no password.

    Args:
        camera: whose stream it is.
        doing: ``opening`` or ``reading``.
        since: monotonic time of the last packet; None counts from now.
    """
    started = time.monotonic() if since is None else since
    try:
        yield
    except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
        raise SourceUnauthorized(
            f"wrong user name or password for {camera.shown}: check {camera.setting} "
            "(special characters percent-encoded)"
        ) from None
    except av.HTTPNotFoundError:
        raise SourceError(f"{camera.shown} has no such stream: check the path in {camera.setting}") from None
    except av.HTTPError as error:
        raise SourceError(f"{camera.shown} answers with an error ({error.strerror})") from None
    except (av.ExitError, av.TimeoutError):
        raise _stalled(camera, doing, time.monotonic() - started) from None
    except av.FFmpegError as error:
        if doing == "reading":
            raise SourceEnded(f"the connection broke ({plain(error)})") from None
        raise _diagnosed(camera, error, time.monotonic() - started) from None


def _stalled(camera: Camera, doing: str, seconds: float) -> SourceError:
    if doing == "reading":
        return SourceStalled(f"no packet for {seconds:.0f} s")
    # a dead address times out as well: only a second look tells the two apart
    return reach(camera) or SourceStalled(f"{camera.shown} accepts the connection, but sends nothing")


def _diagnosed(camera: Camera, error: av.FFmpegError, seconds: float) -> SourceError:
    if camera.scheme == "file":
        return SourceError(f"{camera.setting}: {camera.shown} can not be opened as video ({plain(error)})")
    found = reach(camera)
    if found:
        return found
    if seconds >= OPEN_TIMEOUT - 1:
        return SourceStalled(f"{camera.shown} accepts the connection, but sends nothing")
    return SourceError(f"{camera.shown} answers, but its stream can not be opened ({plain(error)})")


def plain(error: av.FFmpegError) -> str:
    """Return what the video library says, without a password."""
    return mask_url(error.strerror or type(error).__name__)


def reach(camera: Camera) -> SourceRefused | None:
    """Say why nothing answers at the camera's address; None when something does."""
    parts = urlsplit(camera.url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[camera.scheme]
    try:
        socket.create_connection((host, port), timeout=DIAGNOSE_TIMEOUT).close()
    except socket.gaierror:
        return SourceRefused(f"the name {host!r} is not known: check the host in {camera.setting}, or use its IP")
    except ConnectionRefusedError:
        return SourceRefused(f"{host}:{port} refuses the connection: is the camera on, and {camera.setting} right?")
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
        return SourceRefused(f"{host}:{port} can not be reached ({reason}): is the camera on the network?")
    return None
