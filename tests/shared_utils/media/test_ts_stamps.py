"""Files whose stamps were tampered with, through the whole reader: every frame is at its true time."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_utils.media.frames import ClipReader, ReadOptions
from tests.support.footage.ts_stamps import WRAP, with_stamps
from tests.support.footage.video import moving_box, write_video

COUNT = 30
HOUR = 90_000 * 3600


@pytest.fixture(scope="module", params=["0", "3"])
def video(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("video")
    options = {"bf": request.param, "preset": "veryfast"}
    return write_video(folder / "f.ts", moving_box(320, 192, 0, 3), seconds=3, fps=10, gop=10, options=options)


def at(place: int, by: int | None):
    return lambda number, stamp: by if number == place else 0


CHANGES = {
    "none": lambda number, stamp: 0,
    "a clock that wraps": lambda number, stamp: WRAP - 300_000,
    "wild at the beginning": at(0, 3 * HOUR),
    "wild in the middle": at(14, 3 * HOUR),
    "wild in the middle, a little": at(14, 90_000),
    "wild backwards": at(14, -90_000),
    "wild at the end": at(COUNT - 1, 3 * HOUR),
    "doubled": at(14, 9000),
    "missing at the beginning": at(0, None),
    "missing in the middle": at(14, None),
    "missing at the end": at(COUNT - 1, None),
    "none at all": lambda number, stamp: None,
    "all equal": lambda number, stamp: 500_000 - stamp,
    "backwards": lambda number, stamp: 10**8 - 2 * stamp,
    "begun again": lambda number, stamp: 0 if number < 10 else -90_000,
    "begun again far away": lambda number, stamp: 0 if number < 20 else 5 * HOUR,
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_frame_is_at_its_true_time(tmp_path, video, what):
    path = tmp_path / "t.ts"
    path.write_bytes(with_stamps(video.read_bytes(), CHANGES[what]))
    with ClipReader(path, 0, 1, ReadOptions(strict=True)) as reader:
        times = [frame.time_s for frame in reader]
    # without usable stamps or a plausible rate, 25 frames per second are assumed
    rate = 25 if any("25 frames per second" in note for note in reader.facts.notes) else 10
    assert rate == 10 or what in {"none at all", "all equal", "backwards"}
    assert times == pytest.approx([number / rate for number in range(COUNT)], abs=0.002)
    assert reader.facts.duration_s == pytest.approx(COUNT / rate, abs=0.002)
    assert bool(reader.facts.notes) is (what not in {"none", "a clock that wraps"})
