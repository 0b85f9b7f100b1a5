"""Reports long GOPs, and what they cost."""

from __future__ import annotations

import logging

from vcam_worker import messages
from vcam_worker.recording.clip_logic import ClipRules
from vcam_worker.recording.ring import MAX_BYTES
from vcam_worker.stream.packets import Packet

LONG_GOP_S = 10.0
"""Interval between keyframes from which clips become noticeably longer than configured."""
REPORT_AFTER_S = 60.0
"""Time without a keyframe after which the report no longer waits for the next one."""
REMEDY = "set the camera's I-frame interval (GOP) to 1 to 2 s, and turn its smart codec (H.264+, H.265+) off"

Log = logging.LoggerAdapter[logging.Logger]


class GopReport:
    """Logs once per connection what the camera's GOP costs.

    Args:
        rules: lengths of clips.
        log: takes the line.
    """

    def __init__(self, rules: ClipRules, log: Log) -> None:
        self._rules = rules
        self._log = log
        self._keyframe_at: float | None = None
        self._bytes = 0
        self._reported = self._reported_loss = False

    def take(self, packet: Packet) -> None:
        """Take the next video packet, in stream time."""
        if self._reported:
            return
        if self._keyframe_at is not None:
            gop = packet.time - self._keyframe_at
            if packet.is_keyframe and gop > LONG_GOP_S:
                self._report(f"only every {gop:.0f} s", gop)
            elif gop > REPORT_AFTER_S:
                self._report(f"less often than every {gop:.0f} s", gop)
        if packet.is_keyframe:
            self._keyframe_at, self._bytes = packet.time, 0
        self._bytes += len(packet.data)

    def _report(self, how_often: str, gop: float) -> None:
        self._reported = True
        self._log.warning(
            messages.LONG_GOPS,
            how_often,
            gop,
            gop + self._rules.clip_seconds,
            self._rules.clip_seconds,
            self._bytes / 1e6,
            REMEDY,
        )

    def lost_beginning(self) -> None:
        """Log once that a GOP is too large to keep."""
        if not self._reported_loss:
            self._reported_loss = True
            self._log.warning(
                messages.GOP_TOO_LARGE,
                MAX_BYTES // 1024 // 1024,
                REMEDY,
            )
