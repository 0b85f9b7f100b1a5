"""Live HLS over real connections: every frame at its time, whatever the server does meanwhile."""

from __future__ import annotations

import itertools
import logging
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import pytest

from shared_utils.config.cameras import Camera
from shared_utils.errors import SourceEnded, SourceError, SourceRefused, SourceStalled
from tests.support.footage.barcode_clips import barcode, number_in
from tests.support.footage.hls import Cut, LiveSite, cut, give, live, with_sound
from tests.support.footage.recording import Recording, tracks
from tests.support.footage.video import write_video
from tests.support.network.hosts import Call
from vcam_worker.stream.feed import Feed
from vcam_worker.stream.inbox import Connected, Inbox, Lost
from vcam_worker.stream.info import StreamInfo, video_decoder
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packet_source import Played, Trail
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.source_errors import TIMEOUTS, Timeouts

pytestmark = pytest.mark.slow

FPS = 10
LENGTH_S = 40
X265 = {"x265-params": "bframes=0:log-level=none", "preset": "ultrafast"}
SECONDS = 14.0
"""For which a stream is watched."""


@dataclass
class Result:
    """What came of a stream.

    Attributes:
        info: of the connection.
        pictures, sound: packets, in order.
        handed: when each picture was handed over, monotonic seconds.
        numbers: that the pictures show.
        error: that ended it, if one did, and when.
        log: lines.
    """

    info: StreamInfo | None = None
    pictures: list[Packet] = field(default_factory=list)
    sound: list[Packet] = field(default_factory=list)
    handed: list[float] = field(default_factory=list)
    error: SourceError | None = None
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    log: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        assert self.info
        decoder = video_decoder(self.info)
        found = []
        for packet in self.pictures:
            for frame in decoder.decode(av.Packet(packet.data)):
                found.append(number_in(frame.to_ndarray(format="bgr24")))
        return found

    @property
    def steps(self) -> list[float]:
        """Between the arrivals of pictures, seconds."""
        return [later.arrived - one.arrived for one, later in itertools.pairwise(self.pictures)]

    def gaps(self) -> list[float]:
        """Those of more than three frames, between the first ones that came at once and the end."""
        return [step for step in self.steps if step > 3.5 / FPS]


class Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def watch(
    url: str,
    seconds: float = SECONDS,
    *,
    played: Played | None = None,
    timeouts: Timeouts | None = None,
    is_inside: Callable[[str], bool] = lambda _: True,
) -> Result:
    """Read a stream until the time is over, or it ends."""
    result = Result()
    logger = logging.getLogger(f"tests.hls.{url}")
    logger.handlers = [Lines(result.log)]
    trail = Trail(logging.LoggerAdapter(logger), played)
    until = result.began + seconds
    try:
        with connect(
            Camera("cam1", url), "any", timeouts=timeouts or Timeouts(), trail=trail, is_inside=is_inside
        ) as connection:
            result.info = connection.info
            for packet in connection.packets():
                if packet.kind == "video":
                    result.pictures.append(packet)
                    result.handed.append(time.monotonic())
                else:
                    result.sound.append(packet)
                if time.monotonic() >= until:
                    break
    except SourceError as error:
        result.error = error
    result.ended = time.monotonic()
    return result


# -- scenarios, all at once, as each takes its real time


@dataclass(frozen=True)
class Scenario:
    """A site, and what is done to it while it is watched."""

    site: LiveSite
    seconds: float = SECONDS
    timeouts: Timeouts = TIMEOUTS


TENTH = "/9.seg"
"""Path of the segment that trouble befalls."""


def missing(_: LiveSite, call: Call, __: str) -> None:
    call.answer("404 Not Found\r\nContent-Length: 0")


