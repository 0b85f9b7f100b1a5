"""A stand-in for capture's live routes: ``/info`` and ``/frames/<camera>``, chunked as uvicorn sends them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2

from camera_emulator.scene import Scene
from shared_utils.media.picture import Picture

BOUNDARY = "frame"


def jpeg_of(picture: Picture, quality: int = 85) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def part_of(jpeg: bytes, at: float, motion: float = 0.0, boundary: str = BOUNDARY) -> bytes:
    head = f"--{boundary}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
    return (
        f"{head}X-Timestamp: {at:.6f}\r\nX-Motion: {motion:.4f}\r\nX-Moving: {motion > 0:d}\r\n\r\n".encode()
        + jpeg
        + b"\r\n"
    )


class Street:
    """The drawn street as a live camera: its own time starts with it.

    Args:
        size: of its pictures.
        seed: of the scene.
        skip_s: where the scene begins.
    """

    def __init__(self, size: tuple[int, int] = (640, 360), seed: int = 0, skip_s: float = 3.0) -> None:
        self.scene = Scene(seed, size)
        self.size = size
        self._lock = threading.Lock()
        self._began = time.time() - skip_s

    def scene_time(self, at: float) -> float:
        return at - self._began

    def moves(self, at: float) -> bool:
        return bool(self.scene.truth(self.scene_time(at)))

    def jpeg(self, at: float) -> bytes:
        with self._lock:
            return jpeg_of(self.scene.frame(self.scene_time(at)))


class Still:
    """A camera that shows one picture, which a test may replace; something moves where the test says so."""

    def __init__(self, picture: Picture, moving: bool = True) -> None:
        self.size = (picture.shape[1], picture.shape[0])
        self.picture = picture
        self.moving = moving
        self._encoded: tuple[Picture, bytes] | None = None

    def moves(self, at: float) -> bool:
        del at
        return self.moving

    def jpeg(self, at: float) -> bytes:
        del at
        picture = self.picture
        if self._encoded is None or self._encoded[0] is not picture:
            self._encoded = picture, jpeg_of(picture)
        return self._encoded[1]


class FrameServer:
    """Serves cameras; may be stopped and started again on the same port.

    Attributes:
        cameras: by name: a :class:`Street`, a :class:`Still`, or what has the same methods.
        settings: of cameras, in ``/info``: ``live_objects``, ``classes``, ``width``.
        requests: paths that were asked for.
        open: answers of frames that are under way.
    """

    def __init__(self, cameras: Mapping[str, Any], now: Callable[[], float] = time.time) -> None:
        self.cameras = dict(cameras)
        self.settings: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.open = 0
        self.port = 0
        self._now = now
        self._server: ThreadingHTTPServer | None = None
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> FrameServer:
        self._stopping = threading.Event()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with suppress(OSError):
                    ours.serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def info(self) -> dict[str, Any]:
        return {
            "cameras": {
                name: {
                    "width": camera.size[0],
                    "live_objects": "on",
                    "classes": None,
                    **self.settings.get(name, {}),
                }
                for name, camera in list(self.cameras.items())
            }
        }

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        parts = urlsplit(request.path)
        if parts.path == "/info":
            body = json.dumps(self.info()).encode()
            request.send_response(200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
            return
        name = parts.path.removeprefix("/frames/")
        if name not in self.cameras:
            request.send_error(404, "there is no such camera")
            return
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        request.send_response(200)
        request.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.close_connection = True
        self.open += 1
        try:
            for part in self._parts(name, float(query["fps"]), query.get("when") == "motion"):
                request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        finally:
            self.open -= 1

    def _parts(self, name: str, fps: float, when_motion: bool) -> Iterator[bytes]:
        stopping = self._stopping
        due = self._now()
        while not stopping.is_set() and (camera := self.cameras.get(name)) is not None:
            at = self._now()
            moves = camera.moves(at)
            if moves or not when_motion:
                yield part_of(camera.jpeg(at), at, 0.05 if moves else 0.0)
            due = max(due + 1 / fps, at)
            stopping.wait(due - self._now())

    def __enter__(self) -> FrameServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
