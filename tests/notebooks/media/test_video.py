"""What stands behind ViewVideo: frames by PTS, boxes by time, drawing, contact sheet, exports, the list of clips."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from notebooks.lab.jobs.places import Places
from notebooks.lab.media.clip import Box, Clip, Run, RunBoxes, Sampled, runs_of
from notebooks.lab.media.draw import annotate
from notebooks.lab.media.export import EXPORTS_FOLDER, Cut, export_gif, export_mp4
from notebooks.lab.media.sheet import contact_sheet, cut_out
from notebooks.lab.viewer.picker import ClipPicker, list_clips
from notebooks.lab.viewer.player import best_moment, poster
from notebooks.lab.viewer.viewer import Viewer
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.clips import parse_clip_name
from shared_utils.contracts.detections_log import append_record
from shared_utils.errors import ClipError, ClipMissing, FormatError
from shared_utils.media.grabber import FrameGrabber
from shared_utils.media.palette import track_colour
from tests.notebooks.conftest import RunNotebook
from tests.support.video import packet_times, write_video

BITS = 9
RUN_ID = "01a210bd-853f-796e-ae28-1e87ffd46724"
LATER_ID = "01a210be-853f-796e-ae28-1e87ffd46724"
STRANGE = "Hof & Garten #1 ü 100%.mp4"


def barcode(fps: float, width: int = 288, height: int = 96):
    """Return a function of time that draws a frame's number in black and white stripes, most significant bit left."""

    def draw(seconds: float) -> np.ndarray:
        number = round(seconds * fps)
        stripes = [255 * (number >> bit & 1) for bit in reversed(range(BITS))]
        row = np.repeat(np.array(stripes, np.uint8), width // BITS)
        return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))

    return draw