def slow(seconds: float) -> Callable[[LiveSite, Call, str], None]:
    """Give a segment in small portions over so many seconds."""

    def answer(site: LiveSite, call: Call, request: str) -> None:
        number = int(request.split()[1].strip("/").removesuffix(".seg"))
        data = next(piece.data for one, piece, _ in site.listed if one == number)
        call.answer(f"200 OK\r\nContent-Length: {len(data)}")
        portion = -(-len(data) // 20)
        for start in range(0, len(data), portion):
            call.send(data[start : start + portion])
            time.sleep(seconds / 20)

    return answer


def endless(_: LiveSite, call: Call, __: str) -> None:
    call.answer("200 OK\r\nTransfer-Encoding: chunked")
    while True:
        call.send(b"10000\r\n", bytes(0x10000), b"\r\n")


def cut_off(site: LiveSite, call: Call, request: str) -> None:
    """Break the connection in the middle of a segment, once."""
    path = request.split()[1]
    del site.overrides[path]
    call.answer("200 OK\r\nContent-Length: 100000", bytes(500))
    call.socket.close()


def away(first: float, last: float) -> Callable[[LiveSite, Call, str], None]:
    """Be a server that fails for a while."""

    def answer(site: LiveSite, call: Call, _: str) -> None:
        passed = time.monotonic() - site.began
        if first <= passed < last:
            call.answer("503 Unavailable\r\nContent-Length: 0")
        else:
            give(call, site.playlist.encode(), "Content-Type: application/x-mpegurl")

    return answer


def ended(site: LiveSite, call: Call, _: str) -> None:
    """End the stream after 10 segments."""
    site.frozen = 10
    site.tail = "#EXT-X-ENDLIST" if len(site.published) == site.frozen else ""
    give(call, site.playlist.encode(), "Content-Type: audio/mpegurl")


def section_of(other: Cut) -> Callable[[LiveSite, Call, str], None]:
    """Give the initialization section of other footage once ten segments are there, by the same URI."""

    def answer(site: LiveSite, call: Call, _: str) -> None:
        section = other.section if len(site.published) >= 10 else site.section
        give(call, section or b"")

    return answer


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cut]:
    """The same footage, whose frames show their numbers, cut in several ways."""
    folder = tmp_path_factory.mktemp("hls")
    video = write_video(folder / "video.mp4", barcode(FPS), seconds=LENGTH_S, fps=FPS, gop=FPS)
    sound = with_sound(video, folder / "sound.mp4")
    reordered = write_video(
        folder / "reordered.mp4", barcode(FPS), seconds=LENGTH_S, fps=FPS, gop=FPS, options={"bf": "2"}
    )
    hevc = write_video(
        folder / "hevc.mp4", barcode(FPS), seconds=LENGTH_S, fps=FPS, gop=FPS, codec="libx265", options=X265
    )
    larger = write_video(folder / "larger.mp4", barcode(FPS, 576, 192), seconds=LENGTH_S, fps=FPS, gop=FPS)
    return {
        "reordered": cut(reordered, folder / "reordered"),
        "hevc": cut(hevc, folder / "hevc", kind="fmp4"),
        "hevc ts": cut(hevc, folder / "hevc ts"),
        "wrap": cut(video, folder / "wrap", offset=2**33 / 90000 - 13.4),
        "ts": cut(video, folder / "ts"),
        "moved": cut(video, folder / "moved", offset=5000),
        "sound": cut(sound, folder / "sound"),
        "fmp4": cut(sound, folder / "fmp4", kind="fmp4"),
        "larger": cut(larger, folder / "larger", kind="fmp4"),
        "single": cut(video, folder / "single", kind="single"),
    }


