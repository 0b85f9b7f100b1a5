"""Serves frames as H.264 over RTSP by rtsp-rs, which knows RTP over UDP only, and one mount point."""

from __future__ import annotations

import logging
import socket

import rtsp

from camera_emulator import messages
from camera_emulator.address import Address, listen_error
from camera_emulator.h264 import CLOCK_HZ, H264Encoder
from camera_emulator.source import Picture, Source
from shared_utils.errors import SettingError

logger = logging.getLogger(__name__)


class RtspBroadcast:
    """Serves at ``address`` from construction until ``close``; raises SettingError where nothing can listen there.

    ``bitrate`` is in bits per second. Without viewers nothing is drawn or encoded.
    """

    def __init__(self, address: Address, source: Source, bitrate: int) -> None:
        self._encoder = H264Encoder(source.size, source.fps, bitrate)
        self._ticks = 0
        self._viewers = 0
        # rtsp-rs reports a port in use as a RuntimeError without errno; a socket of our own tells why.
        _try_bind(address)
        self._server = rtsp.Server(
            f"{address.ip}:{address.port}",
            public_host=address.ip,
            public_port=address.port,
            session_name="camera_emulator",
        )
        try:
            self._server.start()
        except RuntimeError as error:
            raise SettingError(f"--url {address.url}: cannot listen there ({error}); choose another port") from None

    def send(self, picture: Picture) -> None:
        """Send the frame to all viewers. The first viewer after a pause gets a keyframe at once."""
        viewers = len(self._server.get_viewers())
        if viewers != self._viewers:
            logger.info(messages.VIEWERS, viewers)
        resumed, self._viewers = viewers > 0 and self._viewers == 0, viewers
        ticks = round(picture.time_s * CLOCK_HZ)
        # rtsp-rs advances its clock after a frame, by that frame's duration, which a live source cannot know. An
        # empty frame sends nothing, and so advances the clock to this frame's own time.
        if ticks > self._ticks:
            self._server.send_frame(b"", ticks - self._ticks)
            self._ticks = ticks
        if viewers or not ticks:
            # The first frame is encoded even without viewers, for the parameter sets in the SDP.
            self._server.send_frame(self._encoder.encode(picture.image(), ticks, keyframe=resumed), 0)

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()


def _try_bind(address: Address) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as servers do: the port of one that has just ended is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.ip, address.port))
            probe.listen()
        except OSError as error:
            raise listen_error(address, error) from None
