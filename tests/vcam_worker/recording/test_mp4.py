"""Files of clips: moov in front, hvc1, complete after a crash, kept when the disk is full."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import av
import pytest

from shared_utils.log import camera_logger
from tests.support.footage.mp4 import box_order, decoded
from tests.support.footage.video import moving_box, packet_times, write_video
from vcam_worker.recording.clip_writer import FRAGMENT_S, STARTED_AT_KEY, repair
from vcam_worker.recording.mp4 import FRONT_SUFFIX, moov_first
from vcam_worker.recording.storage.outbox import Outbox

START = datetime(2026, 2, 23, 14, 48, 19, 250000).astimezone()
X265 = {"x265-params": "bframes=0:log-level=none:keyint={gop}:min-keyint={gop}:repeat-headers=1"}

CRASH = """
import os, sys
from datetime import datetime
from pathlib import Path
from shared_utils.config.cameras import Camera
from vcam_worker.stream.opening import connect
from vcam_worker.recording.clip_writer import ClipWriter
source, work, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with connect(Camera("cam1", source), "file", paced=False) as connection:
    writer = None
    for number, packet in enumerate(connection.packets()):
        packet.time = packet.dts
        if writer is None:
            writer = ClipWriter(Path(work), connection.info.at_keyframe(packet), 0.0, datetime.now().astimezone())
        writer.write(packet)
        if number + 1 == count:
            os._exit(9)
"""


def film(path: Path, codec: str = "libx264", gop: int = 10, seconds: float = 12) -> Path:
    options = {key: value.format(gop=gop) for key, value in X265.items()} if codec == "libx265" else None
    return write_video(path, moving_box(160, 96, side=20), seconds=seconds, gop=gop, codec=codec, options=options)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as a disk does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("large", [False, True])
def test_the_index_moves_to_the_front_and_every_frame_stays(tmp_path: Path, large: bool) -> None:
    path = film(tmp_path / "clip.mp4")
    times, sizes = packet_times(path), decoded(path)
    with av.open(str(path)) as clip:
        frames = [bytes(packet) for packet in clip.demux(video=0)]
    assert box_order(path)[-1] == "moov"
    if large:  # as the muxer writes it from 4 GB on
        as_co64(path)
    assert moov_first(path)
    order = box_order(path)
    assert order.index("moov") < order.index("mdat")
    assert (packet_times(path), decoded(path)) == (times, sizes)
    with av.open(str(path)) as clip:
        assert [bytes(packet) for packet in clip.demux(video=0)] == frames
    content = path.read_bytes()
    assert moov_first(path)
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["clip.mp4"]


def as_co64(path: Path) -> None:
    """Give the only chunk offset of a small file 64 bits; its track's boxes grow by 4 bytes."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"stco") - 4
    count = int.from_bytes(data[at + 12 : at + 16])
    offsets = [data[at + 16 + 4 * index : at + 20 + 4 * index] for index in range(count)]
    wide = b"".join(bytes(4) + offset for offset in offsets)
    data[at : at + 16 + 4 * count] = (16 + 8 * count).to_bytes(4) + b"co64" + data[at + 8 : at + 16] + wide
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        start = data.rindex(name) - 4
        data[start : start + 4] = (int.from_bytes(data[start : start + 4]) + 4 * count).to_bytes(4)
    path.write_bytes(data)


def test_a_full_disk_leaves_the_clip_as_it_was(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    content = path.read_bytes()
    with largest_file(len(content) // 2):
        assert not moov_first(path)
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("end", [0, 4, 40, 0.5, 0.99])
def test_a_file_that_is_not_whole_is_left_alone(tmp_path: Path, end: float) -> None:
    path = film(tmp_path / "clip.mp4")
    os.truncate(path, round(end if end > 1 else end * path.stat().st_size))
    content = path.read_bytes()
    assert not moov_first(path)
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("gop", [10, 1000])
def test_a_killed_recording_is_repaired_into_an_ordinary_clip(tmp_path: Path, codec: str, gop: int) -> None:
    """Of a long GOP, at most FRAGMENT_S are lost, not all of it."""
    video = film(tmp_path / "in.mp4", codec, gop)
    work, whole = tmp_path / "work.part", tmp_path / "whole.mp4"
    command = [sys.executable, "-c", CRASH, str(video), str(work), "115"]
    assert subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode == 9
    summary = repair(work, whole)
    assert 115 - min(gop, 10 * FRAGMENT_S + 1) <= summary.frames <= 115
    assert decoded(whole) == [(160, 96)] * summary.frames
    order = box_order(whole)
    assert order.index("moov") < order.index("mdat")
    assert "moof" not in order
    with av.open(str(whole)) as clip:
        assert clip.streams.video[0].codec_context.codec_tag == {"libx264": "avc1", "libx265": "hvc1"}[codec]
        assert STARTED_AT_KEY in clip.metadata


def test_a_clip_that_was_written_again_has_its_index_in_front(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "cam1", camera_logger("test", "cam1"), lambda *_: True)
    work = outbox.open_work(START)
    film(work.with_name("made.mp4"))
    work.write_bytes(work.with_name("made.mp4").read_bytes())
    work.unlink()
    path = tmp_path / outbox.publish(work, START)
    order = box_order(path)
    assert order.index("moov") < order.index("mdat")


def test_a_copy_that_a_crash_left_is_removed(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "cam1", camera_logger("test", "cam1"), lambda *_: True)
    left = outbox.work_path(START)
    copy = left.with_name(left.name + FRONT_SUFFIX)
    copy.write_bytes(b"half")
    outbox.recover()
    assert not copy.exists()
