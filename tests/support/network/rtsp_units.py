"""A camera that sends exactly the NAL units it is given, with the description it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from devtools.rtsp.camera import RtspCamera, Send
from devtools.rtsp.rtp import VIDEO_CLOCK_HZ
from shared_utils.media.bitstream.nal_units import Codec

Units = Sequence[bytes]


@dataclass(frozen=True)
class UnitScript:
    """What a camera sends.

    Attributes:
        codec: of the video.
        sdp_sets: parameter sets that its description names; empty: it names none.
        pictures: (seconds, NAL units) with one RTP stamp each; those without a slice are sent as they are.
        pace: seconds of the stream that are sent per second; None sends all at once.
    """

    codec: Codec
    sdp_sets: Units
    pictures: Sequence[tuple[float, Units]]
    pace: float | None = None

    def sends(self) -> Iterator[Send]:
        """Yield the pictures with their moments of sending."""
        for seconds, units in self.pictures:
            yield Send(seconds / self.pace if self.pace else 0.0, "video", units, round(seconds * VIDEO_CLOCK_HZ))


@contextmanager
def serve_units(script: UnitScript) -> Iterator[str]:
    """Serve `script` from its beginning to everybody who connects, one after the other; give the URL."""
    with RtspCamera(script.sends, script.sdp_sets, codec=script.codec, sound="", hold=False) as camera:
        yield camera.url
