"""Motion settings tried on clips: moments, what is caught, which settings are best, and the notebook."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from notebooks.lab.data.results import latest, load_log
from notebooks.lab.tuning import motion_pictures as pictures
from notebooks.lab.tuning import motion_tuning as tuning
from shared_utils.config.cameras import MotionSettings
from shared_utils.config.cameras_file import cameras_from_env
from shared_utils.errors import ClipMissing
from tests.notebooks.conftest import RunNotebook
from tests.support.footage.video import moving_box, write_video
from vcam_worker.replay import ReplayedClip, trace


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 s in which a square of 1.6 % of the picture crosses at 6 to 7.5 s."""
    draw = moving_box(start_s=6, end_s=7.5)
    return write_video(tmp_path_factory.mktemp("tuning") / "crossing.mp4", draw, seconds=14)


WANTED = tuning.moments({"crossing.mp4": [(6.0, 7.5)], "other.mp4": [(1, 2)]})
SETTINGS = tuning.grid(min_area=[0.004, 0.3])


def test_every_combination_of_the_grid() -> None:
    assert len(tuning.grid(min_area=[0.01, 0.02], fps=[5, 2], decode=["all", "keyframes"])) == 8
    assert tuning.grid() == [MotionSettings()]


def test_settings_as_lines_are_read_as_those_settings(tmp_path: Path) -> None:
    motion = MotionSettings(fps=2.5, min_area=0.0125, decode="keyframes")
    values = dict(line.split("=") for line in tuning.env_lines(motion).splitlines())
    assert MotionSettings.from_env(values) == motion
    (tmp_path / "cameras.toml").write_text(f'[door]\nurl = "rtsp://camera/1"\n{tuning.toml_lines(motion)}\n')
    [camera] = cameras_from_env({"CAMERAS_FILE": str(tmp_path / "cameras.toml")})
    assert camera.motion == motion


@pytest.mark.parametrize(
    ("clips", "caught"),
    [
        ([], False),
        ([(3, 8)], True),
        ([(5.5, 8)], True),  # half a second late: times are read by eye
        ([(5.6, 8)], False),
        ([(0, 5)], False),
        ([(0, 5.1)], True),
        ([(0, 2), (4.9, 20)], True),
    ],
)
def test_a_moment_is_caught_from_its_beginning_on(clips: list[tuple[float, float]], caught: bool) -> None:
    assert tuning.is_caught(5, 7, [ReplayedClip(start, start, end) for start, end in clips]) is caught


@pytest.mark.parametrize(
    ("clip", "false"),
    [((0, 5.8, 10), False), ((6, 8.2, 11), True), ((0, 1, 4.4), True), ((0, 1, 4.6), False), ((6, 7.4, 9), False)],
)
def test_a_clip_is_false_when_nothing_known_moves_from_its_trigger_on(
    clip: tuple[float, float, float], false: bool
) -> None:
    there = tuning.moments({"a": [(5, 7)]})
    assert tuning.is_false(ReplayedClip(*clip), there) is false
    assert tuning.is_false(ReplayedClip(*clip), there.iloc[:0])


def test_settings_are_tried_and_the_best_is_found(crossing: Path) -> None:
    gone = []
    tried = tuning.try_settings([crossing], SETTINGS, WANTED, progress=lambda tasks: gone.append(1) or tasks)
    assert gone == [1]
    low, high = tried
    assert low.caught == (True,)
    assert high.caught == (False,)
    assert low.clips["crossing.mp4"] == trace(crossing, SETTINGS[0], tuning.SHORT).clips
    assert high.clips["crossing.mp4"] == ()
    assert low.false_clips == 0
    assert low.cpu_s > 0
    assert low.footage_s == pytest.approx(13.9)
    assert tuning.best(tried) is low
    rows = tuning.table(tried[::-1])
    assert rows.index.tolist() == ["0.4 %, 5 fps", "30 %, 5 fps"]
    assert rows["recall"].tolist() == [1, 0]
    assert rows["recorded_s"].iloc[0] == pytest.approx(sum(c.end_s - c.start_s for c in low.clips["crossing.mp4"]))


def test_among_equals_the_cheaper_then_the_more_sensitive_is_best() -> None:
    def tried(min_area: float, analysed: int, false_clips: int = 0, caught: bool = True) -> tuning.Tried:
        return tuning.Tried(MotionSettings(min_area=min_area), {}, (caught,), false_clips, analysed, 10, 1)

    best = tried(0.01, 20)
    others = [tried(0.001, 50), tried(0.02, 20), tried(0.01, 10, false_clips=1), tried(0.01, 5, caught=False)]
    assert tuning.best([*others, best]) is best


