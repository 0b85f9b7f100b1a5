"""Encodes live frames as JPEG in a thread of its own: each frame once per size and quality, and always the newest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from shared_utils.media.picture import encode_jpeg
from vcam_worker import messages
from vcam_worker.live.channel import ChannelWriter
from vcam_worker.live.commands import FramesWanted
from vcam_worker.live.frames.decoder import DecodedFrame, Pictures
from vcam_worker.live.frames.message import FRAME, Frame, pack_frame

QUALITY = 90
"""Of the JPEG where none is asked for: small text stays readable."""


@dataclass
class _Job:
    frame: DecodedFrame
    at: float
    share: float
    is_moving: bool
    wanted: dict[int, FramesWanted]  # by subscription


class FrameEncoder:
    """Encodes frames, and sends them to their subscriptions. Its methods may be called from any thread.

    Args:
        writer: of the data channel.

    Attributes:
        made: JPEGs encoded.
    """

    def __init__(self, writer: ChannelWriter) -> None:
        self.made = 0
        self._writer = writer
        self._job: _Job | None = None
        self._changed = threading.Condition()
        self._stopped = True
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to encode, unless that was begun already."""
        with self._changed:
            if self._stopped:
                self._stopped = False
                self._thread = threading.Thread(target=self._run, name="live encoder", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop; the thread ends by itself, after the picture that it is encoding."""
        with self._changed:
            self._stopped = True
            self._job = None
            self._changed.notify()

    def put(
        self, frame: DecodedFrame, at: float, share: float, is_moving: bool, wanted: Mapping[int, FramesWanted]
    ) -> None:
        """Have a frame encoded, instead of an older one that still waits.

        Args:
            frame: decoded.
            at: when it was received, seconds since the epoch.
            share: moving share of the picture.
            is_moving: there is motion.
            wanted: what subscriptions want of it, by number.
        """
        with self._changed:
            before = self._job.wanted if self._job else {}
            self._job = _Job(frame, at, share, is_moving, {**before, **wanted})
            self._changed.notify()

    def forget(self, number: int) -> None:
        """Send nothing more to a subscription."""
        with self._changed:
            if self._job:
                self._job.wanted.pop(number, None)

    def _run(self) -> None:
        try:
            pictures = Pictures()
            while job := self._next():
                self._encode(job, pictures)
        except Exception:  # the outermost call of this thread: recording goes on without it
            logging.getLogger(__name__).exception(messages.LIVE_FRAMES_FAILED)

    def _next(self) -> _Job | None:
        with self._changed:
            me = threading.current_thread()
            self._changed.wait_for(lambda: self._job or self._stopped or self._thread is not me)
            if self._stopped or self._thread is not me:
                return None
            job, self._job = self._job, None
            return job

    def _encode(self, job: _Job, pictures: Pictures) -> None:
        for number, wanted in job.wanted.items():
            try:
                jpeg = encode_jpeg(pictures.picture(job.frame, wanted.width), wanted.quality or QUALITY)
            except ValueError:  # a frame that cannot be converted, or that no JPEG can hold
                continue
            self.made += 1
            payload = pack_frame(Frame(job.at, job.share, job.is_moving, jpeg))
            self._writer.send_newest(number, FRAME, payload)
