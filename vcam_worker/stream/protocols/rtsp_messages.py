"""Splits a byte stream into RTSP messages and interleaved packets (RFC 2326, 10.12). Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from vcam_worker.stream.protocols.wire import MAX_HEAD_BYTES, parse_headers

MAX_BODY_BYTES = 256 * 1024
"""Most bytes of a message's body; a camera's description (SDP) has 1 to 2 KiB."""

_PACKET = 0x24
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_BEGIN = re.compile(rb"\$|(?:RTSP|HTTP)/\d|[A-Z_]{3,} \S+ RTSP/")
"""The beginning of a message or packet, to resume after bytes that belong to neither."""


class ProtocolError(Exception):
    """What the other side sends cannot be relayed; the text continues a sentence that begins with its name."""


@dataclass(frozen=True)
class Message:
    """A request or an answer.

    Attributes:
        first: the first line.
        headers: name and value, in order.
        body: of the length in ``Content-Length``, which is not in `headers`.
    """

    first: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def is_answer(self) -> bool:
        """Whether it is a response."""
        return self.first.startswith("RTSP/")

    @property
    def status(self) -> int:
        """The status of a response; 0 without one."""
        words = self.first.split(None, 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() and len(words[1]) == 3 else 0

    def values(self, name: str) -> list[str]:
        """Return a header's values, by its name in lower case."""
        return [value for one, value in self.headers if one.lower() == name]

    def header(self, name: str) -> str:
        """Return a header's first value; empty without it."""
        return next(iter(self.values(name)), "")

    def with_header(self, name: str, value: str) -> Message:
        """Return the message with this header in place of those of the same name."""
        others = tuple(one for one in self.headers if one[0].lower() != name.lower())
        return replace(self, headers=((name, value), *others))

    def only(self, names: Collection[str]) -> Message:
        """Return the message with only the non-empty headers of these names, in lower case."""
        return replace(self, headers=tuple(one for one in self.headers if one[0].lower() in names and one[1]))

    def without_body_lines(self, prefix: bytes) -> Message:
        """Return the message without the lines of its body that begin with `prefix`."""
        lines = self.body.splitlines(keepends=True)
        return replace(self, body=b"".join(one for one in lines if not one.startswith(prefix)))

    def encoded(self) -> bytes:
        """Return its wire format."""
        headers = [*self.headers, *([("Content-Length", str(len(self.body)))] if self.body else [])]
        lines = [self.first, *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace") + self.body


class Splitter:
    """Splits a byte stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message | bytes]:
        """Take the next bytes; yield messages, and packets as bytes, adjacent ones together.

        Raises:
            ProtocolError: a message is larger than it may be.
        """
        self._buffer += data
        while self._buffer:
            end = self._packets_end()
            if end:
                packets = bytes(self._buffer[:end])
                del self._buffer[:end]
                yield packets
                continue
            if self._buffer[0] == _PACKET:  # an incomplete packet
                return
            if not self._skip_to_begin():
                return
            if self._buffer[0] == _PACKET:
                continue
            message = self._message()
            if message is None:
                return
            yield message

    def _packets_end(self) -> int:
        """Return where the complete packets at the start of the buffer end."""
        buffer, at, size = self._buffer, 0, len(self._buffer)
        while at + 4 <= size and buffer[at] == _PACKET:
            after = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
            if after > size:
                break
            at = after
        return at

    def _skip_to_begin(self) -> bool:
        """Drop bytes that belong to no message; return whether one begins."""
        found = _BEGIN.search(self._buffer)
        if found is None:
            if len(self._buffer) > MAX_HEAD_BYTES:
                del self._buffer[: -MAX_HEAD_BYTES // 2]
            return False
        del self._buffer[: found.start()]
        return True

    def _message(self) -> Message | None:
        """Return the message at the start of the buffer; None while it is incomplete."""
        end = _HEAD_END.search(self._buffer, 0, MAX_HEAD_BYTES)
        if end is None:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise ProtocolError("answers with headers that do not end")
            return None
        lines = bytes(self._buffer[: end.start()]).splitlines()
        if lines[0].startswith(b"HTTP/"):
            raise ProtocolError("speaks HTTP at this port, not RTSP: check the port")
        length = next(iter(parse_headers(lines[1:]).get("content-length", [])), "0")
        size = int(length) if length.isdigit() and len(length) < 20 else 0
        if size > MAX_BODY_BYTES:
            raise ProtocolError(f"announces an answer of {size} bytes, where {MAX_BODY_BYTES} are the most")
        if len(self._buffer) < end.end() + size:
            return None
        body = bytes(self._buffer[end.end() : end.end() + size])
        del self._buffer[: end.end() + size]
        headers = tuple(
            (name, value)
            for name, values in parse_headers(lines[1:]).items()
            if name != "content-length"
            for value in values
        )
        return Message(lines[0].decode("latin-1"), headers, body)
