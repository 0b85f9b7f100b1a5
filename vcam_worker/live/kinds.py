"""The kinds of live subscription that a camera's process serves."""

from __future__ import annotations

from collections.abc import Callable

from vcam_worker.live.camera_side import Kind
from vcam_worker.live.channel import ChannelWriter
from vcam_worker.live.commands import FramesWanted, VideoWanted
from vcam_worker.live.frames.service import FrameService
from vcam_worker.live.video.service import VideoService
from vcam_worker.motion.watcher import MotionWatcher


def live_kinds(writer: ChannelWriter, watcher: Callable[[], MotionWatcher | None]) -> dict[type, Kind]:
    """Return the kinds, by the class of their wishes.

    Args:
        writer: of the data channel.
        watcher: returns who looks for motion now, in the main stream or in the sub-stream.
    """
    return {FramesWanted: FrameService(writer, watcher), VideoWanted: VideoService(writer)}