def test_without_moments_there_is_no_recall(crossing: Path) -> None:
    [one] = tuning.try_settings([crossing], SETTINGS[:1], tuning.moments({}))
    assert math.isnan(one.recall)
    assert one.false_clips == len(one.clips["crossing.mp4"]) > 0


def rows_of(centre: list[float], side: float = 20, track: int = 1, step: float = 0.2) -> list[list[object]]:
    return [
        [round(i * step, 3), i, "car", 0.9, x - side / 2, 0, x + side / 2, side, track] for i, x in enumerate(centre)
    ]


def test_moments_are_when_tracks_went_somewhere(tmp_path: Path) -> None:
    still, moving = [100.0] * 15, [100.0 + 4 * i for i in range(10)]
    columns = ["t", "frame", "label", "conf", "x1", "y1", "x2", "y2", "track"]
    trembling = pd.DataFrame(rows_of([100 + (-1) ** i for i in range(15)]), columns=columns)
    assert tuning.spans_moved(trembling) == []
    went = pd.DataFrame(rows_of(still + moving + [136.0] * 15), columns=columns)
    spans = tuning.join_spans([(start, end, "car") for start, end in tuning.spans_moved(went)])
    # 4 pixels per step from 2.8 s on, 5 of which are a quarter of 20; the last quarter lies a second before its end
    [(start, end, what)] = spans
    assert what == "car"
    assert 2.0 <= start <= 3.0
    assert 4.8 <= end <= 5.8


def test_moments_near_each_other_are_one() -> None:
    spans = [(5.0, 6.0, "dog"), (0.0, 2.0, "car"), (1.0, 3.0, "person"), (3.9, 4.2, "car"), (9.0, 9.5, "car")]
    assert tuning.join_spans(spans) == [(0.0, 6.0, "car, dog, person"), (9.0, 9.5, "car")]
    assert tuning.join_spans([]) == []


def test_moments_of_the_sample_volume(made_volume: Path) -> None:
    log = latest(load_log(made_volume))
    found = tuning.moments_of_runs(log, made_volume)
    # each clip of the drawn street holds one visit, that begins after the pre-roll of 3 s
    assert set(found["filename"]) == set(log.loc[log["model_sha256"].notna() & (log["count"] > 0), "filename"])
    assert (found["start_s"] > 1.5).all()
    assert (found["end_s"] <= 10).all()


def test_without_boxes_files_there_are_no_moments(made_volume: Path, tmp_path: Path) -> None:
    assert tuning.moments_of_runs(latest(load_log(made_volume)), tmp_path).empty


def test_files_that_cannot_be_read_are_reported(tmp_path: Path, crossing: Path) -> None:
    (tmp_path / "20260101-000000-cam1.mp4").write_text("no video")
    (tmp_path / "20260101-000100-cam1.mp4").write_bytes(crossing.read_bytes())
    found = tuning.footage(None, tmp_path, 6)
    assert [path.name for path in found.paths] == ["20260101-000100-cam1.mp4"]
    assert found.notes == (
        "20260101-000000-cam1.mp4 cannot be opened as video (Invalid data found when processing input)",
    )
    named = tuning.footage([crossing, "gone.mp4"], tmp_path, 6)
    assert named.paths == (crossing,)
    assert named.notes == ("gone.mp4 is not there",)
    with pytest.raises(ClipMissing, match="no file to try settings on; gone"):
        tuning.footage(["gone.mp4"], tmp_path, 6)


def test_a_threshold_is_read_off_the_trace_or_replayed(crossing: Path) -> None:
    rules = dataclasses.replace(tuning.SHORT, clip_seconds=12.0, pre_roll_seconds=1.0)
    traced = trace(crossing, MotionSettings(min_area=0.001), rules)
    replays = {}
    for min_area in (0.0005, 0.001, 0.004, 0.3):
        result = tuning.at_threshold(traced, min_area)
        assert result.clips == trace(crossing, MotionSettings(min_area=min_area), rules).clips, min_area
        replays[min_area] = result.replayed
    assert not replays[0.001]
    assert replays[0.0005] == "traced from 0.1 % up"
    assert "other frames are analysed" in replays[0.3]


