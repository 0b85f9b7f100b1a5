"""Decodes the main stream for live frames, where nobody else does, by PyAV: full quality, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from av import FFmpegError, VideoCodecContext, VideoFrame
from av import Packet as AvPacket
from av.video.reformatter import VideoReformatter

from shared_utils.errors import SourceError
from shared_utils.media.picture import Picture
from vcam_worker import messages
from vcam_worker.live.frames.rates import FrameRates
from vcam_worker.motion.decoder import MICROSECONDS
from vcam_worker.stream.info import StreamInfo, video_decoder
from vcam_worker.stream.packets import Packet

NEWEST_S = 0.3
"""Age relative to the newest packet from which a frame is only decoded through, and not taken: packets come in bursts
of 0.2 s."""
BEHIND_S = 2.0
"""Age of the oldest packet that waits from which decoding goes on at the newest keyframe instead."""
MAX_QUEUED_BYTES = 80 * 1024 * 1024
"""Most bytes of packets that wait: a whole ring, which holds the same bytes, and what comes while it is decoded."""
MAX_WAITING = 60
"""Most packets held back until a frame that is due needs them: more would be decoded in one long burst."""

MAX_REFORMATTERS = 16
"""Sizes whose tables are kept."""

DecodedFrame = VideoFrame
"""The video library's own: whoever holds one keeps its memory from the decoder."""
TakeFrame = Callable[[VideoFrame, float, float], None]
"""Takes a decoded frame, its stream time, and when it was received, seconds since the epoch."""


class _Queued(NamedTuple):
    packet: Packet
    wall_offset: float  # seconds since the epoch, minus stream time


class MainDecoder:
    """Decodes one stream from a keyframe on, as far as frames that are due need it.

    Args:
        info: the stream.
        rates: when frames are due.
        take: called in the decoder's thread with each frame that is due; must not wait for anything.
    """

    def __init__(self, info: StreamInfo, rates: FrameRates, take: TakeFrame) -> None:
        self._info = info
        self._rates = rates
        self._take = take
        self._queue: deque[_Queued] = deque()
        self._queued_bytes = 0
        self._needs_keyframe = True
        self._changed = threading.Condition()
        self._stopped = False
        self._is_intra_only = info.codec == "mjpeg"
        self._context: VideoCodecContext | None = None  # from the first keyframe on
        self._waiting: list[_Queued] = []
        self._thread = threading.Thread(target=self._run, name="live decoder", daemon=True)
        self._thread.start()

    def put(self, packets: Iterable[Packet], wall_offset: float) -> None:
        """Add packets of the stream, in stream time; does not block.

        Args:
            packets: the next ones; those before the first keyframe are skipped.
            wall_offset: seconds since the epoch at stream time 0.
        """
        with self._changed:
            newest = 0.0
            for packet in packets:
                self._add(packet, wall_offset)
                newest = packet.time + packet.delay
            # waking up for each packet costs more than it saves
            if newest >= self._rates.due or len(self._queue) >= MAX_WAITING:
                self._changed.notify()

    def _add(self, packet: Packet, wall_offset: float) -> None:
        if packet.kind != "video":
            return
        if packet.is_keyframe:
            if self._queue and packet.time - self._queue[0].packet.time > BEHIND_S:
                self._clear()
            self._needs_keyframe = False
        elif self._queued_bytes > MAX_QUEUED_BYTES:
            self._clear()
            self._needs_keyframe = True
        if not self._needs_keyframe:
            self._queue.append(_Queued(packet, wall_offset))
            self._queued_bytes += len(packet.data)

    def _clear(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def stop(self) -> None:
        """Stop; the thread ends by itself, after the packet that it is decoding, of which no frame is taken."""
        with self._changed:
            self._stopped = True
            self._clear()
            self._changed.notify()

    def _run(self) -> None:
        log = logging.getLogger(__name__)
        try:
            while batch := self._next():
                self._decode_through(batch)
        except SourceError as error:
            log.debug("no live frames: %s", error)
        except Exception:  # the outermost call of this thread: recording goes on without it
            log.exception(messages.LIVE_FRAMES_FAILED)

    def _next(self) -> list[_Queued]:
        """Return all packets that wait, as soon as there are some; none when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopped)
            batch = list(self._queue)
            self._clear()
            return batch

    def _decode_through(self, batch: list[_Queued]) -> None:
        newest = batch[-1].packet.time
        for queued in batch:
            packet = queued.packet
            if packet.is_keyframe or self._is_intra_only:
                self._waiting.clear()  # no later packet depends on them
            if packet.is_keyframe and not self._is_intra_only:
                self._rates.align(packet.time)
            self._waiting.append(queued)
            due = max(self._rates.due, newest - NEWEST_S)
            if packet.time + packet.delay < due and len(self._waiting) < MAX_WAITING:
                continue
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if self._stopped:
                    return
                for frame in self._decode(one.packet):
                    self._if_due(frame, newest, one.wall_offset)

    def _decode(self, packet: Packet) -> list[VideoFrame]:
        if self._context is None:
            self._context = video_decoder(self._info.at_keyframe(packet))
        raw = AvPacket(packet.data)
        raw.dts = round(packet.time * MICROSECONDS)
        raw.pts = round((packet.time + packet.delay) * MICROSECONDS)
        try:
            return self._context.decode(raw)
        except FFmpegError:  # damaged; the decoder continues with the next one
            return []

    def _if_due(self, frame: VideoFrame, newest: float, wall_offset: float) -> None:
        if frame.pts is None:
            return
        time = frame.pts / MICROSECONDS
        with self._changed:  # no frame comes after stop(): stream time may have begun again
            if not self._stopped and time >= newest - NEWEST_S and time >= self._rates.due:
                self._take(frame, time, wall_offset + min(time, newest))


class Pictures:
    """Turns decoded frames into pictures; for one thread."""

    def __init__(self) -> None:
        self._reformatters: dict[int | None, VideoReformatter] = {}  # each keeps its tables for one size

    def picture(self, frame: VideoFrame, width: int | None) -> Picture:
        """Return a frame as blue, green, red, at most `width` pixels wide; None keeps its size.

        Raises:
            ValueError: it cannot be converted, such as one that is a pixel wide.
        """
        if width not in self._reformatters and len(self._reformatters) >= MAX_REFORMATTERS:
            self._reformatters.clear()
        reformatter = self._reformatters.setdefault(width, VideoReformatter())
        wide = min(width or frame.width, frame.width) & ~1
        high = max(2, round(frame.height * wide / frame.width)) & ~1
        try:
            scaled = reformatter.reformat(frame, wide, high, "bgr24", interpolation="AREA", threads=1)
        except FFmpegError as error:
            raise ValueError(f"a frame of {frame.width}×{frame.height} cannot be converted") from error
        return np.asarray(scaled.to_ndarray(), np.uint8)