def number_in(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    centres = (np.arange(BITS) + 0.5) * width / BITS
    bits = picture[height // 2, centres.astype(int)].mean(axis=1) > 127
    return int("".join("1" if bit else "0" for bit in bits), 2)


def line(time_s: float, frame: int, *boxes: list) -> str:
    return json.dumps({"t": time_s, "frame": frame, "boxes": list(boxes)}) + "\n"


def add_run(path: Path, lines: str, run_id: str = RUN_ID, conf: float = 0.5) -> None:
    """Log a run over `path`, with its boxes file."""
    folder = path.parent / "boxes"
    folder.mkdir(exist_ok=True)
    (folder / f"{path.stem}.{run_id}.jsonl").write_text(lines)
    record = {
        "ok": True,
        "filename": path.name,
        "detected": ["car"],
        "count": 1,
        "timestamp": "2026-02-23T14:48:49+00:00",
        "run_id": run_id,
        "objects": [],
        "model": {"name": "scene", "conf": conf, "fps": 5, "imgsz": 640},
        "options": {"min_hits": 2},
    }
    append_record(path.parent / "detections_log.jsonl", record)


CAR = ["car", 0.9, 20.0, 20.0, 80.0, 60.0, 1]
CARS = line(0.0, 0, CAR) + line(0.2, 2, ["car", 0.8, 40.0, 20.0, 100.0, 60.0, 1], ["cat", 0.2, 5, 5, 9, 9, None])


pytestmark = pytest.mark.usefixtures("house_style")


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    """A clip of 2 s, 10 frames a second, with two sampled frames' boxes."""
    folder = tmp_path / "video"
    folder.mkdir()
    path = write_video(folder / "20260223-144819-cam1.mp4", barcode(10), seconds=2, fps=10)
    add_run(path, CARS)
    return path


def places(folder: Path) -> Places:
    return Places(folder, RedisSettings("127.0.0.1", 1))


# -- frames


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


# -- boxes


def box(score: float, x: float, track: int | None = 1, label: str = "car") -> Box:
    return Box(label, score, (x, 0.0, x + 10, 10.0), track)


def test_boxes_between_sampled_frames_are_on_their_way_and_say_so():
    seen = RunBoxes([Sampled(0.0, 0, (box(0.9, 0), box(0.6, 50, None))), Sampled(0.2, 4, (box(0.7, 40),))], 0.2)
    assert seen.at(0.0) == [box(0.9, 0), box(0.6, 50, None)]
    moved, held = seen.at(0.05)
    assert (moved.between, held.between) == (True, True)
    assert moved.xyxy == pytest.approx((10, 0, 20, 10))
    assert moved.score == 0.9
    assert held.xyxy == (50, 0, 60, 10)
    assert [one.between for one in seen.at(0.2)] == [False]
    assert seen.at(0.21) == []  # nothing is known after the last sampled frame
    assert seen.at(-0.1) == []
    assert [one.score for one in seen.at(0.0, 0.8)] == [0.9]
    # an end below the threshold is no end to move to
    assert seen.at(0.1, 0.8)[0].xyxy == (0, 0, 10, 10)


def test_boxes_are_not_held_over_a_gap():
    seen = RunBoxes([Sampled(0.0, 0, (box(0.9, 0),)), Sampled(2.0, 4, (box(0.7, 40),))], 0.2)
    assert seen.at(0.1) == []


def test_the_best_view_of_each_object():
    samples = [
        Sampled(0.0, 0, (box(0.6, 0), box(0.9, 50, 2, "cat"))),
        Sampled(0.2, 2, (box(0.8, 10), box(0.3, 50, 3))),
        Sampled(0.4, 4, (box(0.7, 20), box(0.55, 90, None))),
    ]
    views = RunBoxes(samples, 0.2).best_views(0.5, 2)
    assert [(view.box.label, view.box.score, view.time_s, view.hits) for view in views] == [("car", 0.8, 0.2, 3)]
    assert (views[0].first_s, views[0].last_s) == (0.0, 0.4)
    assert [view.box.track for view in RunBoxes(samples, 0.2).best_views(0.5, 1)] == [1, 2]


def test_a_thing_with_two_names_is_one_object_under_the_better_one():
    samples = [
        Sampled(0.0, 0, (box(0.6, 0), box(0.55, 1, 1, "truck"))),
        Sampled(0.2, 2, (box(0.9, 10, 1, "bus"),)),
        Sampled(0.4, 4, (box(0.7, 20),)),
    ]
    [view] = RunBoxes(samples, 0.2).best_views(0.5, 2)
    assert (view.box.label, view.box.score, view.hits, view.time_s) == ("car", 0.7, 3, 0.4)
    assert view.also == {"truck": 1, "bus": 1}
    # between the frames it goes on to where it is, whatever it is called there
    assert [one.xyxy[0] for one in RunBoxes(samples, 0.2).at(0.1, 0.58)] == pytest.approx([5])


def test_only_the_classes_of_the_run_are_shown(tmp_path, clip_path):
    record = {"model": {"conf": 0.5, "fps": 5}, "options": {"min_hits": 1, "classes": ["car"]}}
    path = tmp_path / "boxes.jsonl"
    # the car is mostly taken for a cell phone
    boxes = [["cell phone", 0.95, 0, 0, 9, 9, 1], ["car", 0.9, 0, 0, 9, 9, 1], ["cat", 0.8, 50, 0, 59, 9, 2]]
    path.write_text(json.dumps({"t": 0.0, "frame": 0, "boxes": boxes}) + "\n")
    with Clip(clip_path, Run("r", path, record)) as clip:
        assert [one.label for one in clip.boxes_at(0.0)] == ["car"]
        assert [(view.box.label, view.hits, view.also) for view in clip.best_views()] == [("car", 1, {})]
        # the player gets its boxes from here
        assert [[one.label for one in sample.boxes] for sample in clip.boxes.samples] == [["car"]]
        assert clip.boxes.labels() == ["car"]


def test_a_boxes_file_of_a_newer_version_is_an_error_and_not_taken_for_nothing_seen(tmp_path, clip_path):
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"schema": 2, "columns": ["t", "boxes"]}\n[0.0, []]\n')
    with pytest.raises(FormatError, match="schema 2, which this version does not know"):
        Clip(clip_path, Run("r", path, {}))
    header = json.dumps({"schema": 1, "columns": ["label", "score", "x1", "y1", "x2", "y2", "track"]})
    path.write_text(f"{header}\n[1]\n{line(0.0, 0, ['car', 0.9, 0, 0, 9, 9, 1])}")
    with Clip(clip_path, Run("r", path, {})) as clip:
        assert [one.label for one in clip.boxes_at(0.0)] == ["car"]


def test_the_newest_run_with_boxes_is_shown(clip_path):
    add_run(clip_path, line(0.0, 0, ["cat", 0.7, 1, 1, 2, 2, 1]), LATER_ID, conf=0.3)
    append_record(
        clip_path.parent / "detections_log.jsonl",
        {"ok": False, "filename": clip_path.name, "error": "no", "timestamp": "2026", "run_id": "failed"},
    )
    # of another file with the same beginning
    (clip_path.parent / "boxes" / f"{clip_path.stem}.x.{LATER_ID[:-1]}5.jsonl").write_text("")
    assert [run.run_id for run in runs_of(clip_path.parent, clip_path.name)] == [LATER_ID, RUN_ID]
    with Clip(clip_path) as clip:
        assert clip.run is not None
        assert (clip.run.run_id, clip.conf) == (LATER_ID, 0.3)
        assert [one.label for one in clip.boxes_at(0.0)] == ["cat"]
        assert f"{clip.started_at:%H:%M:%S}" == clip.clock(0) == "14:48:19"


def test_torn_lines_of_a_boxes_file_are_skipped_and_counted(clip_path, caplog):
    path = next((clip_path.parent / "boxes").iterdir())
    path.write_text(CARS + 'x\n{"t": 0.4}\n[1]\n' + '{"t": 0.6, "frame": 6, "boxes": [["car", 0.9')
    with caplog.at_level(logging.WARNING):
        assert len(Run(RUN_ID, path, {}).read().samples) == 2
    assert "4 lines skipped" in caplog.text


def test_a_clip_without_runs_and_one_that_is_gone(tmp_path):
    path = write_video(tmp_path / "a.mp4", barcode(10), seconds=1)
    with Clip(path) as clip:
        assert clip.run is None
        assert clip.boxes_at(0.0) == []
        assert best_moment(clip) == 0.0
        assert contact_sheet(clip).axes[0].get_title(loc="left").startswith("Not analysed yet")
    path.unlink()
    with pytest.raises(ClipMissing, match=r"a\.mp4 is not there"):
        Clip(path)


# -- drawing


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


def test_a_sheet_has_two_pictures_an_object_and_says_what_it_shows(clip_path):
    with Clip(clip_path) as clip:
        figure = contact_sheet(clip)
        assert figure.get_suptitle().strip() == f"{clip_path.name}: car ×1"
        whole, part = figure.axes
        assert whole.get_title(loc="left") == "car, best 0.90 at 0.0 s (14:48:19)"
        assert part.images[0].get_array().shape == (90, 90, 3)
        assert "No object" in contact_sheet(clip, 0.95).axes[0].get_title(loc="left")
        assert len(poster(clip)) > 1000


# -- exports


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


# -- the list of clips, and the whole viewer


def test_clips_are_listed_newest_first_with_their_last_result(clip_path):
    folder = clip_path.parent
    for name in ("20260224-080000-door.mp4", STRANGE, ".hidden.mp4", "notes.txt"):
        shutil.copy(clip_path, folder / name)
    append_record(
        folder / "detections_log.jsonl",
        {
            "ok": False,
            "filename": "20260224-080000-door.mp4",
            "error": "it is cut",
            "timestamp": "2026-02-24T08:01:00Z",
        },
    )
    found = list_clips(places(folder))
    assert [entry.filename for entry in found] == [STRANGE, "20260224-080000-door.mp4", clip_path.name]
    assert [entry.result for entry in found] == ["not analysed yet", "failed: it is cut", "car"]
    picker = ClipPicker(places(folder))
    assert picker.value == STRANGE
    changes: list[str] = []
    picker.observe(lambda change: changes.append(change["new"]), "value")
    picker.filter.value = "cam1 car"
    assert picker.list.options == ((found[2].line, clip_path.name),)
    picker.filter.value = "nowhere"
    assert (picker.value, picker.note.value) == ("", "None of 3 clips matches the filter.")
    picker.filter.value = ""
    picker.list.value = "20260224-080000-door.mp4"
    assert changes == [clip_path.name, "", STRANGE, "20260224-080000-door.mp4"]
    shutil.copy(clip_path, folder / "20260301-080000-door.mp4")
    picker.refresh_button.click()
    assert picker.value == "20260224-080000-door.mp4"  # the choice stays
    picker.choose("20260301-080000-door.mp4")
    assert picker.value == "20260301-080000-door.mp4"
    with pytest.raises(ValueError, match="no clip gone"):
        picker.choose("gone.mp4")


def test_an_empty_volume_says_what_to_do(tmp_path):
    viewer = Viewer(places(tmp_path / "none"))
    assert "docker compose logs" in viewer.picker.note.value
    assert viewer.clip is None
    assert viewer.mp4_button.disabled
    viewer.show_sheet()  # nothing to show, nothing happens


def test_the_viewer_shows_what_is_chosen_and_saves_it(clip_path):
    folder = clip_path.parent
    add_run(clip_path, line(0.0, 0, ["cat", 0.7, 1, 1, 2, 2, 1]), LATER_ID, conf=0.3)
    shutil.copy(clip_path, folder / STRANGE)
    viewer = Viewer(places(folder))
    viewer.picker.choose(clip_path.name)
    assert viewer.clip is not None
    assert viewer.player.about["name"] == clip_path.name
    assert viewer.player.threshold == 0.3
    assert len(viewer.player.times) == 20
    first_run = viewer.runs.options[1][1]
    viewer.runs.value = first_run
    assert viewer.player.samples[0] == [0.0, 0, [CAR]]
    viewer.player.threshold = 0.6
    viewer.mp4_button.click()
    viewer.gif_button.click()
    assert [path.name for path in viewer.saved] == [f"{clip_path.stem}.annotated{end}" for end in (".mp4", ".gif")]
    assert "saved: video/exports/" in viewer.message.value
    viewer.picker.choose(STRANGE)
    assert "No run of this clip" in viewer.message.value
    assert viewer.player.samples == []


def test_the_viewer_says_what_can_not_be_shown(clip_path):
    folder = clip_path.parent
    (folder / "broken.mp4").write_bytes(b"x" * 1000)
    doomed = folder / "20260101-000000-cam1.mp4"
    shutil.copy(clip_path, doomed)
    viewer = Viewer(places(folder))
    viewer.picker.choose("broken.mp4")
    assert viewer.message.value.startswith("broken.mp4: no video that can be read")
    assert viewer.clip is None
    viewer.picker.choose(clip_path.name)
    assert viewer.message.value == ""
    doomed.unlink()
    viewer.picker.list.value = doomed.name
    assert viewer.message.value == f"{doomed.name} is not there (any more): choose another clip"
    viewer.picker.choose(clip_path.name)
    clip_path.unlink()
    viewer.mp4_button.click()
    assert "the file is not there" in viewer.message.value
    assert viewer.saved == []


# -- the notebook


def test_the_notebook_shows_the_newest_clip_and_saves_it(run_notebook: RunNotebook, sample_volume: Path) -> None:
    newest = max(sample_volume.glob("*.mp4")).name
    values = ["viewer.clip.path.name", "[path.name for path in saved]", "moment.index", "viewer.player.about['path']"]
    done = run_notebook("ViewVideo", sample_volume, values=values, changes={"SAVE = False": "SAVE = True"})
    assert done.values["viewer.clip.path.name"] == newest
    stem = newest.removesuffix(".mp4")
    assert done.values["[path.name for path in saved]"] == [f"{stem}.annotated.mp4", f"{stem}.annotated.gif"]
    assert all(
        (sample_volume / "exports" / f"{stem}.annotated{end}").stat().st_size > 10_000 for end in (".mp4", ".gif")
    )
    assert done.values["viewer.player.about['path']"] == f"../video/{newest}"
    # the viewer, the contact sheet and the moment have pictures that need no kernel
    assert sum("image/jpeg" in output.get("data", {}) for output in done.outputs()) == 3
