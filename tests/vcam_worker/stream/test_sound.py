"""Sound goes with the pictures whatever its clock does, and never costs one of them."""

from __future__ import annotations

import itertools
import logging
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import pytest

from devtools.paths import ROOT
from devtools.rtsp.camera import AAC_BLOCK_S, aac_blocks
from shared_utils.config.cameras import Camera
from tests.support.footage.recording import Recording, to_the_end, tracks
from tests.support.footage.video import moving_box, write_video
from tests.support.log_lines import logged
from vcam_worker import messages
from vcam_worker.recording.clip_writer import ClipWriter, repair
from vcam_worker.recording.session import FinishedClip
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.timing.sound import LIVE_BOUND_S, SoundClock
from vcam_worker.stream.timing.timeline import Timeline

SECONDS = 30.0
FPS = 10.0
START = 5000.0
"""Monotonic clock at the start."""

Stamp = Callable[[float], float | None]
Heard = Callable[[float], bool]

SOUND: dict[str, Stamp] = {
    "good": lambda sent: sent,
    "an epoch of its own": lambda sent: 47_000 + sent,
    **{f"a step of {step:g} s": lambda sent, step=step: sent + step * (sent >= 12) for step in (3600, 3, 0.9, 0.2)},  # type: ignore[misc]
    **{f"a step of {step:g} s": lambda sent, step=step: sent + step * (sent >= 12) for step in (-0.2, -3, -3600)},  # type: ignore[misc]
    "steps there and back": lambda sent: sent + 3600 * (12 <= sent < 14),
    "a step every second": lambda sent: sent - 0.2 * int(sent),
    "a wrap of 32 bits": lambda sent: (2**32 / 16_000 - 12 + sent) % (2**32 / 16_000),
    "a reset to zero": lambda sent: 800 + sent if sent < 12 else sent - 12,
    "backwards": lambda sent: 1000 - sent,
    "constant": lambda _: 5.0,
    "in pairs": lambda sent: sent // (2 * AAC_BLOCK_S) * 2 * AAC_BLOCK_S,
    "none": lambda _: None,
    "none from a moment on": lambda sent: sent if sent < 12 else None,
    "none up to a moment": lambda sent: sent if sent >= 12 else None,
    "half as fast": lambda sent: sent / 2,
    "twice as fast": lambda sent: 2 * sent,
    "a clock that drifts": lambda sent: 1.005 * sent,
    "random": lambda sent: random.Random(sent).uniform(0, 100),
}


@pytest.mark.parametrize("stamp", SOUND.values(), ids=SOUND.keys())
def test_sound_rises_and_stays_near_the_moment_it_was_made(stamp: Stamp) -> None:
    clock, last = SoundClock(), -1.0
    for number in range(round(SECONDS / AAC_BLOCK_S)):
        sent = number * AAC_BLOCK_S
        pictures = sent // 0.1 * 0.1
        time = clock.place(stamp(sent), pictures, sent + 0.05, 0.0)
        assert time is not None
        assert time > last
        assert abs(time - sent) < LIVE_BOUND_S + 0.1
        last = time
    assert last == pytest.approx(SECONDS, abs=LIVE_BOUND_S + 0.1)


@pytest.mark.parametrize("step", [3600.0, 3.0, -0.2, -3.0, -3600.0])
def test_a_step_of_the_sounds_clock_is_reported_and_leaves_no_gap(step: float) -> None:
    clock = SoundClock()
    jumps, times = [], []
    for number in range(200):
        sent = number * AAC_BLOCK_S
        time = clock.place(sent + step * (number >= 100), sent, sent, 0.0)
        assert time is not None
        times.append(time)
        if clock.jumped is not None:
            jumps.append(clock.jumped)
    assert jumps == [pytest.approx(step, abs=0.01)]
    assert max(after - before for before, after in itertools.pairwise(times)) < 0.1


