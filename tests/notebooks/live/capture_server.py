"""An HTTP server that answers as capture does, for tests of its troubles: it goes away, stalls, sends rubbish."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import cv2
import numpy as np

BOUNDARY = "frame"


def picture(number: int = 0, width: int = 320, height: int = 180) -> bytes:
    """Return a JPEG: grey, with a white square that goes on with `number`."""
    drawn = np.full((height, width, 3), 90, np.uint8)
    left = 8 * number % (width - 40)
    cv2.rectangle(drawn, (left, 40), (left + 40, 120), (255, 255, 255), -1)
    return bytes(cv2.imencode(".jpg", drawn)[1])


class CaptureServer:
    """Serves cameras by name.

    Attributes:
        url: where it is.
        requested: paths of the requests for frames so far.
        open: requests for frames that are being answered.
        sent: pictures sent so far.
        times: time of each picture, seconds since the epoch.
        silent: send no pictures while this is set, and let requests wait.
        motion: `X-Motion` of the pictures.
        trouble: what is wrong with all cameras, in ``/healthz``.
        body: what to send instead of parts, once.
        width: of the cameras' pictures, as ``/info`` says.
        refusal: answer of status 503 to requests for frames; None: there are frames.
        make: returns the picture of a number.
    """

    def __init__(self, names: tuple[str, ...], fps: float = 20.0) -> None:
        self.names = names
        self.fps = fps
        self.requested: list[str] = []
        self.open = 0
        self.sent = 0
        self.times: list[float] = []
        self.silent = threading.Event()
        self.motion = 0.02
        self.trouble: str | None = None
        self.body: bytes | None = None
        self.width = 1920
        self.refusal: str | None = None
        self.make: Callable[[int], bytes] = picture
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve, on the same port as before."""
        self._ended.clear()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: open requests end, new ones are refused."""
        self._ended.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def parts(self) -> Iterator[bytes]:
        """Yield parts as capture sends them, until it goes away."""
        while not self._ended.wait(1 / self.fps):
            if self.silent.is_set():
                continue
            with self._lock:
                self.sent += 1
                number, now = self.sent, time.time()
                self.times.append(now)
            jpeg = self.make(number)
            head = (
                f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
                f"X-Timestamp: {now:.3f}\r\nX-Motion: {self.motion:.4f}\r\n\r\n"
            )
            yield head.encode() + jpeg + b"\r\n"

    @contextmanager
    def counted(self, path: str) -> Iterator[None]:
        with self._lock:
            self.requested.append(path)
            self.open += 1
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1


class _Handler(BaseHTTPRequestHandler):
    owner: CaptureServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/info":
            self._json({"cameras": {name: {"width": self.owner.width} for name in self.owner.names}})
        elif parts.path == "/healthz":
            about = {"ok": not self.owner.trouble, "reason": self.owner.trouble}
            self._json({"cameras": dict.fromkeys(self.owner.names, about)}, 503 if self.owner.trouble else 200)
        elif parts.path.removeprefix("/frames/") not in self.owner.names:
            self._answer(404, b"there is no such camera\n", "text/plain")
        elif self.owner.refusal:
            self._answer(503, self.owner.refusal.encode(), "text/plain")
        else:
            with self.owner.counted(self.path):
                self._frames()

    def _frames(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        body, self.owner.body = self.owner.body, None
        try:
            for part in [body] if body is not None else self.owner.parts():
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            if body is not None:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:  # who asked is gone
            pass
        self.close_connection = True

    def _json(self, body: object, status: int = 200) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@contextmanager
def capture_server(*names: str, fps: float = 20.0) -> Iterator[CaptureServer]:
    """Serve the cameras `names` on 127.0.0.1."""
    server = CaptureServer(names, fps)
    server.start()
    try:
        yield server
    finally:
        server.stop()
