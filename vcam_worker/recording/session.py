"""An open clip: being written, or held at its end until the next keyframe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vcam_worker.recording.clip_writer import ClipSummary, ClipWriter
from vcam_worker.stream.packets import Packet

HELD_BYTES = 16 * 1024 * 1024
"""Most bytes kept in memory after the end of a held clip; beyond that they are written to it after all."""


@dataclass(frozen=True)
class FinishedClip:
    """A closed clip, in stream time.

    Attributes:
        start, end: seconds.
        trigger: seconds; equal to `start` where motion continued from the previous clip.
        started_at: local time of its first frame.
        path: the complete file, still under the name it was written to.
        summary: its frames and duration.
    """

    start: float
    trigger: float
    end: float
    started_at: datetime
    path: Path
    summary: ClipSummary


class ClipSession:
    """A clip that is not finished yet.

    A clip whose end falls into a long GOP is held open until the next keyframe: motion before that belongs to it, as no
    other clip can begin there. Only then are the packets since its end written.

    Args:
        writer: the file.
        start, trigger: stream time, seconds.
        started_at: local time of its first frame.
    """

    def __init__(self, writer: ClipWriter, start: float, trigger: float, started_at: datetime) -> None:
        self.start = start
        self._writer = writer
        self._trigger = trigger
        self._started_at = started_at
        self._held: list[Packet] = []
        self._held_bytes = 0
        self._end: float | None = None
        self.resumed = False

    @property
    def is_held(self) -> bool:
        """The clip has reached its end, and resumes if something moves before the next keyframe."""
        return self._end is not None

    def write(self, packet: Packet) -> None:
        """Write a packet, or keep it while the clip is held."""
        if self._end is None:
            self._writer.write(packet)
            return
        self._held.append(packet)
        self._held_bytes += len(packet.data)
        if self._held_bytes > HELD_BYTES:
            self._end = packet.time
            self._write_held()

    def hold(self, end: float) -> None:
        """End at stream time `end`, for now."""
        self._end = end

    def resume(self) -> None:
        """Continue: something moves, and no keyframe has arrived."""
        self._end = None
        self.resumed = True
        self._write_held()

    def _write_held(self) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        for packet in held:
            self._writer.write(packet)

    def finish(self, end: float) -> FinishedClip:
        """Close the file.

        Args:
            end: stream time, seconds; where the clip is held, that is its end.
        """
        summary = self._writer.close()
        end = end if self._end is None else self._end
        return FinishedClip(self.start, self._trigger, end, self._started_at, self._writer.path, summary)

    def abandon(self) -> None:
        """Close the file, which cannot be written any more."""
        self._writer.close()