@pytest.mark.parametrize(
    "stamp",
    [
        lambda sent: sent + 0.2 * (int(2 * sent) % 2),
        lambda sent: sent + 0.5 * (int(sent / 3) % 2),
        lambda sent: sent + 0.3 * (int(sent / AAC_BLOCK_S) % 7),
        lambda sent: sent + 0.3 * int(sent),
    ],
    ids=["0.2 s to and fro", "0.5 s to and fro", "a sawtooth", "stairs"],
)
def test_small_steps_of_the_sounds_clock_do_not_add_up(stamp: Stamp) -> None:
    clock = SoundClock()
    for number in range(round(2 * SECONDS / AAC_BLOCK_S)):
        sent = number * AAC_BLOCK_S
        time = clock.place(stamp(sent), sent // 0.1 * 0.1, sent + 0.05, 0.0)
        assert time == pytest.approx(sent, abs=0.4)


def test_sound_that_pauses_has_a_gap_and_goes_on_in_its_place() -> None:
    clock = SoundClock()
    for sent, stamp in [(1.0, 1.0), (1.1, 1.1), (20.0, 1.2), (20.1, 1.3)]:  # its stamps do not tell of the pause
        time = clock.place(stamp, sent, sent, 0.0)
        assert time == pytest.approx(sent, abs=0.35)


def test_sound_in_bursts_goes_with_the_pictures_of_the_burst() -> None:
    """HLS: six seconds of both at once, every six seconds."""
    clock, timeline = SoundClock(), Timeline()
    for burst in range(5):
        arrived = START + 6 * (burst + 1)
        for number in range(60):
            sent = 6 * burst + number / 10
            pictures = timeline.place(sent, arrived)
            now = max(pictures, timeline.at(arrived))
            time = clock.place(sent + 0.03, pictures, now, timeline.offset)
            assert time == pytest.approx(pictures + 0.03, abs=0.01)


def test_a_flood_of_sound_is_left_out() -> None:
    clock = SoundClock()
    placed = [clock.place(number * AAC_BLOCK_S, number / 1000, number / 1000, 0.0) for number in range(20_000)]
    kept = [time for time in placed if time is not None]
    assert kept == sorted(set(kept))
    assert kept[-1] < 20 + LIVE_BOUND_S + 0.1


# -- into clips


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures and sound, 2 s; what a test needs of it is the streams' parameters and some packets."""
    folder = tmp_path_factory.mktemp("sound")
    silent = write_video(folder / "silent.mp4", moving_box(width=320, height=180, side=30), seconds=2, gop=10)
    video = folder / "sound.mp4"
    with av.open(str(silent)) as source, av.open(str(video), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        sound = output.add_stream("aac", rate=16_000)
        sound.layout = "mono"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
        for number in range(30):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            frame.planes[0].update(bytes(4096))
            frame.sample_rate, frame.pts, frame.time_base = 16_000, number * 1024, Fraction(1, 16_000)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return video


@pytest.fixture
def connection(footage: Path) -> Iterator[PacketSource]:
    """The file's streams; they are valid as long as it is open."""
    with connect(Camera("cam1", str(footage)), "file", paced=False) as one:
        yield one


@pytest.fixture
def pictures(connection: PacketSource) -> list[Packet]:
    """The file's pictures, two GOPs."""
    return [packet for packet in to_the_end(connection) if packet.kind == "video"]


def packets(pictures: list[Packet], stamp: Stamp, heard: Heard = lambda _: True) -> Iterator[Packet]:
    """Yield :data:`SECONDS` of pictures and sound in order of arrival; `heard` tells when there is sound."""
    blocks = aac_blocks(20)
    sound = 0
    for number in range(round(SECONDS * FPS)):
        sent = number / FPS
        while sound * AAC_BLOCK_S <= sent:
            spoken = sound * AAC_BLOCK_S
            if heard(spoken):
                arrived = START + spoken
                yield Packet("audio", blocks[sound % 20], True, stamp(spoken), arrived=arrived, wall=arrived)
            sound += 1
        picture = pictures[number % len(pictures)]
        yield replace(picture, dts=sent, arrived=START + sent, wall=START + sent)


def assert_whole(clips: list[FinishedClip]) -> None:
    """All pictures are there once, each at its time."""
    assert sum(clip.summary.frames for clip in clips) == SECONDS * FPS
    for before, after in itertools.pairwise(clips):
        assert after.start == before.end
        assert (after.started_at - before.started_at).total_seconds() == pytest.approx(after.start - before.start)
    for clip in clips:
        times = tracks(clip.path)["video"]
        assert len(times) == clip.summary.frames
        assert times == pytest.approx([number / FPS for number in range(len(times))], abs=0.02)
        with av.open(str(clip.path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(times)


@pytest.mark.parametrize("stamp", SOUND.values(), ids=SOUND.keys())
def test_no_clock_of_the_sounds_costs_a_picture(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path, stamp: Stamp
) -> None:
    recording = Recording(connection.info, tmp_path)
    recording.feed(packets(pictures, stamp))
    recording.close()
    assert_whole(recording.clips)
    for clip in recording.clips:
        sound = tracks(clip.path)["audio"]
        assert len(sound) > 100
        assert all(after > before for before, after in itertools.pairwise(sound))
        assert sound[-1] == pytest.approx(clip.summary.seconds, abs=LIVE_BOUND_S + 0.2)


HEARD: dict[str, tuple[Heard, list[bool]]] = {
    "never": (lambda _: False, [False, False, False]),
    "in one moment": (lambda sent: sent < 0.3, [True, False, False]),
    "from a moment on": (lambda sent: sent >= 4, [False, True, True]),
    "up to a moment": (lambda sent: sent < 4, [True, False, False]),
    "up to the end of a clip": (lambda sent: sent < 9.9, [True, True, False]),
    "by turns": (lambda sent: sent % 4 < 2, [True, True, True]),
}


@pytest.mark.parametrize(("heard", "tracked"), HEARD.values(), ids=HEARD.keys())
def test_sound_that_does_not_come_leaves_clips_without_it(
    connection: PacketSource,
    pictures: list[Packet],
    tmp_path: Path,
    heard: Heard,
    tracked: list[bool],
) -> None:
    recording = Recording(connection.info, tmp_path)
    recording.feed(packets(pictures, lambda sent: sent, heard))
    recording.close()
    assert_whole(recording.clips)
    assert ["audio" in tracks(clip.path) for clip in recording.clips] == tracked


def test_a_step_is_logged_once(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recording = Recording(connection.info, tmp_path)
    recording.feed(packets(pictures, SOUND["a step every second"]))
    [line] = logged(caplog, messages.SOUND_CLOCK_STEPS)
    assert "-0.2 s" in line


def _transport_stream(footage: Path, stream: Path) -> Path:
    """Copy the packets of `footage` into the MPEG-TS file `stream`, and return its path."""
    with av.open(str(footage)) as source, av.open(str(stream), "w") as output:
        copies = {one.index: output.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    return stream


def test_sound_of_a_transport_stream_is_kept(tmp_path: Path, footage: Path) -> None:
    """AAC with ADTS headers, as in HLS: MP4 wants it without."""
    stream = _transport_stream(footage, tmp_path / "in.ts")
    with connect(Camera("cam1", str(stream)), "file", paced=False) as connection:
        recording = Recording(connection.info, tmp_path)
        recording.feed(to_the_end(connection))
        recording.close()
    [clip] = recording.clips
    with av.open(str(clip.path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20
    with av.open(str(clip.path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(30 * 1024, rel=0.1)


@pytest.mark.parametrize("good_first", [False, True])
def test_a_damaged_block_of_sound_costs_no_picture(tmp_path: Path, footage: Path, good_first: bool) -> None:
    """With ADTS headers the muxer reads each block, and refuses one that has none; the first one as well."""
    stream = _transport_stream(footage, tmp_path / "in.ts")
    with connect(Camera("cam1", str(stream)), "file", paced=False) as connection:
        received = list(to_the_end(connection))
        writer = ClipWriter(tmp_path / "clip.mp4", connection.info, 0.0, datetime.now().astimezone())
    [sound, *_] = [packet for packet in received if packet.kind == "audio"]
    pictures = [packet for packet in received if packet.kind == "video"]
    if good_first:
        writer.write(replace(sound, time=0.0))
    for number, picture in enumerate(pictures):
        if number == len(pictures) // 2 or not number:
            writer.write(replace(sound, data=b"\x12\x34" * 20, time=number / FPS + 0.05))
        writer.write(replace(picture, time=number / FPS))
    assert writer.close().frames == len(pictures)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(pictures)


CRASH = """
import os, sys
from pathlib import Path
from tests.support.footage.recording import Recording, to_the_end
from tests.vcam_worker.stream.test_sound import HEARD, packets
from shared_utils.config.cameras import Camera
from vcam_worker.stream.opening import connect
footage, folder, heard, until = sys.argv[1], Path(sys.argv[2]), HEARD[sys.argv[3]][0], float(sys.argv[4])
connection = connect(Camera("cam1", footage), "file", paced=False)
pictures = [packet for packet in to_the_end(connection) if packet.kind == "video"]
recording = Recording(connection.info, folder)
recording.feed(packet for packet in packets(pictures, lambda sent: sent, heard) if packet.dts < until or os._exit(9))
"""


@pytest.mark.parametrize("heard", ["never", "in one moment", "up to a moment", "from a moment on", "by turns"])
@pytest.mark.parametrize("until", [3.55, 7.95])
def test_a_crash_costs_one_gop_whatever_the_sound_does(tmp_path: Path, footage: Path, heard: str, until: float) -> None:
    command = [sys.executable, "-c", CRASH, str(footage), str(tmp_path), heard, str(until)]
    crashed = subprocess.run(command, check=False, cwd=ROOT)
    assert crashed.returncode == 9
    [part] = tmp_path.glob("*.mp4")
    summary = repair(part, tmp_path / "whole.mp4")
    assert summary.frames >= (until // 1.0) * FPS  # what was complete by the last keyframe; GOPs are of 1 s
    with av.open(str(tmp_path / "whole.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == summary.frames
