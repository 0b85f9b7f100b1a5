"""Demuxes segments by PyAV, each by itself: MPEG-TS, or fragmented MP4 with its initialization section."""

from __future__ import annotations

import io
from dataclasses import replace

import av
from av.container import InputContainer
from av.stream import Stream

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError
from vcam_worker.stream.connection import MAX_REORDER_S, selected, stream_info
from vcam_worker.stream.info import StreamInfo, check_size, probing_limits
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.sets_reader import SetsReader
from vcam_worker.stream.source_errors import plain

_OPTIONS = {"protocol_whitelist": "none", **probing_limits()}
"""The demuxers get bytes, and open nothing."""
_TIMEOUT_S = 10.0
"""For opening and for each read, which both work in memory."""
_TS_SYNC, _TS_PACKET = b"\x47", 188
_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft", b"free", b"skip"})
"""Types of boxes with which a file of MP4, or a segment of one, may begin (ISO/IEC 14496-12, 8.16)."""


class Demuxer:
    """Demuxes the segments of one connection.

    Args:
        camera: for messages.

    Attributes:
        info: what they deliver; None before the first segment that tells.
    """

    def __init__(self, camera: Camera) -> None:
        self.info: StreamInfo | None = None
        self._camera = camera
        self._sets = SetsReader("", None)
        self._description: bytes | None = None
        self._sound: tuple[object, ...] | None = None

    def packets(self, data: bytes, section: bytes | None) -> list[Packet]:
        """Return a segment's packets, frames and sound in the order of their timestamps.

        Args:
            data: the segment.
            section: its initialization section; None without.

        Returns:
            Packets with timestamps as they are in the segment; none where it cannot be decoded by itself, and nothing
            before could.

        Raises:
            SourceEnded: the stream has another codec from here on.
            SourceError: it is no segment with video.
        """
        content = (section or b"") + data
        kind = _format(content)
        if kind is None:
            raise SourceError(f"{self._camera.display_url}: a segment is neither MPEG-TS nor fragmented MP4")
        try:
            with av.open(
                io.BytesIO(content), "r", kind, _OPTIONS, timeout=_TIMEOUT_S, metadata_errors="replace"
            ) as container:
                return self._demuxed(container)
        except av.FFmpegError as error:
            raise SourceError(f"{self._camera.display_url}: a segment cannot be read ({plain(error)})") from None

    def _demuxed(self, container: InputContainer) -> list[Packet]:
        video, sound, left_out = selected(container, self._camera)
        info = stream_info(video, sound, left_out, "hls")
        if self.info is None:
            if not info.width:
                return []
            self.info, self._sound = info, _sound_format(sound)
            self._sets = SetsReader(info.codec, info.extradata)
            self._description = info.description
        elif info.codec != self.info.codec:
            raise SourceEnded(f"the camera changed its codec from {self.info.codec} to {info.codec}")
        if self.info.audio is None or _sound_format(sound) != self._sound:
            sound = None
        description = info.description if container.format.name != "mpegts" else None
        changed = description if description != self._description else None
        return self._in_order(container, video, sound, changed)

    def _in_order(
        self, container: InputContainer, video: av.VideoStream, sound: Stream | None, description: bytes | None
    ) -> list[Packet]:  # fmt: skip
        found: list[tuple[float, Packet]] = []
        latest = {"video": float("-inf"), "audio": float("-inf")}
        for raw in container.demux([video, sound] if sound else [video]):
            if not raw.size:
                continue
            packet = _packet(raw, is_video=raw.stream.index == video.index)
            if packet.kind == "video":
                if description is not None:
                    packet.description, self._description, description = description, description, None
                if not self._sets.take(packet):
                    continue
                if packet.picture:
                    check_size(packet.picture.width, packet.picture.height)
            if packet.dts is not None:
                latest[packet.kind] = max(latest[packet.kind], packet.dts)
            found.append((latest[packet.kind], packet))
        found.sort(key=lambda one: one[0])
        return [packet for _, packet in found]

    def delayed(self, delay_s: float, left_out: tuple[str, ...]) -> StreamInfo:
        """Return :attr:`info` with its delay, and further lines on what is left out.

        Raises:
            SourceError: there is none.
        """
        if self.info is None:
            raise SourceError("the stream sent no picture parameters while it was opened")
        return replace(self.info, delay_s=delay_s, left_out=(*self.info.left_out, *left_out))


def _format(content: bytes) -> str | None:
    """Return FFmpeg's name of a segment's format; None for others than those of HLS with video."""
    if content[:1] == _TS_SYNC and content[_TS_PACKET : _TS_PACKET + 1] in {b"", _TS_SYNC}:
        return "mpegts"
    return "mp4" if content[4:8] in _BOXES else None


def _packet(raw: av.Packet[Stream], *, is_video: bool) -> Packet:
    base = float(raw.time_base)
    stamp = raw.dts if raw.dts is not None else raw.pts
    delay = (raw.pts - raw.dts) * base if raw.pts is not None and raw.dts is not None else 0.0
    return Packet(
        kind="video" if is_video else "audio",
        data=bytes(raw),
        is_keyframe=raw.is_keyframe,
        dts=stamp * base if stamp is not None else None,
        delay=delay if 0 < delay <= MAX_REORDER_S else 0.0,
    )


def _sound_format(sound: Stream | None) -> tuple[object, ...] | None:
    if not isinstance(sound, av.AudioStream):
        return None
    context = sound.codec_context
    return context.name, context.sample_rate, context.layout.name, bytes(context.extradata or b"")