@pytest.fixture(scope="module")
def results(cuts: dict[str, Cut]) -> dict[str, tuple[Result, LiveSite]]:
    ts = cuts["ts"].pieces
    moved = cuts["moved"].pieces
    scenarios = {
        "ts": Scenario(LiveSite(ts)),
        "sound": Scenario(LiveSite(cuts["sound"].pieces)),
        "fmp4": Scenario(LiveSite(cuts["fmp4"].pieces, cuts["fmp4"].section)),
        "ranges": Scenario(LiveSite(cuts["single"].pieces)),
        "discontinuity": Scenario(LiveSite([*ts[:9], None, *moved[9:]])),
        "unstated": Scenario(LiveSite([*ts[:9], *moved[9:]])),
        "reordered": Scenario(LiveSite(cuts["reordered"].pieces)),
        "hevc": Scenario(LiveSite(cuts["hevc"].pieces, cuts["hevc"].section)),
        "wrap": Scenario(LiveSite(cuts["wrap"].pieces)),
        "damaged": Scenario(LiveSite([*ts[:9], replace(ts[9], data=b"\0" * 9000), *ts[10:]])),
        "another codec": Scenario(LiveSite([*ts[:9], None, *cuts["hevc ts"].pieces[9:]])),
        "another section": Scenario(
            LiveSite(
                [*cuts["fmp4"].pieces[:9], None, *cuts["larger"].pieces[9:]],
                cuts["fmp4"].section,
                overrides={"/init.mp4": section_of(cuts["larger"])},
            )
        ),
        "missing": Scenario(LiveSite(ts, overrides={TENTH: missing})),
        "slow": Scenario(LiveSite(ts, overrides={TENTH: slow(2.0)})),
        "cut off": Scenario(LiveSite(ts, overrides={TENTH: cut_off})),
        "endless": Scenario(LiveSite(ts, overrides={TENTH: endless})),
        "crawl": Scenario(
            LiveSite(ts, overrides={f"/{number}.seg": slow(1.4) for number in range(LENGTH_S)}, window=20), 24.0
        ),
        "overrun": Scenario(LiveSite(ts, overrides={TENTH: slow(9.0)}, window=4), 20.0),
        "away": Scenario(LiveSite(ts, overrides={"/live.m3u8": away(4, 5.5)})),
        "stops": Scenario(LiveSite(ts, frozen=10), 30.0, Timeouts(stall_s=3.0)),
        "gone": Scenario(LiveSite(ts, overrides={"/live.m3u8": away(4, 99)}), 30.0, Timeouts(stall_s=3.0)),
        "ends": Scenario(LiveSite(ts, overrides={"/live.m3u8": ended}), 30.0),
        "dead": Scenario(LiveSite(ts, frozen=5), 30.0, Timeouts(open_s=2.0)),
    }

    def run(scenario: Scenario) -> tuple[Result, LiveSite]:
        with live(scenario.site) as site:
            return watch(f"http://{site.url}", scenario.seconds, timeouts=scenario.timeouts), site

    with ThreadPoolExecutor(len(scenarios)) as pool:
        running = {name: pool.submit(run, scenario) for name, scenario in scenarios.items()}
        return {name: one.result() for name, one in running.items()}


CONTENTS = ["ts", "sound", "fmp4", "ranges", "reordered", "hevc"]
STEADY = [*CONTENTS, "discontinuity", "unstated", "wrap", "slow", "cut off", "away"]


