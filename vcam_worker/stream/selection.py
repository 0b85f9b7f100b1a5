"""Chooses the streams to record: the first video that can be decoded, and audio that MP4 can hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from shared_utils.errors import SourceError

COPY_CODECS = frozenset({"h264", "hevc"})
"""Video that is copied into clips; other codecs are encoded."""
COPY_AUDIO_CODECS = frozenset({"aac", "opus"})
"""Audio that is copied into clips."""


@dataclass(frozen=True)
class Selection:
    """The streams to record.

    Attributes:
        video: None where nothing can be decoded.
        audio: None without.
        left_out: one line per stream that is sent and not recorded.
    """

    video: av.VideoStream | None
    audio: Stream | None
    left_out: tuple[str, ...]


def select(container: InputContainer) -> Selection:
    """Choose from an open container's streams. A stream without a decoder has no `codec_context` in PyAV."""
    known = [one for one in container.streams.video if one.codec_context is not None]
    moving = [one for one in known if not one.disposition & Disposition.attached_pic] or known
    # a stream that is announced, and sends nothing, has no size
    video = next((one for one in moving if one.codec_context.width), next(iter(moving), None))
    audio = next((one for one in container.streams.audio if _sound_codec(one) in COPY_AUDIO_CODECS), None)
    left_out = [_of_video(one) for one in container.streams.video if one is not video]
    if audio is None:
        left_out += [_of_sound(one) for one in container.streams.audio]
    elif len(container.streams.audio) > 1:
        left_out.append(f"other sound is left out: of {len(container.streams.audio)}, stream {audio.index} is recorded")
    return Selection(video, audio, tuple(dict.fromkeys(left_out)))


def _sound_codec(stream: Stream) -> str | None:
    return stream.codec_context.name if stream.codec_context is not None else None


def _of_video(stream: av.VideoStream) -> str:
    if stream.codec_context is None:
        return f"video stream {stream.index} is left out: its codec is unknown"
    return f"video stream {stream.index} is left out: one is recorded for each camera"


def _of_sound(stream: Stream) -> str:
    codec = _sound_codec(stream)
    if codec is None:
        return "sound is left out: its codec is unknown"
    return f"sound is left out: {codec} does not fit into MP4"


def joined_in_mid_gop(
    container: InputContainer, video: av.VideoStream, may_follow: bool, timeout_s: float
) -> Iterator[av.Packet[Stream]]:  # fmt: skip
    """Return the packets of a stream whose frame size is still unknown.

    A camera that sends parameter sets in keyframes alone tells its frame size with the next one, perhaps in minutes.

    Args:
        container: open.
        video: its video stream.
        may_follow: packets have arrived, or that is not known.
        timeout_s: time for a packet of it.

    Raises:
        SourceError: something else is wrong with it.
    """
    passed, until = [], time.monotonic() + timeout_s
    with suppress(av.FFmpegError):
        demuxed = container.demux()
        while may_follow and time.monotonic() < until:
            raw = next(demuxed, None)
            if raw is None:
                break
            passed.append(raw)
            if raw.stream.index == video.index and raw.size:
                if raw.is_keyframe or video.codec_context.codec.canonical_name not in COPY_CODECS:
                    break
                return chain(passed, demuxed)
    raise SourceError("the stream sent no picture parameters while it was opened")
