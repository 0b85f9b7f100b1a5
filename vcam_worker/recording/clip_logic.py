"""Decides when a clip starts, continues and ends, by stream time alone, so that replay and live capture agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from shared_utils.config.cameras import MotionSettings
from shared_utils.config.setting import Setting

STILL_S = 2.0
"""Motion this long ago still continues: a person who pauses for a step is one trigger."""


@dataclass(frozen=True)
class ClipRules:
    """How long clips are.

    Attributes:
        clip_seconds: the whole length.
        pre_roll_seconds: the part of it before the trigger.
    """

    clip_seconds: Annotated[float, Setting("CLIP_SECONDS", "length of a clip, seconds", ge=2, le=600)] = 30.0
    pre_roll_seconds: Annotated[
        float, Setting("PRE_ROLL_SECONDS", "part of a clip from before the motion, seconds", ge=0, le=30)
    ] = 5.0


class ClipLogic:
    """Turns motion and packets into "start", "end here", "continue in a new clip".

    Args:
        rules: lengths of clips.
        hits_to_trigger: consecutive analysed frames with motion that start a clip: a single one is a glitch.
    """

    def __init__(self, rules: ClipRules, hits_to_trigger: int = 2) -> None:
        self.rules = rules
        self._hits_to_trigger = hits_to_trigger
        self._hits = 0
        self._first_hit = 0.0
        self._last_motion: float | None = None
        self._clip_start: float | None = None

    @classmethod
    def of(cls, rules: ClipRules, motion: MotionSettings) -> ClipLogic:
        """Return the logic for a stream that is watched as `motion` says."""
        # keyframes are seconds apart: waiting for a second one would miss most motion
        return cls(rules, hits_to_trigger=1 if motion.decode == "keyframes" else 2)

    @property
    def recording(self) -> bool:
        """A clip is open."""
        return self._clip_start is not None

    def motion(self, time: float, moving: bool) -> float | None:
        """Take the verdict on one analysed frame.

        Returns:
            The trigger's time, of the first frame that moved, if a clip is to start now; else None.
        """
        if not moving:
            self._hits = 0
            return None
        if self._hits == 0:
            self._first_hit = time
        self._hits += 1
        if self._hits < self._hits_to_trigger:
            return None
        self._last_motion = time
        return None if self.recording else self._first_hit

    @property
    def settled_until(self) -> float:
        """Stream time before which motion decides nothing; 0 without an open clip."""
        if self._clip_start is None:
            return 0.0
        return self._clip_start + self.rules.clip_seconds - STILL_S

    def started(self, clip_start: float) -> None:
        """A clip was opened whose first packet is at `clip_start`."""
        self._clip_start = clip_start

    def ended(self) -> None:
        """The clip was closed."""
        self._clip_start = None

    def moving_at(self, time: float) -> bool:
        """Whether motion continues at `time`."""
        return self._last_motion is not None and time - self._last_motion <= STILL_S

    def is_over(self, time: float, is_keyframe: bool) -> bool:
        """Whether the open clip ends before a video packet at `time`.

        A clip that is followed by another one ends at a keyframe, so that the next begins where this one stops.
        """
        if self._clip_start is None or time - self._clip_start < self.rules.clip_seconds:
            return False
        return is_keyframe or not self.moving_at(time)
