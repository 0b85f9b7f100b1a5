"""WatchLive: a camera's picture with its boxes and events, while they happen."""

from notebooks.lab.live.watch import LiveView, watch_live

__all__ = ["LiveView", "watch_live"]
