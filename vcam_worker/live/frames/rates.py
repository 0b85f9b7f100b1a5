"""Which frames each subscription wants, by stream time. Pure; may be used from several threads."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from vcam_worker.live.commands import FramesWanted

EARLY_S = 0.01
"""Time by which a frame may be early: stream time follows the arrivals, and a camera's interval is never exact."""
ALIGN_SHARE = 0.2
"""Share of its interval by which a frame comes early at most, to fall on a keyframe: nothing else must be decoded for
it. Where intervals divide the GOP, all of them are aligned after five GOPs, and the GOP's end is never decoded."""


@dataclass
class _Rate:
    wanted: FramesWanted
    due: float = -math.inf


class FrameRates:
    """The rates of several subscriptions, and when each wants its next frame. Times are stream time, seconds."""

    def __init__(self) -> None:
        self._rates: dict[int, _Rate] = {}
        self._is_moving = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rates)

    def set(self, number: int, wanted: FramesWanted) -> None:
        """Add a subscription, which wants a frame at once, or change what one wants."""
        with self._lock:
            before = self._rates.get(number)
            is_same = before is not None and before.wanted.asked == wanted.asked
            self._rates[number] = _Rate(wanted, before.due if before and is_same else -math.inf)

    def remove(self, number: int) -> None:
        """Remove a subscription, if it is there."""
        with self._lock:
            self._rates.pop(number, None)

    def set_moving(self, is_moving: bool) -> None:
        """Note whether there is motion, which some subscriptions wait for."""
        self._is_moving = is_moving

    def restart(self) -> None:
        """Stream time begins again: each subscription wants the next frame."""
        with self._lock:
            for rate in self._rates.values():
                rate.due = -math.inf

    @property
    def wants_motion(self) -> bool:
        """A subscription waits for motion."""
        with self._lock:
            return any(rate.wanted.motion_fps for rate in self._rates.values())

    @property
    def due(self) -> float:
        """From when on the next frame is wanted; infinity while none is."""
        with self._lock:
            dues = [rate.due for rate in self._rates.values() if _fps(rate.wanted, self._is_moving)]
        return min(dues, default=math.inf) - EARLY_S

    def align(self, keyframe: float) -> None:
        """Move frames that are due after a keyframe towards it, or those of the next GOPs towards theirs."""
        with self._lock:
            for rate in self._rates.values():
                fps = _fps(rate.wanted, self._is_moving)
                if fps and rate.due > keyframe:
                    rate.due -= min((rate.due - keyframe) % (1 / fps), ALIGN_SHARE / fps)

    def take_due(self, time: float) -> dict[int, FramesWanted]:
        """Return the subscriptions that want the frame at `time`, by number; each wants the next one a step later."""
        found = {}
        with self._lock:
            for number, rate in self._rates.items():
                fps = _fps(rate.wanted, self._is_moving)
                if fps and time >= rate.due - EARLY_S:
                    rate.due = next_due(rate.due, time, 1 / fps)
                    found[number] = rate.wanted
        return found


def next_due(due: float, time: float, step: float) -> float:
    """Return when the next frame is due after one at `time` that was due at `due`.

    Counting from the last due time keeps the rate; after a gap, it counts from this frame.
    """
    return due + step if due + step > time else time + step


def _fps(wanted: FramesWanted, is_moving: bool) -> float:
    return max(wanted.fps, wanted.motion_fps) if is_moving else wanted.fps
