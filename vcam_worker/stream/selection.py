"""Which streams of a connection are recorded: the first pictures that can be decoded, and sound that MP4 holds."""

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
from vcam_worker.stream.source_errors import OPEN_TIMEOUT

COPY_CODECS = frozenset({"h264", "hevc"})
"""Copied into clips as they are; other codecs are encoded."""
COPY_AUDIO_CODECS = frozenset({"aac", "opus"})
"""Sound that MP4 holds as it is."""


@dataclass(frozen=True)
class Selection:
    """What is recorded.

    Attributes:
        video: the pictures; None where nothing can be decoded.
        audio: the sound; None without.
        left_out: a line for each thing that is sent and not recorded.
    """

    video: av.VideoStream | None
    audio: Stream | None
    left_out: tuple[str, ...]


def select(container: InputContainer) -> Selection:
    """Choose from an open container's streams. Streams that nobody has a decoder for have no `codec_context`."""
    known = [one for one in container.streams.video if one.codec_context is not None]
    moving = [one for one in known if not one.disposition & Disposition.attached_pic] or known
    # a stream that is announced and sends nothing has no size
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
    container: InputContainer, video: av.VideoStream, may_follow: bool
) -> Iterator[av.Packet[Stream]]:  # fmt: skip
    """Return the packets of a stream whose picture is still unknown.

    A camera that puts its parameter sets into its keyframes alone tells its picture at the next one only, which may be
    minutes away.

    Args:
        container: open.
        video: its pictures.
        may_follow: packets have come, or it is not known.

    Raises:
        SourceError: there is something else wrong with it.
    """
    passed, until = [], time.monotonic() + OPEN_TIMEOUT
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
