"""Notebooks see odd clips as the worker does: the same frames, at the same times, in the same pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from notebooks.lab.media.clip import Clip
from notebooks.lab.media.export import export_mp4
from notebooks.lab.viewer.player import Player
from shared_utils.media.frames import ClipReader, ReadOptions
from shared_utils.media.grabber import FrameGrabber
from tests.support.footage.video import moving_box, packet_times, turn_first_picture, write_video

PLAIN = {"hflip.mp4", "sar2.mp4", "still_first.mkv"}


@pytest.fixture(scope="session")
def cases(shared_dir: Path) -> Path:
    return shared_dir / "cases"


@pytest.mark.parametrize(
    "name",
    ["concat.ts", "one_double_stamp.mkv", "hflip.mp4", "sar2.mp4", "reschange.ts", "still_first.mkv", "cut.mp4"],
)
def test_the_same_frames_as_the_workers(cases, name):
    path = cases / name
    with ClipReader(path, 1, 2) as reader:
        sampled = list(reader)
    with FrameGrabber(path) as grabber:
        assert grabber.facts == ClipReader(path, 0).facts
        assert grabber.times_s == list(reader.plan.timeline.times_s)
        assert not (grabber.browser_mismatch and name in PLAIN)
        for frame in (*sampled[::3], sampled[1]):
            shown = grabber.frame_at(frame.time_s)
            assert (shown.index, shown.time_s) == (frame.index, frame.time_s)
            assert np.array_equal(shown.picture, frame.picture)


def test_the_aspect_of_a_run_is_that_of_its_pictures(tmp_path):
    path = write_video(tmp_path / "s.mp4", moving_box(160, 192, 0, 1), seconds=1)
    with FrameGrabber(path, "16:9") as grabber, ClipReader(path, 0, 1, ReadOptions("16:9")) as reader:
        assert (grabber.facts.width, grabber.facts.height) == (341, 192)
        assert "16:9" in grabber.browser_mismatch
        for frame in reader:
            assert np.array_equal(grabber.frame(frame.index).picture, frame.picture)


def test_a_rotation_that_the_codec_declares_with_its_first_picture_alone(tmp_path):
    path, turned = write_video(tmp_path / "s.ts", moving_box(160, 96, 0, 2), seconds=2), tmp_path / "t.mp4"
    turn_first_picture(path, turned)
    with FrameGrabber(turned) as grabber, ClipReader(turned, 5) as reader:
        for frame in list(reader)[::-1]:
            assert frame.picture.shape == (160, 96, 3)
            assert np.array_equal(grabber.frame(frame.index).picture, frame.picture)


def test_joined_recordings_are_played_frame_by_frame_and_exported_whole(tmp_path):
    one = write_video(tmp_path / "one.ts", moving_box(160, 96, 0, 1), seconds=1)
    path = tmp_path / "joined.ts"
    path.write_bytes(one.read_bytes() * 2)
    with Clip(path) as clip:
        player = Player(clip)
        assert "start over" in player.about["browser_mismatch"]
        assert player.times == pytest.approx([number / 10 for number in range(20)], abs=1e-3)
        film = export_mp4(clip, tmp_path / "film.mp4", progress=lambda share: None)
    assert packet_times(film) == pytest.approx([number / 10 for number in range(20)], abs=1e-3)
