"""Security rules for opening video files: protocol ``file`` only, and only formats that contain the video themselves.

A file named ``clip.mp4`` may be a playlist, a stream description or a list of files, with which FFmpeg would open other
files or URLs (https://ffmpeg.org/ffmpeg-protocols.html: ``protocol_whitelist``). The rules hold for every program.
"""

from __future__ import annotations

from pathlib import Path

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,ogg,dhav,mxf,ivf,nut,"
    "h264,hevc,mpegvideo,m4v,obu,av1,mjpeg,gif"
)
"""FFmpeg's demuxers that open nothing but the file they are given."""

FILE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
"""Options for ``av.open``."""


def file_url(path: Path | str) -> str:
    """Return a URL for ``av.open``, which would take what precedes a colon (``12:30.mp4``) for a protocol."""
    return f"file:{path}"
