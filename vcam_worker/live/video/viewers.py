"""Shares one camera's live video among its viewers, on one event loop.

Each viewer has a queue of its own, which refers to shared bytes. What a viewer does not read costs its queue until
that is full; then the viewer is cut off. Nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from vcam_worker.live.video.fragments import at_time
from vcam_worker.live.video.parts import JPEG_TYPE, Fragment, Init

MAX_GOP_BYTES = 16 * 1024 * 1024
"""Of the newest GOP, kept for viewers that join: 30 s at 4 Mb/s. In a longer one they wait for the next keyframe."""
MAX_BEHIND_BYTES = 4 * 1024 * 1024
"""What a viewer may leave unread beside the newest GOP, which it may have begun with: 8 s at 4 Mb/s."""
CHUNK_BYTES = 256 * 1024
"""Bytes that are put together for one write, at least one frame: the first GOP of many viewers is not copied whole."""

BOUNDARY = "frame"
MULTIPART_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"


class Broadcast:
    """One file of a camera's live video, from its source to all viewers. All methods are called on the event loop.

    Attributes:
        init: the file's beginning; None before the source has sent it.
        gop_bytes: of the newest GOP, as far as it is kept.
        ended: why there is no more; None while it goes on.
    """

    def __init__(self) -> None:
        self.init: Init | None = None
        self.ended: str | None = None
        self._gop: list[Fragment] = []  # from the last keyframe on; of JPEG, the newest picture alone
        self.gop_bytes = 0
        self._viewers: set[Viewer] = set()

    @property
    def viewers(self) -> int:
        """Number of viewers."""
        return len(self._viewers)

    def take(self, part: Init | Fragment) -> None:
        """Take what the source sends next: the file's beginning once, then frames."""
        if isinstance(part, Init):
            self.init = part
        else:
            self._keep(part)
        for viewer in self._viewers:
            viewer.put(part)

    def _keep(self, part: Fragment) -> None:
        if part.is_keyframe:
            self._gop, self.gop_bytes = [], 0
        elif not self._gop:  # the beginning was not kept
            return
        self._gop.append(part)
        self.gop_bytes += len(part.data)
        if self.gop_bytes > MAX_GOP_BYTES:
            self._gop, self.gop_bytes = [], 0

    def end(self, reason: str) -> None:
        """End it for all viewers, after what they have not read yet."""
        self.ended = reason
        for viewer in self._viewers:
            viewer.end()

    def join(self) -> Viewer:
        """Return a new viewer, which begins at the last keyframe if that is kept."""
        viewer = Viewer(self)
        if self.ended is not None:
            viewer.end()
        if self.init:
            viewer.put(self.init)
        for part in self._gop:
            viewer.put(part)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self._viewers.discard(viewer)


class Viewer:
    """One viewer's queue.

    Attributes:
        queued: bytes in the queue.
        is_cut_off: the viewer did not read in time, and gets no more.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self.queued = 0
        self.is_cut_off = False
        self._broadcast = broadcast
        self._init: Init | None = None
        self._queue: deque[tuple[Fragment, int | None]] = deque()  # with another duration, where it has one
        self._origin: tuple[int, int] | None = None  # time and offset of the first frame
        self._first: Fragment | None = None  # while frames follow it that are shown before it
        self._ended = False
        self._news = asyncio.Event()

    @property
    def media_type(self) -> str | None:
        """Of the response; None before its first frame is there."""
        if self._init is None or not self._queue:
            return None
        return MULTIPART_TYPE if self._init.media_type == JPEG_TYPE else self._init.media_type

    def put(self, part: Init | Fragment) -> None:
        """Add a part of the video; cut the viewer off if it has left too much unread."""
        if self._ended:
            return
        if isinstance(part, Init):
            self._init = part
            return
        if self._init is None or (self._origin is None and not part.is_keyframe):
            return
        if self._init.media_type == JPEG_TYPE:  # the newest picture replaces one that was not read
            self._drop()
        elif self.queued + len(part.data) > self._broadcast.gop_bytes + MAX_BEHIND_BYTES:
            self.is_cut_off = True
            self._drop()
            self.end()
            return
        if self._origin is None:
            self._origin = part.time, part.offset
            if part.leading_follow:
                self._first = part
                return
        elif self._first and not self._add_first(self._first, part):
            return
        self._add(part)

    def _add_first(self, first: Fragment, part: Fragment) -> bool:
        """Add the first keyframe when what is shown before it has passed; tell whether `part` follows it.

        Such frames refer to the GOP before, which this viewer has not. Players that get them drop the whole GOP, as it
        begins before time 0 (Media Source Extensions, 3.5.8); the keyframe is shown for longer instead.
        """
        if not part.is_keyframe and part.shown < first.shown:
            return False
        self._first = None
        self._add(first, part.time - first.time)
        return True

    def _add(self, part: Fragment, duration: int | None = None) -> None:
        self._queue.append((part, duration))
        self.queued += len(part.data)
        self._news.set()

    def _drop(self) -> None:
        self._queue.clear()
        self._first = None
        self.queued = 0

    def end(self) -> None:
        """Nothing follows."""
        self._ended = True
        self._news.set()

    async def ready(self, timeout_s: float) -> str | None:
        """Wait for the first frame; return the media type, or None where it does not come."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.media_type is None and not self._ended:
                    await self._wait()
        except TimeoutError:
            pass
        return self.media_type

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the response's body, as the client reads it."""
        if self._init is not None and self._init.data:
            yield self._init.data
        while self._queue or not self._ended:
            if self._queue:
                yield self._next_chunk()
            else:
                await self._wait()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _next_chunk(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._queue and (not parts or size + len(self._queue[0][0].data) <= CHUNK_BYTES):
            part, duration = self._queue.popleft()
            size += len(part.data)
            parts.append(self._framed(part, duration))
        self.queued -= size
        return b"".join(parts)

    def _framed(self, part: Fragment, duration: int | None) -> bytes:
        """Return a frame as this viewer's response holds it."""
        if self._init is not None and self._init.media_type == JPEG_TYPE:
            head = f"--{BOUNDARY}\r\nContent-Type: {JPEG_TYPE}\r\nContent-Length: {len(part.data)}\r\n\r\n"
            return head.encode() + part.data + b"\r\n"
        time, offset = self._origin or (0, 0)
        return at_time(part.data, part.time - time, part.offset - offset, duration)

    def leave(self) -> None:
        """Leave the broadcast; what is queued is dropped."""
        self._drop()
        self._ended = True
        self._broadcast.leave(self)
