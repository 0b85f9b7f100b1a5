"""Detects changes of frame size and format in mid-stream, and what they mean for clips."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from typing import Literal

from shared_utils.media.bitstream.parameter_sets import PictureFormat
from vcam_worker import messages
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet

CHANGES, CHANGES_WINDOW_S = 3, 60.0
"""Number of changes, within this time, that are no longer a person's doing, but the camera's habit."""

REPORTED = 3
"""Changes per connection that are logged."""

Change = Literal["none", "new clip", "new stream"]
"""What a keyframe means for the open clip; after ``new stream``, no clip contains packets from before it."""

Log = logging.LoggerAdapter[logging.Logger]


class PictureChanges:
    """Tells what each keyframe's picture format means for clips.

    Parameter sets that differ, but describe the same format, change nothing, and are written into the clip. A format
    that changes repeatedly is encoded to one size, as copied clips would be one GOP long each.

    Args:
        log: takes one line per change, as long as they are few.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._format: tuple[PictureFormat, int] | None = None  # format and framing of the last keyframe
        self._count = 0
        self._changes: deque[tuple[float, PictureFormat]] = deque(maxlen=CHANGES)

    def follow(self, packet: Packet, info: StreamInfo) -> tuple[StreamInfo, Change]:
        """Return what the stream is from the keyframe `packet` on, and what that means."""
        picture = packet.picture
        if picture is None:
            return info, "none"
        found = (picture, packet.sets.length_size if packet.sets else 0)
        before, self._format = self._format, found
        if before is None:
            # the stream's description may be out of date: the keyframe takes precedence
            return info.with_picture(picture), "none"
        if found == before:
            return self._copy_again(packet.time, picture, info)
        self._changes.append((packet.time, picture))
        if self._restless(packet.time):
            return self._encode(info)
        info = info.with_picture(picture)
        self._count += 1
        if self._count <= REPORTED:
            more = "; further changes are not logged" if self._count == REPORTED else ""
            self._log.info(messages.STREAM_CHANGED, info, more)
        return info, "new stream"

    def _restless(self, time: float) -> bool:
        return len(self._changes) == CHANGES and time - self._changes[0][0] <= CHANGES_WINDOW_S

    def _encode(self, info: StreamInfo) -> tuple[StreamInfo, Change]:
        pictures = sorted({one for _, one in self._changes}, key=lambda one: one.width * one.height, reverse=True)
        encoded = replace(info, encoded=True).with_picture(pictures[0])
        if info.encoded:
            return encoded, "none"
        self._log.warning(
            messages.PICTURE_RESTLESS,
            ", ".join(map(str, pictures)),
            pictures[0],
        )
        return encoded, "new clip"

    def _copy_again(self, time: float, picture: PictureFormat, info: StreamInfo) -> tuple[StreamInfo, Change]:
        if not info.encoded or self._restless(time):
            return info, "none"
        info = replace(info, encoded=False).with_picture(picture)
        self._log.info(messages.PICTURE_STEADY_AGAIN, info)
        return info, "new stream"
