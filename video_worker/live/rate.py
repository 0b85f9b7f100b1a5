"""The rate of the analysis: lowered where the CPU cannot keep up, raised again where it can. Pure.

Only the newest frame of each camera is analysed, so a slow machine never falls behind; but frames that are encoded by
capture and then dropped cost CPU that is missing already. So fewer are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 5.0
"""Time over which is decided."""
MIN_FRAMES = 5
"""Frames of a window that are enough to decide by."""
SLOW_WINDOWS = 2
"""Windows in a row that have to be slow: a model is compiled anew for pictures of another shape."""
SLOW_SHARE = 0.75
"""Share of the frames that is analysed below which the rate is halved."""
SPARE_SHARE = 0.4
"""Share of a window in which the analysis is busy, up to which there is room for twice the rate."""
LEAST_FPS = 0.5
CALM_WINDOWS, IDLE_WINDOWS = 12, 120
"""Windows in a row at the full rate after which it is not too much any more: with frames, a minute; without any, which
prove nothing, ten. A machine that can nearly do it, or has to work for some seconds per minute, says so once."""


@dataclass(frozen=True)
class Window:
    """What happened in a window.

    Attributes:
        received: frames that arrived.
        analysed: frames that were analysed.
        busy_s: seconds that took.
    """

    received: int
    analysed: int
    busy_s: float

    @property
    def is_slow(self) -> bool:
        """Whether too few frames were analysed."""
        return self.received >= MIN_FRAMES and self.analysed < SLOW_SHARE * self.received

    @property
    def has_room(self) -> bool:
        """Whether twice as many could be analysed."""
        return self.busy_s <= SPARE_SHARE * WINDOW_S


class RateControl:
    """Decides on the rate to ask for.

    Args:
        fps: the rate that is wanted, frames per second and camera.

    Attributes:
        fps: the rate to ask for.
        reached_fps: frames analysed per second and camera while it is too much.
        is_too_much: whether the rate was lowered, and the full one has not been reached for long enough since.
    """

    def __init__(self, fps: float) -> None:
        self._wanted = fps
        self.fps = fps
        self.reached_fps = fps
        self.is_too_much = False
        self._slow_windows = 0
        self._calm_share = 0.0

    @property
    def is_lowered(self) -> bool:
        """Whether the rate is less than what is wanted."""
        return self.fps < self._wanted

    def judge(self, window: Window) -> bool:
        """Take a window into account; return whether the rate has changed."""
        before = self.fps
        self._slow_windows = self._slow_windows + 1 if window.is_slow else 0
        if self._slow_windows >= SLOW_WINDOWS:
            self._slow_windows = 0
            self.reached_fps = self.fps * window.analysed / window.received
            self.fps = max(min(LEAST_FPS, self._wanted), self.fps / 2)
            self.is_too_much = True
        elif not window.is_slow and self.is_lowered and window.has_room:
            self.fps = min(self._wanted, self.fps * 2)
        self._calm_share += 1 / (CALM_WINDOWS if window.received >= MIN_FRAMES else IDLE_WINDOWS)
        if self.is_lowered or window.is_slow:
            self._calm_share = 0.0
        elif self._calm_share > 1 - 1e-9:
            self.is_too_much = False
        return self.fps != before
