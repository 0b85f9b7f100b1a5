"""Notices that packets come of which no picture can be made. Pure; times are of the stream, seconds."""

from __future__ import annotations

FAILED_S = 10.0
"""How long nothing can be decoded until that is trouble: loss on a network damages a GOP, not more."""
FAILED_PACKETS = 5
"""Packets tried in that time, at least: with rare keyframes few are."""
NO_KEYFRAME_S = 180.0
"""How long a keyframe is waited for, and nothing decoded, until that is trouble."""


class DecodeHealth:
    """What became of one stream's packets in its decoder.

    Attributes:
        trouble: why there are no pictures, in a line; None while there are, or as long as that is not sure.
        is_well: the last packets gave pictures.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.is_well = False
        self._failed_since: float | None = None
        self._failed = 0
        self._waiting_since: float | None = None

    def decoded(self) -> None:
        """Take note of a picture."""
        self.trouble, self.is_well = None, True
        self._failed_since, self._failed = None, 0
        self._waiting_since = None

    def failed(self, time: float, reason: str | None) -> None:
        """Take note of a packet that was tried and gave no picture.

        Args:
            time: of the packet.
            reason: what the decoder says, if anything.
        """
        if self._failed_since is None or time < self._failed_since:
            self._failed_since, self._failed = time, 0
        self._failed += 1
        seconds = time - self._failed_since
        if self._failed >= FAILED_PACKETS and seconds >= FAILED_S:
            self._is_ill(f"what the camera sends can not be decoded ({reason or 'no picture comes out'})")

    def keyframe(self) -> None:
        """Take note of a keyframe."""
        self._waiting_since = None

    def waiting(self, time: float) -> None:
        """Take note of a packet that says nothing without a keyframe before it."""
        if self._waiting_since is None or time < self._waiting_since:
            self._waiting_since = time
        if time - self._waiting_since >= NO_KEYFRAME_S:
            self._is_ill(
                f"the camera has sent no keyframe for {NO_KEYFRAME_S:.0f} s, so that nothing can be decoded: "
                "set its keyframe interval to a few seconds"
            )

    def _is_ill(self, trouble: str) -> None:
        self.trouble, self.is_well = self.trouble or trouble, False
