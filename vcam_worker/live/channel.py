"""The data channel from a camera's process to the HTTP server: messages of subscriptions over a socket.

A message is a header (length of the payload, number of the subscription, kind) and the payload. Its writer never blocks
the camera: a thread of its own sends, and what it cannot send is replaced (frames) or ends the subscription (video).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

ENDED = 0
"""Kind of the message that the camera's side has ended a subscription, as too much was waiting. Kinds from 1 on are
those of the subscription itself."""
MAX_QUEUED_BYTES = 8 * 1024 * 1024
"""Most bytes of one subscription that wait to be sent: 4 s of 16 Mb/s. The server reads at once, unless it hangs."""
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""Of one message: a JPEG of 36 million pixels stays below it. More is no message of ours."""
READ_BYTES = 1024 * 1024
"""The reader's buffer."""

_HEADER = struct.Struct(">IIB")


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        number: of the subscription.
        kind: :data:`ENDED`, or what the subscription defines.
        payload: as its kind defines.
    """

    number: int
    kind: int
    payload: bytes


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


class ChannelWriter:
    """The camera's end. Its methods do not block, and may be called from any thread.

    Args:
        channel: blocking; None: there is no server, and everything is dropped.
    """

    def __init__(self, channel: socket.socket | None) -> None:
        self._channel = channel
        self._waiting: deque[Message] = deque()
        self._sizes: dict[int, int] = {}  # bytes that wait, by subscription
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def is_broken(self) -> bool:
        """The server is gone: nobody gets what is sent."""
        return self._channel is None

    def send_newest(self, number: int, kind: int, payload: bytes) -> None:
        """Send a message in place of those of the subscription that still wait."""
        with self._changed:
            self._drop(number)
            self._put(Message(number, kind, payload))

    def send(self, number: int, kind: int, payload: bytes) -> bool:
        """Send a message after those of the subscription that still wait.

        Returns:
            False where too much waits already: the subscription has ended, and must be forgotten.
        """
        with self._changed:
            waiting = self._sizes.get(number, 0)
            # the first message of live video is a whole GOP, and may be larger
            if waiting and waiting + len(payload) > MAX_QUEUED_BYTES:
                self._drop(number)
                self._put(Message(number, ENDED, b""))
                return False
            self._put(Message(number, kind, payload))
            return True

    def forget(self, number: int) -> None:
        """Drop what waits of a subscription that has ended."""
        with self._changed:
            self._drop(number)

    def _drop(self, number: int) -> None:
        if self._sizes.pop(number, None) is not None:
            self._waiting = deque(one for one in self._waiting if one.number != number)

    def _put(self, message: Message) -> None:
        if self._channel is None:
            return
        self._waiting.append(message)
        self._sizes[message.number] = self._sizes.get(message.number, 0) + len(message.payload)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(self._channel,), name="live channel", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self, channel: socket.socket) -> None:
        """Send what waits; the thread is a daemon, as a server that hangs may block it for ever."""
        try:
            while True:
                message = self._next()
                channel.sendall(_HEADER.pack(len(message.payload), message.number, message.kind))
                channel.sendall(message.payload)
        except OSError:  # the server is gone; the pipe tells the camera's loop
            with self._changed:
                self._channel = None
                self._waiting.clear()
                self._sizes.clear()
            channel.close()

    def _next(self) -> Message:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            message = self._waiting.popleft()
            left = self._sizes[message.number] - len(message.payload)
            self._sizes[message.number] = left
            if not any(one.number == message.number for one in self._waiting):
                del self._sizes[message.number]
            return message


async def read_messages(channel: socket.socket) -> AsyncIterator[Message]:
    """Yield the messages of a channel until its camera's process has ended; then close it.

    It must be read without delay: what waits for a client is the client's affair.
    """
    reader, writer = await asyncio.open_connection(sock=channel, limit=READ_BYTES)
    try:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length, number, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                if length > MAX_PAYLOAD_BYTES:
                    return
                yield Message(number, kind, await reader.readexactly(length))
    finally:
        writer.close()
