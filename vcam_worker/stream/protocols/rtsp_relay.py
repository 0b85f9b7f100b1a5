"""A relay between the video library and an RTSP camera, on the loopback interface.

The library follows redirects and ``source=`` (RFC 2326, 12.39) to any host, and allocates what a ``Content-Length``
states (FFmpeg, libavformat/rtsp.c). So it connects to this relay, which alone connects to the camera, and to no other
host. Messages are parsed: headers and bodies are bounded, only listed headers pass, redirects are followed on the
camera's host only, and challenges are answered here, so that the library never has the password. Packets pass
unchanged.
"""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError
from shared_utils.redact import mask_url
from vcam_worker.stream.connection import Upstream
from vcam_worker.stream.protocols.credentials import Credentials
from vcam_worker.stream.protocols.rtsp_messages import Message, ProtocolError, Splitter
from vcam_worker.stream.protocols.wire import CHUNK_BYTES, Target, check_redirect, dial
from vcam_worker.stream.source_errors import TIMEOUTS

MAX_REDIRECTS = 5
MAX_REPEATS = 2
"""Times that a request is repeated with the password; a camera may revoke its nonce in between."""
ACCEPT_S = 10.0
"""Time for the library to connect; it does so at once."""
CLOSE_S = 1.0
"""Time for the library's last request, TEARDOWN, to reach the camera."""
EARLY_S = 0.02
"""Time before the end of a pause at which buffered data is fetched, so that the library finds it."""
RECEIVE_BYTES = 4 * CHUNK_BYTES

# the headers that the library needs; others would only reach rarely used code
_ANSWER_HEADERS = frozenset(
    {"content-base", "content-location", "content-type", "public", "range", "rtp-info", "session", "transport"}
)


@dataclass
class _Asked:
    """A request without a response yet."""

    message: Message
    number: str  # the library's own
    repeats: int = 0


