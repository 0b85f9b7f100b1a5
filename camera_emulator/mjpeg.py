"""Pictures as MJPEG over HTTP: ``/video`` is the stream, ``/`` a page that shows it."""

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
_SEND_TIMEOUT_S = 10.0  # a viewer who takes nothing for so long is gone
_WAIT_S = 0.5  # how often a viewer's thread looks whether the camera has ended
_STOP_S = 0.1  # how soon the accepting thread notices the end

_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Camera emulator</title>
<style>body{{margin:0;background:#222;display:grid;place-items:center;min-height:100vh}}img{{max-width:100%}}</style>
</head><body><img src="{HTTP_PATH}" alt="Live picture of the emulated camera"></body></html>
""".encode()

logger = logging.getLogger(__name__)


class _Board:
    """The newest JPEG, for any number of readers: a slow one misses pictures and delays nobody."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jpeg = b""
        self._number = 0
        self._readers = 0
        self._closed = False

    @property
    def watched(self) -> bool:
        """True while anybody reads."""
        with self._changed:
            return self._readers > 0

    @property
    def closed(self) -> bool:
        """True once the camera has ended."""
        with self._changed:
            return self._closed

    def put(self, jpeg: bytes) -> None:
        """Show this picture from now on."""
        with self._changed:
            self._jpeg = jpeg
            self._number += 1
            self._changed.notify_all()

    def join(self) -> int:
        """Count one more reader; returns the number to wait from, so that it gets no old picture."""
        with self._changed:
            self._readers += 1
            logger.info(messages.VIEWERS, self._readers)
            return self._number

    def leave(self) -> None:
        """Count one reader less."""
        with self._changed:
            self._readers -= 1
            logger.info(messages.VIEWERS, self._readers)

    def newer(self, number: int, timeout_s: float) -> tuple[int, bytes] | None:
        """The newest picture and its number, once there is one after ``number``; None when none came in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._number > number or self._closed, timeout_s) or self._closed:
                return None
            return self._number, self._jpeg

    def close(self) -> None:
        """Wake all readers for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Elsewhere this only frees a port whose last program has ended; on Windows it would let two share one.
    allow_reuse_address = os.name != "nt"

    def __init__(self, address: Address, board: _Board) -> None:
        self.board = board
        self.address_family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
        super().__init__((address.ip, address.port), _Handler)

    def handle_error(self, _request: object, client_address: object) -> None:
        """Log in one line what a viewer's thread could not handle, instead of a traceback on stderr."""
        logger.warning(messages.REQUEST_FAILED, client_address, sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SEND_TIMEOUT_S

    def do_GET(self) -> None:  # the name is http.server's
        """Answer the page or the stream."""
        path = self.path.partition("?")[0]
        if path == HTTP_PATH:
            self._stream()
        elif path == "/":
            self._page()
        else:
            self.send_error(HTTPStatus.NOT_FOUND, f"the stream is at {HTTP_PATH}")

    def log_message(self, format: str, *args: object) -> None:
        """Keep http.server's line for each request off stderr unless somebody debugs."""
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
            pass  # viewers leave without a word
        finally:
            board.leave()
            self.close_connection = True


def _part(jpeg: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"


class MjpegBroadcast:
    """Serves at ``address`` from construction until ``close``; raises SettingError where nobody can listen there."""

    def __init__(self, address: Address) -> None:
        self._board = _Board()
        try:
            self._server = _Server(address, self._board)
        except OSError as error:
            raise listen_error(address, error) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_STOP_S,), daemon=True)
        self._thread.start()

    def send(self, picture: Picture) -> None:
        """Show the picture to everybody who watches; no work where nobody does."""
        if not self._board.watched:
            return
        good, coded = cv2.imencode(".jpg", picture.image(), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not good:
            raise VcamError("a picture can not be coded as JPEG")
        self._board.put(coded.tobytes())

    def close(self) -> None:
        """Stop serving; viewers see the connection end."""
        self._board.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
