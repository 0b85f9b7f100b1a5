"""Clips that are opened when their connection is closed already."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.support.footage.video import moving_box, write_video

OPEN_AFTERWARDS = """
import gc, sys
from datetime import datetime
from pathlib import Path
from shared_utils.config.cameras import Camera
from vcam_worker.stream.opening import connect
from vcam_worker.recording.clip_writer import ClipWriter
packets = []
with connect(Camera("cam1", sys.argv[1]), "file", paced=False) as connection:
    info = connection.info
    try:
        for packet in connection.packets():
            packet.time = packet.dts or 0.0
            packets.append(packet)
    except Exception:
        pass
del connection
gc.collect()
for number in range(20):
    writer = ClipWriter(Path(sys.argv[2]), info.at_keyframe(packets[0]), 0.0, datetime.now().astimezone())
    for packet in packets:
        writer.write(packet)
    writer.close()
"""


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mp4"), ("libx265", "mp4"), ("mjpeg", "avi")])
def test_a_clip_can_be_opened_when_its_connection_is_closed(tmp_path: Path, codec: str, suffix: str) -> None:
    """In a process of its own: what goes wrong here is a crash in the video library."""
    options = {"x265-params": "bframes=0:log-level=none"} if codec == "libx265" else None
    video = write_video(
        tmp_path / f"in.{suffix}", moving_box(160, 96, side=20), seconds=2, codec=codec, options=options
    )
    clip = tmp_path / "clip.mp4"
    subprocess.run([sys.executable, "-c", OPEN_AFTERWARDS, str(video), str(clip)], check=True)
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20