@pytest.mark.usefixtures("house_style")
def test_pictures_draw_what_was_found(crossing: Path) -> None:
    traced = trace(crossing, MotionSettings(), tuning.SHORT)
    tried = tuning.try_settings([crossing], SETTINGS, WANTED)
    titles = [
        figure.axes[0].get_title(loc="left")
        for figure in (
            pictures.score_picture(traced, WANTED),
            pictures.settings_picture(tried, WANTED, "crossing.mp4"),
            pictures.cost_picture(tried),
        )
    ]
    assert titles[0] == f"0.5 % misses nothing; {len(traced.clips)} clip{'s' * (len(traced.clips) != 1)}"
    assert titles[1] == "1 of 2 settings misses nothing here"
    assert titles[2].startswith("0.4 %, 5 fps is the cheapest that misses nothing")
    area = pictures.area_picture(traced, WANTED)
    picture = np.asarray(area.axes[0].images[0].get_array())
    # the tint turns the still square and its surroundings towards the palette's red
    assert picture.shape == (360, 640, 3)


@pytest.mark.usefixtures("house_style")
def test_the_slider_draws_each_threshold(crossing: Path) -> None:
    traced = trace(crossing, MotionSettings(min_area=0.001), tuning.SHORT)
    slider, picture = pictures.threshold_slider(traced, WANTED).children
    shown = {}
    for min_area in (0.002, 0.01, 0.3):
        slider.value = min_area
        shown[min_area] = bytes(picture.value)
    assert all(png.startswith(b"\x89PNG") for png in shown.values())
    assert len(set(shown.values())) == 3
    assert plt.get_fignums() == []


def test_the_moving_area_is_tinted_where_the_mask_is() -> None:
    picture = np.full((40, 60, 3), 100, np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:10, 10:20] = True
    shown = pictures.tinted(picture, mask)
    changed = (shown != picture).any(axis=2)
    assert changed[10:20, 20:40].all()
    assert changed.sum() == 10 * 20
    assert (picture == 100).all()


@pytest.mark.usefixtures("house_style")
def test_a_file_without_motion(tmp_path: Path) -> None:
    still = write_video(tmp_path / "still.mp4", moving_box(start_s=99, end_s=100), seconds=4)
    traced = trace(still, MotionSettings(), tuning.SHORT)
    assert pictures.area_picture(traced, WANTED).axes[0].get_title(loc="left") == "Nothing moves in this file"
    assert pictures.score_picture(traced, WANTED).axes[0].get_title(loc="left") == "0 clips at 0.5 %"


def test_the_notebook(run_notebook: RunNotebook, sample_volume: Path) -> None:
    done = run_notebook(
        "MotionTuning",
        sample_volume,
        values=["wanted", "tuning.table(tried).reset_index()", "tuning.env_lines(chosen.motion)", "len(footage.paths)"],
        changes={"[0.002, 0.005, 0.02, 0.05]": "[0.005, 0.3]"},
    )
    assert done.values["len(footage.paths)"] == 6
    assert "cannot be opened as video" in done.text
    wanted = pd.DataFrame(done.values["wanted"])
    assert len(wanted) >= 5
    rows = pd.DataFrame(done.values["tuning.table(tried).reset_index()"]).set_index("setting")
    assert rows["of"].eq(len(wanted)).all()
    assert rows.loc["0.5 %, 5 fps", "recall"] == 1
    assert rows.loc["30 %, 5 fps", "recall"] == 0
    assert rows.loc["30 %, 5 fps", "clips"] == 0
    assert done.values["tuning.env_lines(chosen.motion)"] in done.text
    assert len(done.pictures) == 3
    jpegs = [output for output in done.outputs() if "image/jpeg" in output.get("data", {})]
    assert len(jpegs) == 1


def test_listed_moments_of_any_file(run_notebook: RunNotebook, sample_volume: Path, shared_dir: Path) -> None:
    clip = shared_dir / "data" / "bottle-detection.mp4"
    listed = (
        "{'bottle-detection.mp4': [(5.8, 6.9), (11.7, 13.5), (15.9, 17.7), (22.4, 24.4), (27.6, 29.0), (35.8, 36.7)]}"
    )
    done = run_notebook(
        "MotionTuning",
        sample_volume,
        values=["tuning.table(tried).reset_index()"],
        changes={
            "FILES = None": f"FILES = [{str(clip)!r}]",
            "LISTED = {}": f"LISTED = {listed}",
            "[0.002, 0.005, 0.02, 0.05]": "[0.005, 0.05]",
            "+ tuning.grid(fps=[2, 1])": "",
        },
    )
    rows = pd.DataFrame(done.values["tuning.table(tried).reset_index()"]).set_index("setting")
    assert rows.index[0] == "0.5 %, 5 fps"
    assert rows["caught"].to_dict() == {"0.5 %, 5 fps": 6, "5 %, 5 fps": 5, "0.5 %, keyframes": 3}
