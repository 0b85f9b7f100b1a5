"""RTSP's messages and interleaved packets out of a byte stream (RFC 2326, 10.12). Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from vcam_worker.stream.protocols.wire import MAX_HEAD_BYTES, parse_headers

MAX_BODY_BYTES = 256 * 1024
"""Bytes of a message's body; a camera's description has 1 to 2 KiB."""

_PACKET = 0x24
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_BEGIN = re.compile(rb"\$|(?:RTSP|HTTP)/\d|[A-Z_]{3,} \S+ RTSP/")
"""What a message or a packet begins with, where bytes in between belong to neither."""


class ProtocolError(Exception):
    """What the other side sends can not be passed on; the text goes on after its name."""


@dataclass(frozen=True)
class Message:
    """A request or an answer.

    Attributes:
        first: its first line.
        headers: name and value, in order.
        body: as announced by ``Content-Length``, which is no part of `headers`.
    """

    first: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def is_answer(self) -> bool:
        """It answers a request."""
        return self.first.startswith("RTSP/")

    @property
    def status(self) -> int:
        """An answer's status; 0 where it has none."""
        words = self.first.split(None, 2)
        return int(words[1]) if len(words) > 1 and words[1].isdigit() and len(words[1]) == 3 else 0

    def values(self, name: str) -> list[str]:
        """Return a header's values, by its name in lower case."""
        return [value for one, value in self.headers if one.lower() == name]

    def header(self, name: str) -> str:
        """Return a header's first value; empty without it."""
        return next(iter(self.values(name)), "")

    def with_header(self, name: str, value: str) -> Message:
        """Return the message with one header in the place of those of its name."""
        others = tuple(one for one in self.headers if one[0].lower() != name.lower())
        return replace(self, headers=((name, value), *others))

    def only(self, names: Collection[str]) -> Message:
        """Return the message with the headers of these names, in lower case, alone, where they say something."""
        return replace(self, headers=tuple(one for one in self.headers if one[0].lower() in names and one[1]))

    def without_body_lines(self, prefix: bytes) -> Message:
        """Return the message without the lines of its body that begin so."""
        lines = self.body.splitlines(keepends=True)
        return replace(self, body=b"".join(one for one in lines if not one.startswith(prefix)))

    def encoded(self) -> bytes:
        """Return it as it is sent."""
        headers = [*self.headers, *([("Content-Length", str(len(self.body)))] if self.body else [])]
        lines = [self.first, *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace") + self.body


class Splitter:
    """Takes a byte stream apart."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message | bytes]:
        """Take the next bytes; yield messages, and packets as bytes, several in one piece.

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
            if self._buffer[0] == _PACKET:  # one that is not whole
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
        """Return where the whole packets that the buffer begins with end."""
        buffer, at, size = self._buffer, 0, len(self._buffer)
        while at + 4 <= size and buffer[at] == _PACKET:
            after = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
            if after > size:
                break
            at = after
        return at

    def _skip_to_begin(self) -> bool:
        """Drop bytes that belong to no message; tell whether one begins."""
        found = _BEGIN.search(self._buffer)
        if found is None:
            if len(self._buffer) > MAX_HEAD_BYTES:
                del self._buffer[: -MAX_HEAD_BYTES // 2]
            return False
        del self._buffer[: found.start()]
        return True

    def _message(self) -> Message | None:
        """Return the message that the buffer begins with; None as long as it is not whole."""
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
