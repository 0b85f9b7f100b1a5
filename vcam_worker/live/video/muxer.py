"""Turns a stream's packets into live video: fragmented MP4 by packet copy, or the camera's own JPEGs."""

from __future__ import annotations

from dataclasses import dataclass

from shared_utils.media.bitstream.parameter_sets import PictureFormat
from vcam_worker.live.video.fragments import TIMESCALE, codecs_parameter, fragment, init_segment
from vcam_worker.live.video.parts import JPEG_TYPE, Fragment, Init
from vcam_worker.recording.mp4 import Samples
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.selection import COPY_CODECS

JPEG_CODEC = "mjpeg"


class PictureChangedError(Exception):
    """The size or format of the picture has changed: what follows belongs into another file."""


def can_mux(codec: str) -> bool:
    """Tell whether a stream of this codec can be live video."""
    return codec in COPY_CODECS or codec == JPEG_CODEC


class LiveMuxer:
    """Muxes the video of one connection, from the first keyframe that it is given on; sound is left out.

    A frame is handed out when the next one is there, with the time from one to the other as its duration: players
    drop what follows a gap of more than two frames, up to the next keyframe (Media Source Extensions, 3.5.8).

    Args:
        info: the stream, whose codec :func:`can_mux`.
    """

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._samples: Samples | None = None
        self._picture: tuple[PictureFormat | None, int] | None = None
        self._pending: _Pending | None = None
        self._number = 0
        # of the first keyframe: its presentation is the origin of all times
        self._start = self._delay = 0.0

    def take(self, packet: Packet) -> list[Init | Fragment]:
        """Take the next packet, in stream time; return what is ready, in order.

        Raises:
            PictureChangedError: it is a keyframe of another size or format; nothing more may be given.
        """
        if packet.kind != "video":
            return []
        if self._info.codec == JPEG_CODEC:
            return self._jpeg(packet)
        ready: list[Init | Fragment] = []
        if packet.is_keyframe:
            self._check(packet)
        if self._samples is None:
            begun = self._begin(packet) if packet.is_keyframe else None
            if begun is None:
                return []
            ready.append(begun)
        ready += self._mux(packet)
        return ready

    def successor(self) -> LiveMuxer:
        """Return a muxer for what follows a change of the picture."""
        return LiveMuxer(self._info)

    def _jpeg(self, packet: Packet) -> list[Init | Fragment]:
        picture: Init | Fragment = Fragment(0, True, packet.data)
        self._number += 1
        return [picture] if self._number > 1 else [Init(JPEG_TYPE, b""), picture]

    def _check(self, packet: Packet) -> None:
        if packet.picture is None:
            return
        found = (packet.picture, packet.sets.length_size if packet.sets else 0)
        if self._picture is not None and found != self._picture:
            raise PictureChangedError
        if self._samples is not None:
            self._picture = found

    def _begin(self, packet: Packet) -> Init | None:
        """Return the file's beginning, for a keyframe whose parameter sets are known."""
        sets = packet.sets
        if sets is None or not sets.is_complete:
            return None
        picture = packet.picture
        width, height = (picture.width, picture.height) if picture else (self._info.width, self._info.height)
        self._samples = Samples(sets)
        self._picture = (picture, sets.length_size) if picture else None
        self._start, self._delay = packet.time, packet.delay
        media_type = f'video/mp4; codecs="{codecs_parameter(sets)}"'
        return Init(media_type, init_segment(sets, self._samples.config, width, height))

    def _mux(self, packet: Packet) -> list[Init | Fragment]:
        sample = self._samples.sample(packet.data) if self._samples else b""
        if not sample:  # nothing in it can be read: the frame before is shown longer
            return []
        before = self._pending
        time = round((packet.time - self._start) * TIMESCALE)
        time = max(time, before.time + 1 if before else 0)
        offset = round((packet.delay - self._delay) * TIMESCALE)
        self._pending = _Pending(time, offset, packet.is_keyframe, sample)
        return [] if before is None else [self._fragment(before, self._pending)]

    def _fragment(self, frame: _Pending, following: _Pending) -> Fragment:
        self._number += 1
        duration = following.time - frame.time
        data = fragment(
            frame.time, duration, frame.offset, frame.sample, number=self._number, is_keyframe=frame.is_keyframe
        )
        leading_follow = (
            frame.is_keyframe
            and not following.is_keyframe
            and following.time + following.offset < frame.time + frame.offset
        )
        return Fragment(frame.time, frame.is_keyframe, data, frame.offset, leading_follow)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A frame that waits for the next one, which says how long it lasts. Times in ticks."""

    time: int
    offset: int
    is_keyframe: bool
    sample: bytes
