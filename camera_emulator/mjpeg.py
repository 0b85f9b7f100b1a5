"""Serves frames as MJPEG over HTTP: ``/video`` is the stream, ``/`` a page that shows it."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from camera_emulator import messages
from camera_emulator.address import HTTP_PATH, Address, listen_error
from camera_emulator.source import Picture
from shared_utils.errors import VcamError

BOUNDARY = "frame"

_JPEG_QUALITY = 80
_SEND_TIMEOUT_S = 10.0  # a viewer that reads nothing for this long is gone
_WAIT_S = 0.5  # interval at which a viewer's thread checks whether the camera has ended
_STOP_S = 0.1  # interval at which the accepting thread checks for the end

_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Camera emulator</title>
<style>body{{margin:0;background:#222;display:grid;place-items:center;min-height:100vh}}img{{max-width:100%}}</style>
</head><body><img src="{HTTP_PATH}" alt="Live picture of the emulated camera"></body></html>
""".encode()

logger = logging.getLogger(__name__)


class _Board:
    """The newest JPEG for any number of readers: a slow one misses frames and delays nobody."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jpeg = b""
        self._number = 0
        self._readers = 0
        self._closed = False

    @property
    def watched(self) -> bool:
        """Whether there are readers."""
        with self._changed:
            return self._readers > 0

    @property
    def closed(self) -> bool:
        """Whether the camera has ended."""
        with self._changed:
            return self._closed

    def put(self, jpeg: bytes) -> None:
        """Publish a frame."""
        with self._changed:
            self._jpeg = jpeg
            self._number += 1
            self._changed.notify_all()

    def join(self) -> int:
        """Add a reader; return the number to wait from, so that it gets no old frame."""
        with self._changed:
            self._readers += 1
            logger.info(messages.VIEWERS, self._readers)
            return self._number

    def leave(self) -> None:
        """Remove a reader."""
        with self._changed:
            self._readers -= 1
            logger.info(messages.VIEWERS, self._readers)

    def newer(self, number: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Return the newest frame and its number, once there is one after ``number``; None when there is none in
        time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._number > number or self._closed, timeout_s) or self._closed:
                return None
            return self._number, self._jpeg

    def close(self) -> None:
        """End: wake all readers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # SO_REUSEADDR frees the port of a program that has ended; on Windows it would let two programs share one.
    allow_reuse_address = os.name != "nt"

    def __init__(self, address: Address, board: _Board) -> None:
        self.board = board
        self.address_family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
        super().__init__((address.ip, address.port), _Handler)

    def handle_error(self, _request: object, client_address: object) -> None:
        """Log an unhandled error of a viewer's thread in one line, instead of a traceback on stderr."""
        logger.warning(messages.REQUEST_FAILED, client_address, sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SEND_TIMEOUT_S

    def do_GET(self) -> None:  # http.server's name
        """Respond with the page or the stream."""
        path = self.path.partition("?")[0]
        if path == HTTP_PATH:
            self._stream()
        elif path == "/":
            self._page()
        else:
            self.send_error(HTTPStatus.NOT_FOUND, f"the stream is at {HTTP_PATH}")

    def log_message(self, format: str, *args: object) -> None:
        """Log http.server's line per request at debug level only."""
        logger.debug(format, *args)

    def _page(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def _stream(self) -> None:
        board = self.server.board
        number = board.join()
        try:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            while not board.closed:
                news = board.newer(number, _WAIT_S)
                if news is not None:
                    number, jpeg = news
                    self.wfile.write(_part(jpeg))
        except (ConnectionError, TimeoutError):
            pass  # viewers disconnect without notice
        finally:
            board.leave()
            self.close_connection = True


def _part(jpeg: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"


class MjpegBroadcast:
    """Serves at ``address`` from construction until ``close``; raises SettingError where nothing can listen there."""

    def __init__(self, address: Address) -> None:
        self._board = _Board()
        try:
            self._server = _Server(address, self._board)
        except OSError as error:
            raise listen_error(address, error) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_STOP_S,), daemon=True)
        self._thread.start()

    def send(self, picture: Picture) -> None:
        """Send the frame to all viewers; without viewers, do nothing."""
        if not self._board.watched:
            return
        good, coded = cv2.imencode(".jpg", picture.image(), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not good:
            raise VcamError("a picture cannot be coded as JPEG")
        self._board.put(coded.tobytes())

    def close(self) -> None:
        """Stop serving, and close all connections."""
        self._board.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
