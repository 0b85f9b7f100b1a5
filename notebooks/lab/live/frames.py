"""Capture's HTTP server as notebooks use it: frames of a camera, the cameras' names, what is wrong with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared_utils.config.capture_url import parse_capture_url
from shared_utils.contracts.json_lines import parse_object
from shared_utils.errors import SettingError, SourceError, SourceStalled, VcamError
from video_worker.http_stream import HttpStream
from video_worker.live.frame_parts import LiveFrame, read_frames
from video_worker.live.frame_reader import FrameRequest

__all__ = ["Capture", "CaptureAway", "FrameStream", "LiveFrame", "NoFrame", "UnknownCamera"]

SILENCE_S = 10.0
"""Longest wait for the next frame; some come per second."""
ANSWER_S = 5.0
MAX_PAGE_BYTES = 4 << 20


class CaptureAway(VcamError):
    """Nobody answers at ``CAPTURE_URL``, or the connection ended."""


class NoFrame(VcamError):
    """Capture is there, but no frame of the camera comes."""


class UnknownCamera(VcamError):
    """Capture has no such camera; the text names those that it has."""


class FrameStream:
    """An open request for frames. Iterating waits for them; `close` may be called from any thread.

    Args:
        stream: the answer to the request.
        silence_s: longest wait for a frame, seconds.
    """

    def __init__(self, stream: HttpStream, silence_s: float) -> None:
        self._stream = stream
        self._silence_s = silence_s
        self._closed = self._iterated = False

    def __iter__(self) -> Iterator[LiveFrame]:
        """Yield each frame that comes; ends when `close` is called.

        Raises:
            NoFrame: none has come for too long.
            CaptureAway: the connection ended, or what comes are no frames.
        """
        self._iterated = True
        try:
            with self._stream:
                yield from read_frames(self._stream, self._silence_s)
        except SourceStalled:
            if not self._closed:
                raise NoFrame(f"none for {self._silence_s:g} s") from None
        except SourceError as error:
            if not self._closed:
                raise CaptureAway(str(error)) from None

    def close(self) -> None:
        """End the request: capture decodes nothing for it any more. May be called more than once."""
        self._closed = True
        self._stream.interrupt()
        if not self._iterated:  # else who iterates does it
            self._stream.close()


class Capture:
    """Requests to capture's HTTP server.

    Args:
        url: of ``CAPTURE_URL``, such as ``http://capture:8080``.
        silence_s: longest wait for a frame, seconds.
        clock: monotonic seconds.

    Raises:
        SettingError: it is no URL of a server.
    """

    def __init__(self, url: str, silence_s: float = SILENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            self.url = parse_capture_url(url)
        except ValueError as error:
            raise SettingError(f"CAPTURE_URL is {url!r}: {error}") from None
        self._silence_s = silence_s
        self._clock = clock

    def frames(self, camera: str, *, fps: float, width: int) -> FrameStream:
        """Begin to receive frames of a camera.

        Args:
            camera: its name.
            fps: frames per second at most.
            width: of the pictures, pixels, at most: that of the camera is not exceeded.

        Raises:
            CaptureAway: nobody answers, or it is not capture.
            UnknownCamera: there is no such camera.
            NoFrame: there are none now, or not these; the text has capture's own.
        """
        cameras = self._cameras("/info")
        if camera not in cameras:
            known = ", ".join(sorted(cameras))
            raise UnknownCamera(f"there is no camera {camera!r}; there is {known or 'none yet'}")
        own = cameras[camera].get("width") if isinstance(cameras[camera], dict) else None
        asked = min(width, own) if isinstance(own, int) and own > 0 else width
        try:
            # the live worker's request, so that both share one encode
            url = FrameRequest(camera, fps, asked, when_motion=False).url(self.url)
            return FrameStream(HttpStream(url, self._clock), self._silence_s)
        except SourceError as error:
            raise NoFrame(str(error)) from None

    def trouble(self, camera: str) -> str | None:
        """Return what is wrong with a camera, in capture's words, by ``/healthz``; None while nothing is.

        Raises:
            CaptureAway: nobody answers, or it is not capture.
        """
        about = self._cameras("/healthz").get(camera)
        if not isinstance(about, dict) or about.get("ok"):
            return None
        return str(about.get("reason") or about.get("state") or "it is not well")

    def _cameras(self, path: str) -> Mapping[str, Any]:
        try:
            with HttpStream(self.url + path, self._clock, statuses=(200, 503)) as stream, stream.within(ANSWER_S):
                page = parse_object(stream.read_all(MAX_PAGE_BYTES))
        except SourceError as error:
            raise CaptureAway(str(error)) from None
        cameras = page.get("cameras") if page else None
        if not isinstance(cameras, dict):
            raise CaptureAway(f"what answers at {self.url} is not capture: see CAPTURE_URL")
        return cameras
