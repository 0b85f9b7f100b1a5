"""Decoding a clip's stream so that damage costs no more than the damaged frames."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared_utils.media.clipfile.stream import packets


class Decoder:
    """A stream's decoder that goes on after damage.

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
        except av.error.EOFError:  # of a decoder that was emptied
            return []
        except MemoryError:
            raise
        except av.error.FFmpegError:  # damage, a picture that is too large, what FFmpeg does not know yet
            self._errors += 1
            return []

    def rest(self) -> Iterator[VideoFrame]:
        """Yield the frames that the decoder still holds."""
        yield from self.decode(None)

    def take_errors(self) -> int:
        """Return how many packets could not be decoded since this was asked last."""
        errors, self._errors = self._errors, 0
        return errors


def decoded_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield every frame that can be decoded, in the order of showing, from where `container` is read on."""
    decoder = Decoder(stream)
    for packet in packets(container, [stream]):
        yield from decoder.decode(packet)
    yield from decoder.rest()
