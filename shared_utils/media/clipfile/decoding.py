"""Decode a clip's stream; damage costs no more than the damaged frames."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared_utils.media.clipfile.stream import packets


class Decoder:
    """A stream's decoder that continues after damage.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self._errors = 0

    def decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Return the frames that `packet` completes."""
        try:
            return self._context.decode(packet)
        except av.error.EOFError:  # the decoder was flushed before
            return []
        except MemoryError:
            raise
        except av.error.FFmpegError:  # damage, too large a frame, a feature that FFmpeg lacks
            self._errors += 1
            return []

    def flush(self) -> Iterator[VideoFrame]:
        """Yield the frames that the decoder still holds at the end of the stream."""
        yield from self.decode(None)

    def take_errors(self) -> int:
        """Return the number of packets that could not be decoded since the last call."""
        errors, self._errors = self._errors, 0
        return errors


def decoded_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield every frame that can be decoded, in display order, from the current position of `container` on."""
    decoder = Decoder(stream)
    for packet in packets(container, [stream]):
        yield from decoder.decode(packet)
    yield from decoder.flush()
