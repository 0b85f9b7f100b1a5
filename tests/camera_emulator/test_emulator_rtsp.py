"""The RTSP side, watched by the client library that capture uses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

OPEN_TIMEOUT_S = 10.0


@dataclass
class Watched:
    """What one viewer got: times in seconds of all packets and of the keyframes, decoded pictures, the codec."""

    times: np.ndarray
    key_times: np.ndarray
    decoded: int
    codec: str
    size: tuple[int, int]
    first_is_key: bool
    reordered: bool


def _watch(url: str, packets: int) -> Watched:
    """Read so many packets, decoding strictly: any damage raises."""
    options = {"rtsp_transport": "udp"}
    got: list[av.Packet] = []
    with av.open(url, options=options, timeout=OPEN_TIMEOUT_S) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        decoded = 0
        for packet in container.demux(stream):
            got.append(packet)
            decoded += len(packet.decode())
            if len(got) == packets:
                break
        codec, size = stream.codec_context.name, (stream.codec_context.width, stream.codec_context.height)
    # FFmpeg knows no time for the very first packet of a stream without RTCP reports.
    timed = [packet for packet in got if packet.pts is not None]
    tick = float(timed[0].time_base)
    return Watched(
        times=np.array([packet.pts * tick for packet in timed]),
        key_times=np.array([packet.pts * tick for packet in timed if packet.is_keyframe]),
        decoded=decoded,
        codec=codec,
        size=size,
        first_is_key=got[0].is_keyframe,
        reordered=any(packet.pts != packet.dts for packet in timed),
    )


@pytest.fixture
def url(free_port: int) -> str:
    return f"rtsp://127.0.0.1:{free_port}/stream"


def test_h264_with_a_keyframe_every_second(url: str, start_camera: Callable) -> None:
    start_camera("scene", url, "--size", "640x360", "--fps", "20")
    watched = _watch(url, 85)
    assert watched.codec == "h264"
    assert watched.size == (640, 360)
    assert np.diff(watched.times) == pytest.approx(0.05, abs=0.001)
    assert len(watched.key_times) >= 3
    assert np.diff(watched.key_times) == pytest.approx(1.0, abs=0.001)
    assert not watched.reordered
    assert watched.decoded >= 84
    # The first viewer after a pause need not wait for the next second.
    assert watched.first_is_key


def test_two_viewers_at_once_and_one_after_a_pause(url: str, start_camera: Callable) -> None:
    start_camera("scene", url, "--size", "320x180", "--fps", "25")
    results: list[Watched] = []
    viewers = [threading.Thread(target=lambda: results.append(_watch(url, 60))) for _ in range(2)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join(30)
    results.append(_watch(url, 60))
    assert len(results) == 3
    for watched in results:
        assert np.diff(watched.times) == pytest.approx(0.04, abs=0.001)
        assert watched.decoded >= 60 - 27  # who comes in the middle waits for the next keyframe, a second at most


def test_a_looped_file_goes_on_rising(url: str, start_camera: Callable, write_video: Callable[..., Path]) -> None:
    path = write_video("loop.mp4", range(0, 1000, 50), size=(320, 240))
    camera = start_camera(str(path), url)
    assert "loop.mp4, 320x240, 2" in camera.ready
    watched = _watch(url, 70)
    assert np.diff(watched.times) == pytest.approx(0.05, abs=0.012)
    assert watched.decoded >= 69


def test_bitrate_is_kept(url: str, start_camera: Callable) -> None:
    start_camera("scene", url, "--size", "640x360", "--fps", "20", "--bitrate", "300")
    with av.open(url, options={"rtsp_transport": "udp"}, timeout=OPEN_TIMEOUT_S) as container:
        sizes = [packet.size for packet, _ in zip(container.demux(video=0), range(60), strict=False)]
    assert 100_000 < sum(sizes) * 8 / 3 < 420_000
