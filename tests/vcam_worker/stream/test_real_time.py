"""Playing time, names and gaps over real connections, and the moments around a connection's start and end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import av
import pytest

from devtools.rtsp.camera import AAC_BLOCK_S, AAC_SECTION, AUDIO_CLOCK_HZ, Report, RtspCamera, Send, aac_blocks
from devtools.rtsp.rtp import VIDEO_CLOCK_HZ, access_units, nal_units, parameter_sets
from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceError, SourceStalled
from tests.support.footage.recording import Recording, to_the_end, tracks
from tests.support.footage.video import moving_box, write_video
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packet_source import PacketSource
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source_errors import Timeouts

pytestmark = pytest.mark.slow

FPS = 20.0
SECONDS = 12.0
"""What a scripted camera sends."""
START = 5000.0
"""Monotonic clock, and seconds since the epoch, of made-up arrivals."""

Items = list[Send | Report]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of pictures in two GOPs, to be sent again and again."""
    draw = moving_box(width=320, height=180, side=30)
    return write_video(tmp_path_factory.mktemp("real") / "in.mp4", draw, seconds=2, fps=FPS, gop=20)


@dataclass(frozen=True)
class Scripts:
    """What cameras send, made of a few frames and blocks of sound."""

    units: list[tuple[bytes, bool]]
    blocks: list[bytes]

    def pictures(self, at: Callable[[float], float] = lambda sent: sent, speed: float = 1.0) -> Items:
        """Frames in step; `at` moves the moment of sending, `speed` the stamps."""
        return [
            Send(
                at(number / FPS),
                "video",
                self.units[number % len(self.units)][0],
                round(number / FPS * speed * VIDEO_CLOCK_HZ),
            )
            for number in range(round(SECONDS * FPS))
        ]

    def sound(
        self, heard: tuple[float, float] = (0.0, SECONDS), stamp: Callable[[float], float] = lambda sent: sent
    ) -> Items:
        moments = [number * AAC_BLOCK_S for number in range(round(SECONDS / AAC_BLOCK_S))]
        return [
            Send(sent, "audio", self.blocks[number % len(self.blocks)], round(stamp(sent) * AUDIO_CLOCK_HZ))
            for number, sent in enumerate(moments)
            if heard[0] <= sent < heard[1]
        ]

    def reports(self, step: float) -> Items:
        """Sender reports by which the sound's clock steps."""
        now = time.time()
        both: Items = [Report(1.0, "video", now + 1, VIDEO_CLOCK_HZ), Report(1.0, "audio", now + 1, AUDIO_CLOCK_HZ)]
        return [*both, Report(7.0, "audio", now + 7 + step, 7 * AUDIO_CLOCK_HZ)]


def in_order(*items: Items) -> Items:
    return sorted(itertools.chain(*items), key=lambda item: item.at)


@dataclass(frozen=True)
class Result:
    """What came of a connection: its info, the clips, the received pictures, and the real time they took."""

    info: StreamInfo
    recording: Recording
    received: list[Packet]
    codecs: list[set[str]]


def record(camera: RtspCamera, folder: Path) -> Result:
    """Record a camera until its script is over."""
    folder.mkdir()
    received: list[Packet] = []

    def kept(packets: Iterable[Packet]) -> Iterator[Packet]:
        with suppress(SourceError):
            for packet in packets:
                if packet.kind == "video":
                    received.append(packet)
                yield packet

    with camera, connect(Camera("cam1", camera.url), "tcp") as connection:
        recording = Recording(connection.info, folder, clip_seconds=4)
        recording.feed(kept(connection.packets()))
        recording.close()
        codecs = [set(tracks(clip.path)) for clip in recording.clips]
        return Result(connection.info, recording, received, codecs)


UNKNOWN_VIDEO = "m=video 0 RTP/AVP 98\r\na=rtpmap:98 FUTURE/90000\r\na=control:none\r\n"
UNKNOWN_SOUND = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 NOPE/16000\r\na=control:audio\r\n"
METADATA = "m=application 0 RTP/AVP 98\r\na=rtpmap:98 vnd.onvif.metadata/90000\r\na=control:none\r\n"


