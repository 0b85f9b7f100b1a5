"""Boxes drawn into pictures, contact sheets, and exports to MP4 and GIF."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from notebooks.lab.media.clip import Box, Clip
from notebooks.lab.media.draw import annotate
from notebooks.lab.media.export import EXPORTS_FOLDER, Cut, export_gif, export_mp4
from notebooks.lab.media.sheet import contact_sheet, cut_out
from notebooks.lab.viewer.player import poster
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.errors import ClipError
from shared_utils.media.palette import track_colour
from tests.support.footage.barcode_clips import STRANGE, add_run, barcode, line, number_in
from tests.support.footage.video import packet_times, write_video

pytestmark = pytest.mark.usefixtures("house_style")


def test_a_box_is_drawn_where_it_is_in_its_colour():
    picture = np.full((360, 640, 3), 128, np.uint8)
    drawn = np.asarray(annotate(picture, [Box("car", 0.9, (100, 100, 300, 250), 1)]))
    blue = tuple(int(track_colour(1)[at : at + 2], 16) for at in (1, 3, 5))
    for row, column in ((175, 100), (175, 300), (100, 280), (250, 200)):
        assert (drawn[row - 1 : row + 2, column - 1 : column + 2] == blue).all(axis=2).any()
    assert (drawn[175, 200] == 128).all()
    assert (picture == 128).all()  # the original is left alone
    half = np.asarray(annotate(picture, [Box("car", 0.9, (100, 100, 300, 250), 1)], size=(320, 180)))
    assert (half[87, 49:53] == blue).all(axis=1).any()


def test_a_dashed_box_and_labels_at_the_rim_stay_inside():
    picture = np.zeros((90, 160, 3), np.uint8)
    for corners in ((-20, -20, 30, 30), (150, 80, 300, 200), (0, 0, 160, 90), (5, 5, 5, 5)):
        assert annotate(picture, [Box("ein Wort, das sehr lang ist", 0.5, corners, None, True)], "note").size == (
            160,
            90,
        )


def test_what_is_cut_out_lies_within_the_picture():
    picture = np.zeros((360, 640, 3), np.uint8)
    assert cut_out(picture, Box("a", 1, (100, 100, 200, 150), 1)).shape == (150, 150, 3)
    assert cut_out(picture, Box("a", 1, (0, 0, 10, 10), 1)).shape == (48, 48, 3)
    assert cut_out(picture, Box("a", 1, (630, 350, 640, 360), 1)).shape == (48, 48, 3)
    assert cut_out(picture, Box("a", 1, (0, 0, 640, 360), 1)).shape == (360, 640, 3)


def test_a_sheet_has_two_pictures_per_object_and_says_what_it_shows(clip_path):
    with Clip(clip_path) as clip:
        figure = contact_sheet(clip)
        assert figure.get_suptitle().strip() == f"{clip_path.name}: car ×1"
        whole, part = figure.axes
        assert whole.get_title(loc="left") == "car, best 0.90 at 0.0 s (14:48:19)"
        assert part.images[0].get_array().shape == (90, 90, 3)
        assert "No object" in contact_sheet(clip, 0.95).axes[0].get_title(loc="left")
        assert len(poster(clip)) > 1000


def test_an_mp4_for_browsers_that_keeps_the_frames_times(tmp_path):
    numbers = [0, 1, 2, 10, 11, 40, 41, 42, 60]
    path = write_video(tmp_path / STRANGE, barcode(25), fps=25, gop=4, times=[number / 25 for number in numbers])
    shares: list[float] = []
    with Clip(path) as clip:
        video = export_mp4(clip, progress=shares.append)
    assert video == tmp_path / EXPORTS_FOLDER / "Hof & Garten #1 ü 100%.annotated.mp4"
    assert parse_clip_name("20260223-144819-cam1.annotated.mp4") is None
    assert packet_times(video) == pytest.approx(packet_times(path), abs=1e-4)
    with av.open(str(video)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert [number_in(picture) for picture in pictures] == numbers
    content = video.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [one.name for one in video.parent.iterdir()] == [video.name]


def test_boxes_are_in_the_export_and_only_from_the_threshold_up(clip_path):
    blue = np.array([int(track_colour(1)[at : at + 2], 16) for at in (1, 3, 5)])

    def has_box(video: Path) -> bool:
        with av.open(str(video)) as container:
            first = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        return bool((np.abs(first[25:55, 18:24] - blue).sum(axis=2) < 120).any())

    with Clip(clip_path) as clip:
        assert has_box(export_mp4(clip, progress=lambda share: None))
        assert not has_box(export_mp4(clip, cut=Cut(min_conf=0.95), progress=lambda share: None))


def test_a_part_and_a_small_gif(clip_path):
    with Clip(clip_path) as clip:
        video = export_mp4(clip, cut=Cut(0.5, 1.0), progress=lambda share: None)
        assert packet_times(video) == pytest.approx([number / 10 for number in range(6)])
        with Image.open(export_gif(clip, progress=lambda share: None)) as gif:
            assert gif.format == "GIF"
            count = sum(1 for _ in ImageSequence.Iterator(gif))
            assert count == 16
            assert gif.info["loop"] == 0
            durations = []
            for number in range(count):
                gif.seek(number)
                durations.append(gif.info["duration"])
            assert sum(durations) == pytest.approx(2000, abs=150)
            gif.seek(8)
            assert number_in(np.asarray(gif.convert("RGB"))) == 10


def test_an_export_that_fails_leaves_what_was_there(clip_path):
    with Clip(clip_path) as clip:
        video = export_mp4(clip, progress=lambda share: None)
        before = video.read_bytes()

        def stop(share: float) -> None:
            if share > 0.5:
                raise KeyboardInterrupt

        for export in (export_mp4, export_gif):
            with pytest.raises(KeyboardInterrupt):
                export(clip, progress=stop)
        with pytest.raises(ClipError, match="no frame from 7 to 2 s"):
            export_mp4(clip, cut=Cut(7.0), progress=lambda share: None)
    assert video.read_bytes() == before
    assert list(video.parent.iterdir()) == [video]


def test_4k_is_shrunk_and_sound_left_out(tmp_path):
    path = write_video(tmp_path / "4k.mp4", lambda t: np.full((2160, 3840, 3), 90, np.uint8), times=[0.0, 0.1])
    add_run(path, line(0.0, 0, ["car", 0.9, 1000, 1000, 2000, 2000, 1]))
    with Clip(path) as clip:
        video = export_mp4(clip, progress=lambda share: None)
        with av.open(str(video)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == (1920, 1080)
            assert not container.streams.audio
        assert len(poster(clip)) < 100_000
