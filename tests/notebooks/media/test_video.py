"""What stands behind ViewVideo: frames by PTS, boxes by time, drawing, contact sheet, exports, the list of clips."""

from __future__ import annotations

import av
import pytest
from PIL import Image

from notebooks.lab.media.clip import Clip
from notebooks.lab.media.export import export_gif, export_mp4
from notebooks.lab.media.sheet import contact_sheet
from shared_utils.media.grabber import FrameGrabber
from tests.support.footage.barcode_clips import barcode, number_in
from tests.support.footage.video import packet_times, write_video

pytestmark = pytest.mark.usefixtures("house_style")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("plain.mp4", "libx264", None),
        ("reordered.mp4", "libx264", {"bf": "3", "preset": "veryfast"}),
        ("hevc.mkv", "libx265", {"x265-params": "log-level=none", "preset": "ultrafast"}),
        ("late.ts", "libx264", {"bf": "2", "preset": "veryfast"}),
        ("plain.avi", "mjpeg", {}),
    ],
)
def test_any_frame_in_any_order(tmp_path, name, codec, options):
    path = write_video(tmp_path / name, barcode(25), seconds=4, fps=25, gop=20, codec=codec, options=options)
    with FrameGrabber(path) as grabber:
        assert len(grabber.times_s) == 100
        for wanted in (0, 1, 2, 99, 50, 19, 20, 21, 21, 40, 3):
            frame = grabber.frame(wanted)
            assert number_in(frame.picture) == wanted == frame.index
            assert frame.time_s == pytest.approx(wanted / 25, abs=1e-3)
            # on screen until the next one comes
            assert grabber.frame_at(wanted / 25 + 0.03).index == wanted


def test_a_varying_rate_is_followed(tmp_path):
    numbers = [0, 1, 2, 10, 11, 40, 41, 42, 90]
    path = write_video(tmp_path / "v.mp4", barcode(25), fps=25, gop=4, times=[number / 25 for number in numbers])
    with FrameGrabber(path) as grabber:
        for time_s, shown in ((0.0, 0), (0.35, 2), (0.4, 10), (1.55, 11), (1.6, 40), (3.59, 42), (3.6, 90), (99, 90)):
            assert number_in(grabber.frame_at(time_s).picture) == shown
        assert grabber.frame_at(-1).index == 0


def test_a_file_without_time_stamps_is_counted_through(tmp_path):
    whole = write_video(tmp_path / "a.mp4", barcode(25), seconds=1, fps=25)
    raw = tmp_path / "a.h264"
    with av.open(str(whole)) as source, av.open(str(raw), "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with FrameGrabber(raw) as grabber:
        assert [number_in(grabber.frame(wanted).picture) for wanted in (7, 24, 0)] == [7, 24, 0]


def test_a_clip_of_one_frame(tmp_path):
    path = write_video(tmp_path / "one.mp4", barcode(10), times=[0.0])
    with Clip(path) as clip:
        assert clip.frame_at(5).index == 0
        video = export_mp4(clip, progress=lambda share: None)
        assert len(packet_times(video)) == 1
        with Image.open(export_gif(clip, progress=lambda share: None)) as gif:
            assert gif.size == (288, 96)
        assert contact_sheet(clip).axes


def test_a_portrait_from_a_phone_stands_upright(tmp_path):
    from tests.shared_utils.media.test_frames import rotated

    lying = write_video(tmp_path / "lying.mp4", barcode(10), seconds=1, fps=10)
    path = rotated(lying, tmp_path / "phone.mp4", 90)
    with Clip(path) as clip:
        assert (clip.frames.facts.width, clip.frames.facts.height) == (96, 288)
        assert clip.frame_at(0.5).picture.shape == (288, 96, 3)
        video = export_mp4(clip, progress=lambda share: None)
    with av.open(str(video)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (96, 288)


def test_a_damaged_frame_spoils_no_others(tmp_path):
    path = write_video(tmp_path / "d.mp4", barcode(10), seconds=3, fps=10, gop=10)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    content[packets[15].pos : packets[15].pos + packets[15].size] = b"\xff" * packets[15].size
    path.write_bytes(content)
    with FrameGrabber(path) as grabber:
        for wanted in (20, 29, 14, 3, 25):
            assert number_in(grabber.frame(wanted).picture) == wanted
        assert grabber.frame(15).index <= 15
