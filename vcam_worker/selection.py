"""Which streams of a connection are recorded: the first pictures that can be decoded, and sound that MP4 holds."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

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