@pytest.fixture(scope="module")
def results(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """All scripted cameras, recorded at once: each takes its real time."""
    scripts = Scripts(access_units(footage), aac_blocks(40))
    sets = parameter_sets(nal_units(scripts.units[0][0]))

    def camera(*items: Items, sound: str = AAC_SECTION, before: str = "") -> RtspCamera:
        return RtspCamera(lambda: in_order(*items), sets, sound=sound, before=before, hold=False)

    pictures, sound = scripts.pictures(), scripts.sound()
    wrap = 2**32 / AUDIO_CLOCK_HZ
    cameras = {
        "good": camera(pictures, sound),
        **{f"RTCP {step:g}": camera(pictures, sound, scripts.reports(step)) for step in (3600, -3600, -3, -0.2)},
        "RTP -0.2": camera(pictures, scripts.sound(stamp=lambda sent: 100 + sent - 0.2 * (sent > 6))),
        "RTP wrap": camera(pictures, scripts.sound(stamp=lambda sent: wrap - 6 + sent)),
        "RTP reset": camera(pictures, scripts.sound(stamp=lambda sent: 500 + sent if sent < 6 else sent - 6)),
        "silent": camera(pictures),
        "stops": camera(pictures, scripts.sound((0, 5))),
        "starts late": camera(pictures, scripts.sound((5, SECONDS))),
        "unknown sound": camera(pictures, sound, sound=UNKNOWN_SOUND),
        "unknown video first": camera(pictures, before=UNKNOWN_VIDEO, sound=""),
        "metadata first": camera(pictures, sound, before=METADATA),
        "8 of 10": camera(scripts.pictures(speed=0.8), sound=""),
        "12 of 10": camera(scripts.pictures(speed=1.2), sound=""),
        "freeze": camera(scripts.pictures(at=lambda sent: sent if sent < 5 else sent + 2), sound=""),
        "burst": camera(scripts.pictures(at=lambda sent: 10.0 if 5 <= sent < 10 else sent), sound=""),
    }
    folder = tmp_path_factory.mktemp("clips")
    with ThreadPoolExecutor(len(cameras)) as pool:
        running = {name: pool.submit(record, one, folder / name) for name, one in cameras.items()}
        return {name: one.result() for name, one in running.items()}


ALL = [
    *(
        "good",
        "RTCP 3600",
        "RTCP -3600",
        "RTCP -3",
        "RTCP -0.2",
        "RTP -0.2",
        "RTP wrap",
        "RTP reset",
        "silent",
        "stops",
    ),
    *("starts late", "unknown sound", "unknown video first", "metadata first", "8 of 10", "12 of 10", "burst"),
]


@pytest.mark.parametrize("name", ALL)
def test_every_picture_is_recorded_once_at_its_real_time(results: dict[str, Result], name: str) -> None:
    result = results[name]
    clips = result.recording.clips
    frames = len(result.received)
    assert frames >= SECONDS * FPS - 2  # the last ones may be lost with the connection
    assert sum(clip.summary.frames for clip in clips) >= frames - FPS  # from the first keyframe on
    times = [clip.start + at for clip in clips for at in tracks(clip.path)["video"]]
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert min(steps) > 0
    assert max(steps) < 0.5
    assert times[-1] - times[0] == pytest.approx((frames - 1) / FPS, abs=0.6)
    for before, after in itertools.pairwise(clips):
        assert after.start == before.end
        between = (after.started_at - before.started_at).total_seconds()
        assert between == pytest.approx(after.start - before.start, abs=0.3)


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith(("good", "RT", "metadata"))])
def test_sound_goes_on_whatever_its_clock_does(results: dict[str, Result], name: str) -> None:
    for clip in results[name].recording.clips:
        sound = tracks(clip.path)["audio"]
        assert all(after > before for before, after in itertools.pairwise(sound))
        assert sound[-1] == pytest.approx(clip.summary.seconds, abs=1.5)


def test_a_track_is_there_only_where_sound_is_heard(results: dict[str, Result]) -> None:
    def heard(name: str) -> list[bool]:
        return ["audio" in codecs for codecs in results[name].codecs]

    assert not any(heard("silent"))
    assert heard("starts late")[-1]
    assert heard("stops")[0]


def test_a_gap_that_the_stamps_do_not_show_is_where_it_was(results: dict[str, Result]) -> None:
    clips = results["freeze"].recording.clips
    times = [clip.start + at for clip in clips for at in tracks(clip.path)["video"]]
    gaps = [(before, after) for before, after in itertools.pairwise(times) if after - before > 0.5]
    assert gaps == [(pytest.approx(5, abs=0.3), pytest.approx(7, abs=0.3))]


def test_what_cannot_be_recorded_is_named(results: dict[str, Result]) -> None:
    assert results["unknown sound"].info.left_out == ("sound is left out: its codec is unknown",)
    assert results["unknown video first"].info.left_out == ("video stream 0 is left out: its codec is unknown",)
    assert results["good"].info.left_out == ()


# -- a camera that falls silent


