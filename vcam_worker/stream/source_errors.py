"""Turns errors of a connection into typed errors with one line for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceRefused, SourceStalled, SourceUnauthorized
from shared_utils.redact import mask_url
from vcam_worker.stream.protocols.wire import Target, connect_tcp

DIAGNOSE_TIMEOUT_S = 3.0
"""Time to find out why a connection failed, as the video library often says no more than "I/O error"."""


@dataclass(frozen=True)
class Timeouts:
    """How long a camera is waited for.

    Attributes:
        open_s: to connect and learn the stream's parameters: a camera with a long GOP sends its first keyframe late.
        stall_s: without a packet, until a connection counts as dead.
    """

    open_s: float = 12.0
    stall_s: float = 15.0


TIMEOUTS = Timeouts()
"""Those of cameras in use."""


@contextmanager
def source_errors(
    camera: Camera,
    doing: str,
    since: float | None = None,
    problem: Callable[[], SourceError | None] = lambda: None,
    timeouts: Timeouts = TIMEOUTS,
) -> Iterator[None]:
    """Turn what PyAV raises into our errors, with one line that names the remedy and holds no password.

    Args:
        camera: whose stream it is.
        doing: ``opening`` or ``reading``.
        since: monotonic time of the last packet; None counts from now.
        problem: returns a more specific error than the video library's, if there is one.
        timeouts: of the connection.
    """
    started = time.monotonic() if since is None else since
    try:
        with _known(problem):
            yield
    except (av.HTTPUnauthorizedError, av.HTTPForbiddenError):
        raise SourceUnauthorized(
            f"wrong user name or password for {camera.display_url}: check {camera.setting} "
            "(special characters percent-encoded)"
        ) from None
    except av.HTTPNotFoundError:
        raise SourceError(f"{camera.display_url} has no such stream: check the path in {camera.setting}") from None
    except av.HTTPError as error:
        raise SourceError(f"{camera.display_url} answers with an error ({error.strerror})") from None
    except (av.ExitError, av.TimeoutError):
        raise _stalled(camera, doing, time.monotonic() - started) from None
    except av.FFmpegError as error:
        if doing == "reading":
            raise SourceEnded(f"the connection broke ({plain(error)})") from None
        raise _diagnosed(camera, error, time.monotonic() - started >= timeouts.open_s - 1) from None


@contextmanager
def _known(problem: Callable[[], SourceError | None]) -> Iterator[None]:
    try:
        yield
    except av.FFmpegError:
        known = problem()
        if known:
            raise known from None
        raise


def _stalled(camera: Camera, doing: str, seconds: float) -> SourceError:
    if doing == "reading":
        return SourceStalled(f"no packet for {seconds:.0f} s")
    # a dead host times out as well: only a new connection tells the two apart
    return unreachable_reason(camera) or SourceStalled(
        f"{camera.display_url} accepts the connection, but sends nothing"
    )


def _diagnosed(camera: Camera, error: av.FFmpegError, timed_out: bool) -> SourceError:
    if camera.scheme == "file":
        return SourceError(f"{camera.setting}: {camera.display_url} cannot be opened as video ({plain(error)})")
    found = unreachable_reason(camera)
    if found:
        return found
    if timed_out:
        return SourceStalled(f"{camera.display_url} accepts the connection, but sends nothing")
    return SourceError(f"{camera.display_url} answers, but its stream cannot be opened ({plain(error)})")


def plain(error: av.FFmpegError) -> str:
    """Return the video library's message, without a password."""
    return mask_url(error.strerror or type(error).__name__)


def unreachable_reason(camera: Camera) -> SourceRefused | None:
    """Return why the camera's host cannot be reached; None where it can."""
    try:
        connect_tcp(Target.of(camera.url), camera, DIAGNOSE_TIMEOUT_S).close()
    except SourceRefused as refused:
        return refused
    return None