def consecutive(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("name", STEADY)
def test_every_frame_comes_once_and_at_its_time(results: dict[str, tuple[Result, LiveSite]], name: str) -> None:
    result, _ = results[name]
    assert result.error is None
    assert result.info
    assert (result.info.codec, result.info.transport, result.info.delay_s) == (
        "hevc" if name == "hevc" else "h264",
        "hls",
        3,
    )
    assert consecutive(result.numbers)
    assert len(result.pictures) > 9 * FPS
    assert result.gaps() == []
    assert result.log == []
    assert any(packet.delay for packet in result.pictures) == (name == "reordered")
    media = [packet.dts or 0.0 for packet in result.pictures]
    assert [later - one for one, later in itertools.pairwise(media)] == [pytest.approx(1 / FPS, abs=0.02)] * (
        len(media) - 1
    )
    took = result.pictures[-1].arrived - result.pictures[0].arrived
    assert took == pytest.approx(media[-1] - media[0], abs=1.1)  # the first ones came at once


@pytest.mark.parametrize("name", STEADY)
def test_frames_are_handed_over_steadily(results: dict[str, tuple[Result, LiveSite]], name: str) -> None:
    result, _ = results[name]
    late = [handed - packet.arrived for handed, packet in zip(result.handed, result.pictures, strict=True)]
    assert sorted(late)[len(late) * 9 // 10] < 0.5
    assert all(packet.arrived <= handed for handed, packet in zip(result.handed, result.pictures, strict=True))


@pytest.mark.parametrize("name", ["sound", "fmp4"])
def test_sound_comes_beside_its_pictures(results: dict[str, tuple[Result, LiveSite]], name: str) -> None:
    result, _ = results[name]
    assert result.info
    assert result.info.audio_codec == "aac"
    stamps = [packet.dts or 0.0 for packet in result.sound]
    assert max(later - one for one, later in itertools.pairwise(stamps)) < 0.05
    assert stamps[-1] == pytest.approx(result.pictures[-1].dts, abs=0.2)


@pytest.mark.parametrize(
    ("name", "last", "lost"), [("missing", 8, 1), ("endless", 8, 1), ("overrun", 9, None)]
)  # fmt: skip
def test_what_cannot_be_had_is_a_gap_and_reported_once(
    results: dict[str, tuple[Result, LiveSite]], name: str, last: int, lost: int | None
) -> None:
    result, _ = results[name]
    assert result.error is None
    numbers = result.numbers
    missed = [(one, later) for one, later in itertools.pairwise(numbers) if later != one + 1]
    assert len(missed) == 1
    before, after = missed[0]
    assert before == (last + 1) * FPS - 1
    if lost:
        assert after == before + 1 + lost * FPS
    stamps = [packet.dts or 0.0 for packet in result.pictures]
    place = numbers.index(after)
    assert stamps[place] - stamps[place - 1] == pytest.approx((after - before) / FPS, abs=0.05)
    assert len(result.log) == 1
    assert f"{(after - before - 1) / FPS:.1f} s of the stream are missing" in result.log[0]


def test_a_network_that_is_too_slow_does_not_change_the_pace(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["crawl"]
    assert result.error is None
    assert consecutive(result.numbers)
    assert result.gaps() == []
    last = result.pictures[-1]
    assert last.ready - last.arrived > 0.5
    assert last.ready <= result.handed[-1]


def test_a_segment_that_is_none_is_a_gap(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["damaged"]
    assert result.error is None
    assert [one for one in range(60, 110) if one not in result.numbers] == list(range(9 * FPS, 10 * FPS))
    stamps = [packet.dts or 0.0 for packet in result.pictures]
    assert max(later - one for one, later in itertools.pairwise(stamps)) == pytest.approx(1 + 1 / FPS, abs=0.05)


def test_an_initialization_section_is_asked_for_anew_where_the_stream_begins_anew(
    results: dict[str, tuple[Result, LiveSite]],
) -> None:
    result, site = results["another section"]
    assert result.error is None
    descriptions = [number for number, packet in enumerate(result.pictures) if packet.description]
    assert len(descriptions) == 1
    sizes = [packet.picture.width for packet in result.pictures[descriptions[0] :] if packet.picture]
    assert set(sizes) == {576}
    assert [path for _, path in site.requests].count("/init.mp4") == 2


def test_another_codec_takes_another_connection(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["another codec"]
    assert isinstance(result.error, SourceEnded)
    assert "changed its codec from h264 to hevc" in str(result.error)
    assert result.numbers[-1] == 9 * FPS - 1


def test_a_stream_that_stops_is_stalled_in_time(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["stops"]
    assert isinstance(result.error, SourceStalled)
    assert "the playlist of http://127.0.0.1" in str(result.error)
    assert result.numbers[-1] == 10 * FPS - 1
    assert 2.5 < result.ended - result.handed[-1] < 6


def test_a_server_that_is_gone_is_named_after_what_was_there(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["gone"]
    assert "a part of the stream is refused (HTTP 503)" in str(result.error)
    assert not isinstance(result.error, SourceStalled)
    assert consecutive(result.numbers)


def test_an_ended_stream_is_played_to_its_end(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["ends"]
    assert isinstance(result.error, SourceEnded)
    assert "the camera ended the stream" in str(result.error)
    assert result.numbers[-1] == 10 * FPS - 1


def test_a_playlist_that_never_changes_is_no_live_stream(results: dict[str, tuple[Result, LiveSite]]) -> None:
    result, _ = results["dead"]
    assert isinstance(result.error, SourceStalled)
    assert result.pictures == []


def test_playlists_are_reloaded_at_the_pace_of_the_rfc(results: dict[str, tuple[Result, LiveSite]]) -> None:
    for name in ("ts", "stops"):
        _, site = results[name]
        loads = [at for at, path in site.requests if path.endswith(".m3u8")]
        assert min(later - one for one, later in itertools.pairwise(loads)) > 0.3
        whole = [later - one for one, later in itertools.pairwise(loads) if later - one > 0.95]
        assert len(whole) >= 5


def test_each_segment_is_requested_once(results: dict[str, tuple[Result, LiveSite]]) -> None:
    for name in ("ts", "discontinuity", "fmp4", "missing"):
        _, site = results[name]
        paths = [path for _, path in site.requests if not path.endswith(".m3u8")]
        # one answer may come too late on a busy machine, and is then asked for again
        assert len([path for path, count in Counter(paths).items() if count > 1]) <= 1
        assert max(Counter(paths).values()) <= 2


# -- clips


def test_clips_play_in_real_time(cuts: dict[str, Cut], tmp_path: Path) -> None:
    result = Result()
    with (
        live(LiveSite(cuts["sound"].pieces)) as site,
        connect(Camera("cam1", f"http://{site.url}"), "any") as connection,
    ):
        recording = Recording(connection.info, tmp_path, clip_seconds=8)
        until = time.monotonic() + 16

        def kept(packets: Iterable[Packet]) -> Iterable[Packet]:
            for packet in packets:
                if packet.kind == "video":
                    result.pictures.append(packet)
                yield packet
                if time.monotonic() > until:
                    return

        recording.feed(kept(connection.packets()))
        recording.close()
    passed = result.pictures[-1].arrived - result.pictures[0].arrived
    times: list[float] = []
    for clip in recording.clips:
        found = tracks(clip.path)
        times += [clip.start + at for at in found["video"]]
        assert found["audio"][-1] == pytest.approx(found["video"][-1], abs=0.3)
        assert clip.started_at.timestamp() <= result.pictures[-1].wall
    assert len(times) == len(result.pictures)
    assert times[-1] - times[0] == pytest.approx(passed, abs=1.2)
    steps = [later - one for one, later in itertools.pairwise(times)]
    assert steps == [pytest.approx(1 / FPS, abs=0.02)] * len(steps)


# -- what a connection hands on to the next one


def test_a_server_that_comes_back_goes_on_without_a_frame_twice(cuts: dict[str, Cut]) -> None:
    trail: Played | None = None
    with live(LiveSite(cuts["ts"].pieces, frozen=9)) as site:
        url = f"http://{site.url}"
        first = watch(url, 30, timeouts=Timeouts(stall_s=1.0))
        assert isinstance(first.error, SourceStalled)
        trail = Played(8, "8.seg", first.handed[-1])
        dead = watch(url, 30, played=trail, timeouts=Timeouts(open_s=1.0))
        assert isinstance(dead.error, SourceStalled)
        assert dead.pictures == []
        site.began, site.lead, site.frozen = time.monotonic(), 10.0, None
        again = watch(url, 7, played=trail)
    assert first.numbers[-1] == 9 * FPS - 1
    assert again.numbers[0] == 9 * FPS
    assert consecutive(again.numbers)


def test_a_feed_goes_on_where_its_last_connection_ended(cuts: dict[str, Cut]) -> None:
    """A stream that ends, and is there again with what was played still listed."""
    stop = threading.Event()
    inbox: Inbox[Feed] = Inbox()
    result = Result()
    lost: list[str] = []
    with live(LiveSite(cuts["ts"].pieces, overrides={"/live.m3u8": ended}, window=8)) as site:
        Feed(Camera("cam1", f"http://{site.url}"), inbox, stop, logging.LoggerAdapter(logging.getLogger("t"))).start()
        until = time.monotonic() + 60
        while time.monotonic() < until and (not result.pictures or len(result.pictures) < 14 * FPS):
            select.select([inbox], [], [], 0.1)
            for _, item in inbox.take():
                if isinstance(item, Lost):
                    lost.append(str(item.error))
                    if len(lost) == 2:
                        site.began, site.lead, site.frozen = time.monotonic(), 11.0, None
                        site.overrides.clear()
                        site.tail = ""
                elif isinstance(item, Packet):
                    result.pictures.append(item)
                elif isinstance(item, Connected):
                    result.info = item.info
        stop.set()
    assert lost[0] == "the camera ended the stream"
    assert "has ended (EXT-X-ENDLIST)" in lost[1]
    assert consecutive(result.numbers)


def test_a_refused_connection_is_named_as_for_any_camera() -> None:
    with live(LiveSite([])) as site:
        url = f"http://{site.url}"
    result = watch(url)
    assert isinstance(result.error, SourceRefused)
