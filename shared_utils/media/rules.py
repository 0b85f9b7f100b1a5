"""How video files are opened: by the protocol ``file`` alone, and only in formats that hold the pictures themselves.

A file may claim to be anything. A playlist, a description of a stream or a list of files under the name ``clip.mp4``
would have the video library open other files, or addresses. The rules hold for every program.
"""

from __future__ import annotations

from pathlib import Path

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,ogg,dhav,mxf,ivf,nut,"
    "h264,hevc,mpegvideo,m4v,obu,av1,mjpeg,gif"
)
"""Demuxers that open nothing but what they are given."""

FILE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
"""Options for ``av.open``."""


def file_url(path: Path | str) -> str:
    """Return a path for ``av.open``, so that no colon in a name passes for a protocol: ``12:30:00.mp4`` is a file."""
    return f"file:{path}"
