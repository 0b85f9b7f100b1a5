"""Capture's HTTP server as notebooks use it: frames of a camera, the cameras' names, what is wrong with one."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from shared_utils.errors import SettingError, VcamError

CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 10.0
"""Longest wait for the next frame; capture sends one or two per second."""
MAX_LINE_BYTES = 8192
MAX_PART_BYTES = 32 << 20
"""A JPEG of 8K at the best quality has less."""
MAX_PAGE_BYTES = 4 << 20
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)


class CaptureAway(VcamError):
    """Nobody answers at ``CAPTURE_URL``, or the connection ended."""


class NoFrame(VcamError):
    """Capture is there, but no frame of the camera has come for too long."""


class FramesRefused(VcamError):
    """Capture does not give these frames: the camera is unknown, or too much was asked for."""


@dataclass(frozen=True)
class LiveFrame:
    """A frame as capture sent it.

    Attributes:
        jpeg: the picture.
        at: when it was taken, seconds since the epoch.
        motion: share of the picture that moves, 0..1; None where capture does not say.
    """

    jpeg: bytes
    at: float
    motion: float | None = None


class _Answer:
    """A response, with the socket that it comes by: http.client lets go of a socket that is to be closed."""

    def __init__(self, sock: socket.socket, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._socket = sock
        self._connection = connection
        self.response = response

    def shut_down(self) -> None:
        """Wake a thread that waits for bytes; none come any more."""
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut_down()
        self.response.close()
        self._connection.close()
        self._socket.close()


class FrameStream:
    """An open request for frames. Iterating waits for them; `close` may be called from any thread.

    Args:
        answer: to the request, of type ``multipart/x-mixed-replace``.
        url: of capture, for messages.
        silence_s: longest wait for a frame, for messages.

    Raises:
        FramesRefused: it is of another type.
    """

    def __init__(self, answer: _Answer, url: str, silence_s: float) -> None:
        self._answer = answer
        self._response = response = answer.response
        self._url, self._silence_s = url, silence_s
        self._closed = self._iterated = False
        found = _BOUNDARY.search(response.headers.get("Content-Type", ""))
        if found is None:
            self.close()
            raise FramesRefused(f"CAPTURE_URL is {url}, which sends something else than frames: is it capture's?")
        self._delimiter = b"--" + found[1].removeprefix("--").encode()

    def __iter__(self) -> Iterator[LiveFrame]:
        """Yield each frame that comes; ends when `close` is called.

        Raises:
            NoFrame: none has come for too long.
            CaptureAway: the connection ended.
        """
        self._iterated = True
        try:
            while (frame := self._next()) is not None:
                yield frame
        except TimeoutError:
            if not self._closed:
                raise NoFrame(f"no frame has come for {self._silence_s:g} s") from None
        except (OSError, HTTPException, ValueError, KeyError) as error:
            if not self._closed:
                raise CaptureAway(f"the connection to {self._url} ended ({_reason(error)})") from None
        finally:
            self._answer.close()
        if not self._closed:
            raise CaptureAway(f"the connection to {self._url} ended")

    def _next(self) -> LiveFrame | None:
        """Return the next frame; None at the end of the response."""
        headers = self._part_headers()
        if headers is None:
            return None
        size = int(headers.get("content-length", ""))
        if not 0 < size <= MAX_PART_BYTES:
            raise ValueError(f"a part of {size} bytes")
        jpeg = self._response.read(size)
        if len(jpeg) < size:
            return None
        motion = headers.get("x-motion", "")
        return LiveFrame(jpeg, float(headers["x-timestamp"]), float(motion) if motion else None)

    def _part_headers(self) -> dict[str, str] | None:
        for line in iter(self._line, b""):
            if line.startswith(self._delimiter):
                if line[len(self._delimiter) :].startswith(b"--"):
                    return None
                break
        headers: dict[str, str] = {}
        for line in iter(self._line, b""):
            if not line.strip():
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return None

    def _line(self) -> bytes:
        line: bytes = self._response.readline(MAX_LINE_BYTES)
        if len(line) >= MAX_LINE_BYTES:
            raise ValueError("a line that does not end")
        return line

    def close(self) -> None:
        """End the request: capture decodes nothing for it any more. May be called more than once."""
        self._closed = True
        self._answer.shut_down()
        if not self._iterated:  # else the thread that iterates does it
            self._answer.close()


class Capture:
    """Requests to capture's HTTP server.

    Args:
        url: of ``CAPTURE_URL``, such as ``http://capture:8080``.
        silence_s: longest wait for a frame, seconds.

    Raises:
        SettingError: it is no URL of a server.
    """

    def __init__(self, url: str, silence_s: float = SILENCE_S) -> None:
        self._silence_s = silence_s
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingError(f"CAPTURE_URL is {url!r}: give a URL such as http://capture:8080")
        self._connection_type = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path

    def frames(self, camera: str, *, fps: float, width: int) -> FrameStream:
        """Begin to receive frames of a camera.

        Args:
            camera: its name.
            fps: frames per second at most.
            width: of the pictures, pixels.

        Raises:
            CaptureAway: nobody answers.
            FramesRefused: capture says no; the text is its own line, or names the cameras that there are.
        """
        path = f"/frames/{quote(camera, safe='')}?{urlencode({'fps': f'{fps:g}', 'width': width})}"
        answer = self._get(path, self._silence_s)
        response = answer.response
        if response.status == 200:
            return FrameStream(answer, self.url, self._silence_s)
        try:
            text = _first_line(response.read(MAX_LINE_BYTES))
        except (OSError, HTTPException):
            text = ""
        finally:
            answer.close()
        if response.status == 404:
            names = self.camera_names()
            if camera not in names:
                raise FramesRefused(f"there is no camera {camera!r}; there is {', '.join(names) or 'none'}")
        if response.status >= 500:
            raise NoFrame(text or f"capture answers with {response.status}")
        raise FramesRefused(text or f"capture answers with {response.status}")

    def camera_names(self) -> list[str]:
        """Return the names of the cameras, by ``/info``.

        Raises:
            CaptureAway: nobody answers, or it is not capture.
        """
        return sorted(self._cameras("/info"))

    def trouble(self, camera: str) -> str | None:
        """Return what is wrong with a camera, in capture's words, by ``/healthz``; None while nothing is.

        Raises:
            CaptureAway: nobody answers, or it is not capture.
        """
        about = self._cameras("/healthz").get(camera)
        if not isinstance(about, dict) or about.get("ok"):
            return None
        return str(about.get("reason") or about.get("state") or "it is not well")

    def _cameras(self, path: str) -> dict[str, Any]:
        answer = self._get(path, CONNECT_TIMEOUT_S)
        try:
            cameras = json.loads(answer.response.read(MAX_PAGE_BYTES))["cameras"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            cameras = None
        finally:
            answer.close()
        if not isinstance(cameras, dict):
            raise CaptureAway(f"CAPTURE_URL is {self.url}, which does not answer as capture does")
        return cameras

    def _get(self, path: str, timeout_s: float) -> _Answer:
        connection = self._connection_type(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
            sock = connection.sock
            sock.settimeout(timeout_s)
            connection.request("GET", self._path + path)
            return _Answer(sock, connection, connection.getresponse())
        except (OSError, HTTPException, UnicodeError) as error:
            connection.close()
            raise CaptureAway(f"capture does not answer at {self.url} ({_reason(error)})") from None


def _first_line(body: bytes) -> str:
    lines = body.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:300] if lines else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    text = error.strerror if isinstance(error, OSError) else str(error)
    return (text or type(error).__name__).splitlines()[0][:160]