def collect_pictures(connection: PacketSource, received: list[Packet]) -> None:
    for packet in connection.packets():
        if packet.kind == "video":
            received.append(packet)


@pytest.mark.parametrize("sound", [False, True])
def test_a_camera_without_pictures_is_noticed_in_time(footage: Path, sound: bool) -> None:
    """Shown with 4 s for the 15."""
    scripts = Scripts(access_units(footage), aac_blocks(40))
    pictures = [item for item in scripts.pictures() if item.at < 4]
    script = in_order(pictures, scripts.sound() if sound else [])
    sets = parameter_sets(nal_units(scripts.units[0][0]))
    with (
        RtspCamera(lambda: script, sets, sound=AAC_SECTION if sound else "") as camera,
        connect(Camera("cam1", camera.url), "tcp", timeouts=Timeouts(stall_s=4.0)) as connection,
    ):
        received: list[Packet] = []
        with pytest.raises(SourceStalled, match="no picture for 4 s"):
            collect_pictures(connection, received)
        silent = time.monotonic() - received[-1].arrived
    assert len(received) >= 4 * FPS - 1
    assert silent == pytest.approx(4, abs=1.5)
    assert received[-1].arrived - received[0].arrived < 4.5  # the last one is not dated by the timeout


# -- made-up arrivals


@pytest.fixture
def connection(footage: Path) -> Iterator[PacketSource]:
    with connect(Camera("cam1", str(footage)), "file", paced=False) as one:
        yield one


@pytest.fixture
def pictures(connection: PacketSource) -> list[Packet]:
    """The film's pictures."""
    return list(to_the_end(connection))


def sent(pictures: list[Packet], moments: Iterable[float], connected: float) -> list[Packet]:
    """Return pictures taken at `moments` (keyframes each second); those from before `connected` come then, at once."""
    found = []
    for number, taken in enumerate(moments):
        arrived = START + max(taken, connected)
        found.append(replace(pictures[number % len(pictures)], dts=700 + taken, arrived=arrived, wall=arrived))
    return found


def moments(first: float, last: float) -> list[float]:
    return [first + number / FPS for number in range(round((last - first) * FPS))]


def test_clips_bear_the_time_at_which_their_backlog_was_sent(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path
) -> None:
    """A server's kept footage, or what was buffered while the stream was probed: its pictures are older than it."""
    recording = Recording(connection.info, tmp_path)
    recording.feed(sent(pictures, moments(-6, 30), 0))
    assert len(recording.clips) >= 2
    assert recording.clips[0].start == 0
    for clip in recording.clips:
        assert clip.started_at.timestamp() == pytest.approx(START - 6 + clip.start, abs=0.1)


def test_what_is_sent_again_after_a_reconnect_is_not_recorded_again(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    before = Recording(connection.info, first)
    before.feed(sent(pictures, moments(-2, 10), 0))
    before.close()
    after = Recording(connection.info, second, seen_until=before.stream.seen_until)
    after.feed(sent(pictures, moments(4, 30), 12))  # lost at 10, back at 12, and sent from 4 on
    after.close()
    starts = [clip.started_at.timestamp() - START for clip in after.clips]
    assert starts[0] == pytest.approx(10, abs=1.1)
    assert starts[0] >= 10


def test_a_connection_of_a_moment_loses_nothing(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path
) -> None:
    recording = Recording(connection.info, tmp_path)
    recording.feed(sent(pictures, moments(-8, 0.3), 0))
    assert recording.clips == []
    recording.close()
    [clip] = recording.clips
    assert clip.summary.frames == round(8.3 * FPS)


@pytest.mark.parametrize("after", [1, 3])
def test_a_gap_is_not_how_long_the_last_picture_is_shown(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path, after: int
) -> None:
    recording = Recording(connection.info, tmp_path, clip_seconds=60)
    recording.feed(sent(pictures, [*moments(0, 6), *moments(18, 18 + after / FPS)], 0))
    recording.close()
    [clip] = recording.clips
    assert clip.summary.seconds == pytest.approx(18 + after / FPS, abs=0.02)
    with av.open(str(clip.path)) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(18 + after / FPS, abs=0.02)


def test_a_clip_that_a_gap_ends_does_not_last_as_long(
    connection: PacketSource, pictures: list[Packet], tmp_path: Path
) -> None:
    recording = Recording(connection.info, tmp_path, clip_seconds=8)
    recording.feed(sent(pictures, [*moments(0, 6), *moments(18, 20)], 0))
    assert recording.clips[0].end - recording.clips[0].start == pytest.approx(6, abs=0.02)
    assert recording.clips[0].summary.seconds == pytest.approx(6, abs=0.02)