class RtspRelay(Upstream):
    """The connection to one camera for one connection of the library.

    Args:
        camera: whose URL is opened.
        timeout_s: time to connect.

    Attributes:
        url: for the library to open.

    Raises:
        SourceError: the camera cannot be reached.
    """

    def __init__(self, camera: Camera, timeout_s: float = TIMEOUTS.open_s) -> None:
        self._camera = camera
        self._timeout_s = timeout_s
        try:
            self._target = Target.of(camera.url)
        except ValueError:
            raise SourceError(f"{camera.setting} has no usable host or port: {camera.display_url!r}") from None
        self._origin = self._target
        self._credentials = Credentials(self._target.user, self._target.password)
        self._problem: SourceError | None = None
        self._rest_until = 0.0
        self._closing = False
        self.is_silent = True
        self._redirects = 0
        self._asked: dict[str, _Asked] = {}
        self._numbers = 0
        self._far = dial(self._target, camera, timeout_s)
        self._far.settimeout(None)
        # the library opens UDP sockets in the address family of its URL
        self._is_ipv6 = self._far.family == socket.AF_INET6
        self._listener = socket.create_server(
            ("::1" if self._is_ipv6 else "127.0.0.1", 0), family=self._far.family, backlog=2
        )
        self._listener.settimeout(ACCEPT_S)
        # a secret, as other users of this machine can connect to the relay as well
        self._prefix = f"rtsp://{self._address()}/{secrets.token_hex(8)}"
        self.url = self._prefix + self._target.path
        self._near: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"relay {camera.name}", daemon=True)
        self._thread.start()

    def _address(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"[{host}]:{port}" if self._is_ipv6 else f"{host}:{port}"

    def problem(self) -> SourceError | None:
        """Return why the relay refused the connection."""
        return self._problem

    def rest(self, seconds: float) -> None:
        """Wait, and leave what the camera sends in the kernel's buffer."""
        self._rest_until = time.monotonic() + seconds - EARLY_S
        time.sleep(seconds)

    def close(self) -> None:
        """Close the connection once the library's last request is relayed."""
        self._closing = True
        self._thread.join(CLOSE_S)
        for one in (self._near, self._far, self._listener):
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    # -- the relay's thread

    def _run(self) -> None:
        try:
            while self._accept() and self._relay() and not self._closing:
                pass
        except (OSError, ProtocolError, SourceError) as error:
            if isinstance(error, SourceError):
                self._problem = error
            elif isinstance(error, ProtocolError):
                self._problem = SourceError(f"{self._camera.display_url} {error}")
        finally:
            for one in (self._near, self._far, self._listener):
                if one is not None:
                    one.close()

    def _accept(self) -> bool:
        """Accept the library's connection; False where it makes none."""
        try:
            self._near, _ = self._listener.accept()
        except OSError:
            return False
        self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._asked.clear()
        return True

    def _relay(self) -> bool:
        """Relay both directions until one side closes; return whether to accept another connection of the library."""
        if self._near is None:
            return False
        near, far = self._near, self._far
        from_near, from_far = Splitter(), Splitter()
        is_known = False
        both, only_near = select.poll(), select.poll()
        both.register(far, select.POLLIN)
        for poller in (both, only_near):
            poller.register(near, select.POLLIN)
        while True:
            rest = self._rest_until - time.monotonic()
            ready = [number for number, _ in (only_near.poll(rest * 1000) if rest > 0 else both.poll())]
            if near.fileno() in ready:
                data = near.recv(CHUNK_BYTES)
                for item in from_near.feed(data):
                    is_known = is_known or self._is_ours(item)
                    if is_known:
                        self._ask(item)
                if not data or not is_known:
                    near.close()
                    return not is_known
            if far.fileno() in ready:
                received = _received(far)
                if received is None:
                    continue
                if not received:
                    return False
                out = b"".join(self._answered(item) for item in from_far.feed(received))
                if out:
                    near.sendall(out)
                if self._far is not far:  # redirected: the library connects anew
                    far.close()
                    near.close()
                    return True

    def _is_ours(self, item: Message | bytes) -> bool:
        return isinstance(item, Message) and self._prefix in item.first

    def _ask(self, item: Message | bytes) -> None:
        """Relay what the library sends."""
        if not isinstance(item, Message):  # a packet, such as a receiver's report
            self._far.sendall(item)
            return
        if item.is_answer:
            self._far.sendall(item.encoded())
            return
        base = self._target.base
        method, _, rest = item.first.partition(" ")
        uri, _, version = rest.rpartition(" ")
        message = replace(item, first=f"{method} {uri.replace(self._prefix, base)} {version}")
        self._send(_Asked(message, item.header("cseq")))

    def _send(self, asked: _Asked) -> None:
        self._numbers += 1
        number = str(self._numbers)
        self._asked[number] = asked
        method, uri = asked.message.first.split(" ")[:2]
        authorization = self._credentials.header(method, uri)
        message = asked.message.with_header("CSeq", number)
        if authorization:
            message = message.with_header("Authorization", authorization)
        self._far.sendall(message.encoded())

    def _answered(self, item: Message | bytes) -> bytes:
        """Return what to pass to the library of what the camera sends."""
        if not isinstance(item, Message):
            self.is_silent = False
            return item
        if not item.is_answer:  # a request of the camera's own
            return item.only({"cseq", "session"}).encoded()
        if 100 <= item.status < 200:  # the answer itself is still to come
            return b""
        # a camera that leaves the number out, or has one of its own, answers in turn
        number = item.header("cseq")
        asked = self._asked.pop(number if number in self._asked else next(iter(self._asked), ""), None)
        if asked is None:
            return b""
        if (
            item.status == 401
            and asked.repeats < MAX_REPEATS
            and self._credentials.challenged(item.values("www-authenticate"))
        ):
            self._send(replace(asked, repeats=asked.repeats + 1))
            return b""
        if item.status != 401:
            self._credentials.accepted()
        clean = item.only(_ANSWER_HEADERS).with_header("CSeq", asked.number)
        if 300 <= item.status < 400:
            clean = clean.with_header("Location", self._redirected(item.header("location")))
        if item.header("transport"):
            clean = clean.with_header("Transport", self._own_transport(item.header("transport")))
        if item.header("content-type").partition(";")[0].strip().lower() == "application/sdp":
            clean = clean.without_body_lines(b"c=")
        return clean.encoded()

    def _redirected(self, location: str) -> str:
        """Return where the library is sent for a redirect: to us again, if the camera's own host is meant."""
        there = mask_url(location)[:100] or "nowhere"
        is_path = location.startswith("/") and not location.startswith("//")
        self._redirects += 1
        try:
            target = replace(self._target, path=location) if is_path else Target.of(location)
        except ValueError:
            raise SourceError(f"{self._camera.display_url} redirects to {there!r}, which is not a URL") from None
        check_redirect(self._camera, self._origin, target, there, "rtsp")
        if self._redirects > MAX_REDIRECTS:
            raise SourceError(
                f"{self._camera.display_url} redirects in a circle: check the path in {self._camera.setting}"
            )
        self._target = replace(target, user=None, password=None)
        self._credentials = Credentials(self._origin.user, self._origin.password)
        self._far = dial(self._target, self._camera, self._timeout_s)
        self._far.settimeout(None)
        return self._prefix + self._target.path

    def _own_transport(self, value: str) -> str:
        """Return a ``Transport`` (RFC 2326, 12.39) in which everything comes from the camera and nothing goes
        elsewhere."""
        foreign = {"source", "destination"}
        parts = [one for one in value.split(";") if one.partition("=")[0].strip().lower() not in foreign]
        if "tcp" not in parts[0].lower():
            parts.append(f"source={self._far.getpeername()[0]}")
        return ";".join(parts)


def _received(sock: socket.socket) -> bytes | None:
    """Return the received data, empty at the end; None where TLS has only control data, or part of a record.

    With TLS, everything decrypted is returned, as poll() does not report it.
    """
    if not isinstance(sock, ssl.SSLSocket):
        return sock.recv(RECEIVE_BYTES)
    data = b""
    sock.settimeout(0)  # waiting here would leave the library's requests unread
    try:
        data = sock.recv(RECEIVE_BYTES)
        while pending := sock.pending():
            data += sock.recv(pending)
    except ssl.SSLWantReadError:
        return data or None
    finally:
        sock.settimeout(None)
    return data
