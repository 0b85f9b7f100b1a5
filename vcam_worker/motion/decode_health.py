"""Detects that packets arrive, but no frame can be decoded. Pure; times are stream time, seconds."""

from __future__ import annotations

FAILED_S = 10.0
"""Time without a decoded frame that counts as trouble: packet loss on a network damages one GOP, no more."""
FAILED_PACKETS = 5
"""Least number of packets tried in that time: with rare keyframes there are few."""
NO_KEYFRAME_S = 180.0
"""Time without a keyframe, and so without a decoded frame, that counts as trouble."""


class DecodeHealth:
    """Whether one stream's packets can be decoded.

    Attributes:
        trouble: why there are no frames, in one line; None while there are some, or while that is uncertain.
        is_well: the last packets were decoded.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.is_well = False
        self._failed_since: float | None = None
        self._failed = 0
        self._waiting_since: float | None = None

    def decoded(self) -> None:
        """A frame was decoded."""
        self.trouble, self.is_well = None, True
        self._failed_since, self._failed = None, 0
        self._waiting_since = None

    def failed(self, time: float, reason: str | None) -> None:
        """A packet was tried and gave no frame.

        Args:
            time: the packet's.
            reason: the decoder's message, if any.
        """
        if self._failed_since is None or time < self._failed_since:
            self._failed_since, self._failed = time, 0
        self._failed += 1
        seconds = time - self._failed_since
        if self._failed >= FAILED_PACKETS and seconds >= FAILED_S:
            self._is_ill(f"what the camera sends cannot be decoded ({reason or 'no picture comes out'})")

    def keyframe(self) -> None:
        """A keyframe arrived."""
        self._waiting_since = None

    def waiting(self, time: float) -> None:
        """A packet arrived that cannot be decoded without a keyframe before it."""
        if self._waiting_since is None or time < self._waiting_since:
            self._waiting_since = time
        if time - self._waiting_since >= NO_KEYFRAME_S:
            self._is_ill(
                f"the camera has sent no keyframe for {NO_KEYFRAME_S:.0f} s, so that nothing can be decoded: "
                "set its keyframe interval to a few seconds"
            )

    def _is_ill(self, trouble: str) -> None:
        self.trouble, self.is_well = self.trouble or trouble, False
